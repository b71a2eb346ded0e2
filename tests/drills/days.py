"""
Hours of syncs, edits, keys and reads at 5,276 models on PostgreSQL, against one server process that lives through them.

    python -m tests.drills.days --hours 2

Prints the worker's memory and the tables that have grown after each hour. Fails where a read is answered with what it
should not be, where the memory of the last quarter, less what the bounded caches hold, is more than a tenth above that
of the second, or where the server answers otherwise than one that has just been started.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import django

os.environ["TEST_DATABASE"] = "postgresql"
os.environ.pop("TEST_DATABASE_URL", None)

import tests.environment  # noqa: F401 - the settings of the tests

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402 - after setup()
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from apikeys import keys  # noqa: E402
from apikeys.models import Scope  # noqa: E402
from apikeys.policy import KeyPolicy  # noqa: E402
from catalog.editing import bulk, entries  # noqa: E402
from catalog.editing.history import Author  # noqa: E402
from catalog.models import AIModel  # noqa: E402
from providers.models import Provider  # noqa: E402
from providers.sync import run as sync  # noqa: E402
from tests.drills.memory import WORKER, kept, megabytes, workers  # noqa: E402
from tests.feeds import feed, record, saved  # noqa: E402
from tests.servers import Answer, Server, running  # noqa: E402

ROOT = Path(__file__).parents[2]
READS = 240
# Of one hour: prices that a listing changes, models that it lacks, edits, and keys made.
DEARER, GONE, EDITS, KEYS = 50, 20, 5, 4
# What the last quarter's memory may be of the second's.
GROWTH = 1.1
LISTS = ("/v1/models", "/api/models", "/api/models?format=cli")
PAGES = (
    "/api/models/list?page_size=50", "/api/models/list?query=model-12&order_by=price", "/api/models/tags", "/api/changes",
    "/api/models/list?capability=tools&order_by=name&page=3", "/api/models/list?provider=author7", "/healthz", "/readyz",
)  # fmt: skip
UNKNOWN = "/v1/models/author0/none"


@dataclass
class Reader:
    """A key, and the tags of what it was answered."""

    token: str
    may: frozenset[int] = frozenset({200, 304})
    tags: dict[str, str] = field(default_factory=dict)

    def read(self, server: Server, path: str, **headers: str) -> Answer:
        return server.request("GET", path, Authorization=f"Bearer {self.token}", **headers)

    def asks(self, server: Server, path: str, chance: random.Random) -> Answer:
        """As clients do: half of them send the tag that they have, and most take compressed answers."""
        headers = {"Accept_Encoding": "gzip"} if chance.random() < 0.7 else {}
        if path in self.tags and chance.random() < 0.5:
            headers["If_None_Match"] = self.tags[path]
        answer = self.read(server, path, **headers)
        if answer.headers["ETag"]:
            self.tags[path] = answer.headers["ETag"]
        return answer


class Days:
    def __init__(self, folder: Path, seed: int, models: int) -> None:
        self.folder, self.chance = folder, random.Random(seed)
        self.ids = [f"author{number % 40}/model-{number}" for number in range(models)]
        self.statuses: Counter[int] = Counter()
        self.broken: list[str] = []
        self.prices = {one: f"0.00000{self.chance.randint(1000, 1999)}" for one in self.ids}
        call_command("migrate", verbosity=0)
        self.provider = Provider.objects.create(slug="openrouter", kind="openrouter", name="OpenRouter")
        person = get_user_model().objects.create_user("ops", is_staff=True, is_superuser=True)
        self.author = Author.person(person)
        self.actor = keys.Actor(self.author, is_staff=True)
        self.sync()
        self.everything = self.key(KeyPolicy("all"), scopes=Scope.values)
        narrow = KeyPolicy("allow_list", ("author1/*", "author2*"))
        without = KeyPolicy("deny_list", ("author3/*", self.ids[0]))
        self.readers = [self.everything, self.key(narrow), self.key(without)]
        self.limited = self.key(KeyPolicy("all"), per_minute=10)
        self.limited.may = frozenset({200, 304, 429})

    def key(self, policy: KeyPolicy, **values: Any) -> Reader:
        return Reader(keys.create(self.author.user, {"name": "drill", **values}, policy, self.actor).token)

    def sync(self) -> None:
        """A listing in which some prices have changed and some models are gone; those gone before are back."""
        self.prices |= {
            one: f"0.00000{self.chance.randint(1000, 1999)}" for one in self.chance.sample(self.ids, DEARER)
        }
        gone = {*self.chance.sample(self.ids, GONE)} if AIModel.objects.exists() else set()
        answer = feed([record(one, prompt=price) for one, price in self.prices.items() if one not in gone])
        outcome = sync.sync(self.provider, path=saved(self.folder, answer))
        assert outcome.state == "ok", outcome

    def hour(self, server: Server) -> None:
        self.sync()
        for one in self.chance.sample(self.ids, EDITS):
            row, name = AIModel.objects.get(model_id=one), f"By hand {self.chance.random()}"
            entries.edit(row, {"name": name, "priority": self.chance.randint(0, 9)}, self.author)
            answer = self.expect(self.everything, server, f"/api/models/{quote(one)}", {200})
            if json.loads(answer.body or b"{}").get("name") != name:
                self.broken.append(f"{one} was read with the name before its edit")
        rows = AIModel.objects.filter(model_id__in=self.chance.sample(self.ids, 10))
        bulk.switch(rows, "recommended", self.chance.random() < 0.5, self.author)
        self.keys_come_and_go(server)
        for _ in range(READS):
            kind = self.chance.random()
            path = (
                self.chance.choice(LISTS if kind < 0.2 else PAGES)
                if kind < 0.5
                else f"/v1/models/{quote(self.chance.choice(self.ids))}"
            )
            reader = self.chance.choice([*self.readers, *self.readers, self.limited])
            may = reader.may | ({404} if path.startswith("/v1/models/") else set())
            self.expect(reader, server, path, may)
        self.expect(self.everything, server, UNKNOWN, {404})

    def expect(self, reader: Reader, server: Server, path: str, may: Any) -> Answer:
        answer = reader.asks(server, path, self.chance) if 304 in may else reader.read(server, path)
        self.statuses[answer.status] += 1
        if answer.status not in may:
            self.broken.append(f"{path}: {answer.status} {answer.body[:200]!r}")
        return answer

    def keys_come_and_go(self, server: Server) -> None:
        sent = {"Authorization": f"Bearer {self.everything.token}", "Content_Type": "application/json"}
        for number in range(KEYS):
            body = json.dumps({"name": "short", "allowed_models": [f"author{number}/*"]})
            made = server.request("POST", "/api/keys", body, **sent)
            self.statuses[made.status] += 1
            key = json.loads(made.body)
            reader = Reader(key["key"])
            self.expect(reader, server, "/v1/models", {200})
            ended = server.request("DELETE", f"/api/keys/{key['id']}", **sent)
            self.statuses[ended.status] += 1
            if (made.status, ended.status) != (201, 204):
                self.broken.append(f"a key was made and revoked with {made.status} and {ended.status}")
            self.expect(reader, server, "/v1/models", {401})

    def compare(self, server: Server, environment: dict[str, str]) -> None:
        """With a process that has kept nothing."""
        paths = [*LISTS, *PAGES, UNKNOWN, *(f"/v1/models/{quote(one)}" for one in self.chance.sample(self.ids, 20))]
        with running(self.folder / "fresh.log", ROOT, **environment) as fresh:
            for path in paths:
                for number, reader in enumerate(self.readers):
                    old, new = reader.read(server, path), reader.read(fresh, path)
                    if (old.status, old.headers["ETag"], told(old)) != (new.status, new.headers["ETag"], told(new)):
                        self.broken.append(f"{path}, key {number}: not as a fresh process answers")


def told(answer: Answer) -> bytes:
    """The body, less the id of a refusal's request."""
    return answer.body.replace((answer.headers["X-Request-Id"] or "-").encode(), b"")


