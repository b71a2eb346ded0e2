"""
Failures of a highly available PostgreSQL under two groups of servers, while writes are acknowledged and models read.

    python -m tests.drills.ha [--failures crash,node]

Starts three etcd, three PostgreSQL under Patroni in synchronous mode, HAProxy, PgBouncer and two servers on loopback,
from Debian's etcd-server, patroni, haproxy, pgbouncer and postgresql. Prints for each failure how long writes and reads
were not answered, and fails where a promise is broken: writes back in time and none refused after, nothing acknowledged
lost, no 500, no server restarted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import psycopg

import tests.environment  # noqa: F401 - the settings of the tests
from tests.drills.cluster import NEEDED, Cluster, until
from tests.drills.memory import workers
from tests.servers import Server, managed, running

ROOT = Path(__file__).parents[2]
# Seconds within which writes are acknowledged again.
IN_TIME, AFTER_A_CRASH = 25.0, 6.0
# Seconds in which nothing is refused any more, once a failure is over.
CALM = 5.0
FILL = """
import json
from django.contrib.auth import get_user_model
from apikeys import keys
from apikeys.models import Scope
from apikeys.policy import KeyPolicy
from catalog.editing.history import Author
from providers import defaults
defaults.create_providers(), defaults.load_curated()
olga = get_user_model().objects.create_user("olga")
actor = keys.Actor(Author.person(olga), is_staff=True)
print(keys.create(olga, {"name": "drill", "scopes": Scope.values}, KeyPolicy("all"), actor).token)
"""


class Load:
    """Clients of both servers, in turn: some make keys, some read the models. What was answered, and when."""

    def __init__(self, servers: list[Server], token: str) -> None:
        self.servers, self.token, self.going = servers, token, True
        self.acknowledged: set[str] = set()
        self.statuses: Counter[int | str] = Counter()
        self.refused: list[float] = []
        self.good: dict[str, list[float]] = {"write": [], "read": []}
        self.threads = [threading.Thread(target=self._go, args=(kind, n)) for kind in self.good for n in range(3)]
        for thread in self.threads:
            thread.start()

    def _go(self, kind: str, number: int) -> None:
        while self.going:
            number += 1
            server = self.servers[number % len(self.servers)]
            try:
                if kind == "write":
                    body = json.dumps({"name": "drill"})
                    answer = server.request(
                        "POST", "/api/keys", body, Authorization=f"Bearer {self.token}", Content_Type="application/json"
                    )
                else:
                    answer = server.request("GET", "/v1/models", Authorization=f"Bearer {self.token}")
            except OSError as error:
                self.statuses[type(error).__name__] += 1
                self.refused.append(time.monotonic())
                continue
            self.statuses[answer.status] += 1
            if answer.status < 300:
                self.good[kind].append(time.monotonic())
                if kind == "write":
                    self.acknowledged.add(json.loads(answer.body)["id"])
            else:
                self.refused.append(time.monotonic())
            time.sleep(0.05)

    def stop(self) -> None:
        self.going = False
        for thread in self.threads:
            thread.join()

    def longest_gap(self, kind: str, since: float) -> float:
        moments = [since, *(moment for moment in sorted(self.good[kind]) if moment > since), time.monotonic()]
        return max(after - before for before, after in pairwise(moments))


def switch_over(cluster: Cluster) -> None:
    primary = cluster.primary()
    waiting = next(member["name"] for member in cluster.members() if member["role"] == "sync_standby")
    said = primary.asked("/switchover", {"leader": primary.name, "candidate": waiting})
    assert said, "Patroni refused the switchover"


def restart_haproxy(cluster: Cluster) -> None:
    cluster.haproxy.kill()
    time.sleep(1)
    cluster.haproxy.start()


@contextmanager
def dead(cluster: Cluster) -> Iterator[None]:
    node = cluster.primary()
    node.die()
    yield
    node.patroni.start()


@contextmanager
def cut_off(cluster: Cluster) -> Iterator[None]:
    node = cluster.primary()
    node.link.cut()
    yield
    node.link.mend()


@contextmanager
def member_lost(cluster: Cluster) -> Iterator[None]:
    cluster.etcd[0].kill()
    yield
    cluster.etcd[0].start()


def once(act: Callable[[Cluster], None]) -> Callable[[Cluster], AbstractContextManager[None]]:
    """A failure that nobody needs to mend."""

    @contextmanager
    def happens(cluster: Cluster) -> Iterator[None]:
        act(cluster)
        yield

    return happens


# What it is called in an argument, and in words; what happens; and within how many seconds writes are back.
FAILURES: dict[str, tuple[str, Callable[[Cluster], AbstractContextManager[None]], float]] = {
    "crash": ("PostgreSQL of the primary crashes", once(lambda cluster: cluster.primary().crash()), AFTER_A_CRASH),
    "node": ("the primary's node dies", dead, IN_TIME),
    "cut": ("the primary is cut off from etcd", cut_off, IN_TIME),
    "switchover": ("switchover", once(switch_over), IN_TIME),
    "etcd": ("a member of etcd is lost", member_lost, IN_TIME),
    "haproxy": ("HAProxy is restarted", once(restart_haproxy), IN_TIME),
}


def drilled(cluster: Cluster, load: Load, failures: list[str]) -> list[str]:
    broken = []
    for name, happens, bound in map(FAILURES.__getitem__, failures):
        until("a whole cluster", cluster.whole, 90)
        since, leader = time.monotonic(), cluster.primary().name
        with happens(cluster):
            # Long enough for a lock to run out, so that a failover is seen that comes late.
            time.sleep(3)
            until("writes", lambda: load.good["write"] and load.good["write"][-1] > time.monotonic() - 0.5, 60)
            time.sleep(20)
            writes, reads = load.longest_gap("write", since), load.longest_gap("read", since)
            over = time.monotonic()
            time.sleep(CALM)
            late = sum(moment > over for moment in load.refused)
        print(
            f"{name}: writes back after {writes:.1f} s, reads after {reads:.1f} s; {leader} -> {cluster.primary().name}",
            flush=True,
        )
        if late:
            broken.append(f"{name}: {late} answers were refused after it was over")
        if writes > bound:
            broken.append(f"{name}: writes were back after {writes:.1f} s, not {bound:.0f} s")
    return broken


def lost(cluster: Cluster, acknowledged: set[str]) -> set[str]:
    until("a whole cluster", cluster.whole, 90)
    with psycopg.connect(f"{cluster.direct}/modeldex") as connection:
        return acknowledged - {row[0] for row in connection.execute("SELECT key_id FROM apikeys_apikey")}


def main() -> None:
    # A terminated drill leaves through the context managers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--failures", default=",".join(FAILURES), help="in this order")
    failures = parser.parse_args().failures.split(",")
    if unknown := {*failures} - {*FAILURES}:
        parser.error(f"no such failures: {', '.join(sorted(unknown))}")
    if missing := [name for name in NEEDED if not shutil.which(name)]:
        raise SystemExit(f"Not installed: {', '.join(missing)}.")
    with tempfile.TemporaryDirectory(prefix="modeldex-ha-", ignore_cleanup_errors=True) as name, ExitStack() as ending:
        home = Path(name)
        home.chmod(0o755)
        cluster = Cluster(home)
        ending.callback(cluster.stop)
        cluster.start()
        # To itself: before its first check HAProxy takes every node for the primary.
        primary = f"postgresql://postgres:drill@127.0.0.1:{cluster.primary().port}"
        with psycopg.connect(f"{primary}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE modeldex")
        managed(ROOT, "migrate", "-v0", DATABASE_URL=f"{primary}/modeldex")
        token = managed(ROOT, "shell", "-v0", "-c", FILL, DATABASE_URL=f"{primary}/modeldex").splitlines()[-1]
        servers = [
            ending.enter_context(
                running(home / f"server{n}", ROOT, DATABASE_URL=cluster.url, DATABASE_POOL_MAX_SIZE="4")
            )
            for n in range(2)
        ]
        before = [workers(server) for server in servers]
        load = Load(servers, token)
        ending.callback(load.stop)
        broken = drilled(cluster, load, failures)
        load.stop()
        gone = lost(cluster, load.acknowledged)
        print(
            f"{len(load.acknowledged):,} acknowledged writes, {len(gone)} of them lost; answers: {dict(load.statuses)}"
        )
        broken += [f"{len(gone)} acknowledged writes are lost"] if gone else []
        broken += [f"{load.statuses[500]} answers of 500"] if load.statuses[500] else []
        broken += [line for server in servers for line in server.logged("Internal Server Error", 0)]
        broken += ["a server was restarted"] if [workers(server) for server in servers] != before else []
    for sentence in broken:
        print(f"Broken: {sentence}")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
