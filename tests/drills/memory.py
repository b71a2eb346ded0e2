"""
What a worker holds in memory, and a drill: it does not grow over many requests of many kinds, each unlike the one before.

    python -m tests.drills.memory [--requests 250000] [--models 5276] [--databases sqlite,postgresql] [--seed 1]

Prints the worker's memory after each fifth of the requests. Fails where it has, less what the bounded caches hold, a
tenth more at the end than after the first fifth, where an answer is not as it should be, or the worker is replaced.
"""

from __future__ import annotations

import argparse
import http.client
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import tests.environment  # noqa: F401 - the settings of the tests
from tests.drills.fuzz import database
from tests.servers import Server, managed, running

ROOT = Path(__file__).parents[2]
TOKEN = "of the drill alone"
# As a server is run (config/deploy), and so that what is freed is not kept by an arena of each thread.
WORKER = {"DATABASE_POOL_MAX_SIZE": "4", "MALLOC_ARENA_MAX": "2", "METRICS_TOKEN": TOKEN}
# What the memory at the end may be of that after the first part.
GROWTH, PARTS, CLIENTS = 1.1, 5, 4
Kind = Callable[[random.Random, int, list[str]], tuple[str, dict[str, str], int]]
WORDS = ("model", "author", "long", "tools", "none", "vision")


def workers(server: Server) -> str:
    """The processes that the server has started; nothing where it has ended."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return children.read_text() if server.process.poll() is None else ""


def megabytes(server: Server) -> float:
    """Of the worker, what it holds resident."""
    texts = [Path(f"/proc/{child}/status").read_text() for child in workers(server).split()]
    return max(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("VmRSS:")) / 1000


def kept(server: Server) -> float:
    """Megabytes of what the worker says that it keeps for answers, in caches that are bounded."""
    told = server.request("GET", "/metrics", Authorization=f"Bearer {TOKEN}").body.decode()
    values = re.findall(r"^modeldex_(?:kept|compressed|stored)_bytes\S* (\S+)$", told, re.MULTILINE)
    return sum(map(float, values)) / 1_000_000


# Answers of megabytes.
WHOLE = ("/v1/models", "/api/models", "/api/models?format=cli")


def whole(chance: random.Random, models: int, keys: list[str]) -> tuple[str, dict[str, str], int]:
    """One of the largest answers, as `asked` gives requests."""
    return chance.choice(WHOLE), {"Authorization": f"Bearer {chance.choice(keys)}"}, 200


def asked(chance: random.Random, models: int, keys: list[str]) -> tuple[str, dict[str, str], int]:
    """A path, its headers and the status that is due. Texts that make no sense differ each time."""
    number, odd = chance.randrange(models), chance.getrandbits(60)
    key = {"Authorization": f"Bearer {keys[odd % len(keys)]}"}
    every = {"Authorization": f"Bearer {keys[0]}"}
    word = chance.choice(WORDS)
    choices = (
        (40, f"/v1/models/author{number % 40}/model-{number}", every, 200),
        (15, f"/api/models/list?query={word}%20{odd}", key, 200),
        (10, f"/api/models/list?page_size=10&page={number // 10 + 1}&order_by={chance.choice(['name', 'price'])}", every, 200),
        (10, f"/v1/models/author/{odd}", key, 404),
        (10, "/v1/models", {"Authorization": f"Bearer {odd}"}, 401),
        (5, f"/nothing/{odd}", {}, 404),
        (4, "/api/models/tags", key, 200),
        (4, f"/api/models/list?unknown{odd}=1", key, 400),
        (1, chance.choice(WHOLE), key, 200),
        (1, chance.choice(WHOLE), key | {"Accept-Encoding": "gzip"}, 200),
    )  # fmt: skip
    _, path, headers, status = chance.choices(choices, [choice[0] for choice in choices])[0]
    return path, headers, status


class Client(threading.Thread):
    """Sends so many requests on one connection, and notes what was answered."""

    def __init__(
        self, server: Server, requests: int, seed: str, models: int, keys: list[str], kind: Kind = asked
    ) -> None:
        super().__init__(daemon=True)
        self.kind = kind
        self.server, self.requests, self.statuses = server, requests, Counter[int]()
        self.chance, self.models, self.keys = random.Random(seed), models, keys
        self.broken: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        for _ in range(self.requests):
            path, headers, due = self.kind(self.chance, self.models, self.keys)
            try:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                answer.read()
            except OSError as error:
                self.broken.append(f"{path}: {error!r}")
                return
            self.statuses[answer.status] += 1
            if answer.status != due:
                self.broken.append(f"{path}: {answer.status}, not {due}")
        connection.close()


def load(
    server: Server, requests: int, seed: str, models: int, keys: list[str], kind: Kind = asked
) -> Iterator[Client]:
    clients = [Client(server, requests // CLIENTS, f"{seed}:{n}", models, keys, kind) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
        yield client


def flat(name: str, wanted: argparse.Namespace) -> list[str]:
    broken: list[str] = []
    statuses: Counter[int] = Counter()
    with tempfile.TemporaryDirectory(prefix="modeldex-memory-") as home, database(name, Path(home)) as url:
        managed(ROOT, "migrate", "-v0", DATABASE_URL=url)
        fill = f"from tests.bench.fill import fill; print(*fill({wanted.models}))"
        keys = managed(ROOT, "shell", "-v0", "-c", fill, DATABASE_URL=url).split()
        with running(Path(home) / "log", ROOT, DATABASE_URL=url, **WORKER) as server:
            worker, memory = workers(server), []
            # The most that is ever held at once, first: else the heap grows whenever more large answers coincide.
            for client in load(server, 400, f"{wanted.seed}", wanted.models, keys, whole):
                broken += client.broken
            for part in range(PARTS):
                began = time.monotonic()
                for client in load(server, wanted.requests // PARTS, f"{wanted.seed}:{part}", wanted.models, keys):
                    statuses += client.statuses
                    broken += client.broken
                held, cached = megabytes(server), kept(server)
                memory.append(held - cached)
                print(
                    f"{name}: {statuses.total():,} requests, {held:.0f} MB, {cached:.0f} of it cached; "
                    f"{time.monotonic() - began:.0f} s",
                    flush=True,
                )
            if workers(server) != worker:
                broken.append("the worker was replaced")
    print(
        f"{name}: {dict(sorted(statuses.items()))}; memory less caches at the end {memory[-1] / memory[0]:.3f} of the first"
    )
    if memory[-1] > GROWTH * memory[0]:
        broken.append(f"memory grew from {memory[0]:.0f} MB to {memory[-1]:.0f} MB")
    return [f"{name}: {sentence}" for sentence in broken]


def main() -> None:
    # A terminated drill leaves through the context managers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=250_000)
    parser.add_argument("--models", type=int, default=5276)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    broken = [sentence for name in wanted.databases.split(",") for sentence in flat(name, wanted)]
    for sentence in broken[:20]:
        print(f"Broken: {sentence}")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