def rows() -> dict[str, int]:
    counted = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608 - the table is ours.
            counted[table] = cursor.fetchone()[0]
    return counted


def lived(asked: argparse.Namespace) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="modeldex-days-") as name, ExitStack() as ending:
        folder = Path(name)
        days = Days(folder, asked.seed, asked.models)
        environment = WORKER | {"DATABASE_URL": os.environ["DATABASE_URL"]}
        server = ending.enter_context(running(folder / "server.log", ROOT, **environment))
        worker, memory, took, before, began = workers(server), [], [], rows(), time.monotonic()
        checked = {-(-asked.hours * quarter // 4) for quarter in (1, 2, 3, 4)}
        hour = 0
        while hour < asked.hours and time.monotonic() - began < asked.seconds:
            hour += 1
            started = time.monotonic()
            days.hour(server)
            took.append(time.monotonic() - started)
            held, cached = megabytes(server), kept(server)
            memory.append(held - cached)
            now = rows()
            grown = ", ".join(
                f"{table} {now[table]:,} (+{now[table] - before[table]:,})"
                for table in now
                if now[table] != before[table]
            )
            print(f"hour {hour}: {took[-1]:.1f} s, {held:.0f} MB, {cached:.0f} of it cached; {grown}", flush=True)
            before = now
            if hour in checked:
                days.compare(server, environment)
        if hour not in checked:
            days.compare(server, environment)
        if workers(server) != worker:
            days.broken.append("the worker was replaced")
    print("rows: " + ", ".join(f"{table} {count:,}" for table, count in before.items() if count))
    print(f"{hour} hours, {statistics.median(took):.1f} s each; answers: {dict(sorted(days.statuses.items()))}")
    return days.broken + grown_memory(memory)


def grown_memory(memory: list[float]) -> list[str]:
    """The first quarter is for warming up. Of few hours nothing can be said."""
    quarter = len(memory) // 4
    if quarter < 2:
        return []
    second, last = statistics.median(memory[quarter : 2 * quarter]), statistics.median(memory[-quarter:])
    print(f"memory less caches: {second:.0f} MB in the second quarter, {last:.0f} in the last ({last / second:.3f})")
    return [f"memory grew from {second:.0f} MB to {last:.0f} MB"] if last > GROWTH * second else []


def main() -> None:
    # A terminated drill leaves through the context managers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--models", type=int, default=5276)
    parser.add_argument("--seconds", type=float, default=86_400, help="after which no hour begins")
    parser.add_argument("--seed", type=int, default=1)
    broken = lived(parser.parse_args())
    for sentence in broken[:20]:
        print(f"Broken: {sentence}")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
