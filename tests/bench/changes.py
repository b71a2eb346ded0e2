"""
What a change costs those who read: the first answer after it, sixteen readers beside one change a second, the memory of
the worker, a sync that brings nothing new, and the start of a command; and a page of the list. On a database of its own.

    python -m tests.bench.changes [--models 421,5276,20000] [--seconds 20] [--databases postgresql]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.bench import reads
from tests.databases import _free_port, postgresql

EDITS = 20


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--models", default="421,5276,20000", help="numbers, with a comma between")
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--databases", default="postgresql")
    options.add_argument("--one", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one is not None:
        measure(chosen.one, chosen.seconds)
        return 0
    for database in chosen.databases.split(","):
        print(f"\n{database}, one worker; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
        print("| | models | measured |\n|---|---|---|", flush=True)
        for models in chosen.models.split(","):
            server: Any = postgresql() if database == "postgresql" else nullcontext("")
            with server as url, tempfile.TemporaryDirectory(prefix="modeldex-bench-") as data:
                environment = {**os.environ, **reads.environment(url, data, _free_port())}
                command = [sys.executable, "-m", "tests.bench.changes", "--one", models]
                subprocess.run(
                    [*command, "--seconds", str(chosen.seconds)], cwd=reads.ROOT, env=environment, check=True
                )
    return 0


def measure(models: int, seconds: float) -> None:
    """In a process that has the database of `main` as Django's."""
    import django

    django.setup()

    from django.core.management import call_command

    from tests.bench.fill import fill

    call_command("migrate", verbosity=0)
    key, narrow, *_ = fill(models)
    port = int(os.environ["PORT"])

    def tell(what: str, measured: str) -> None:
        print(f"| {what} | {models} | {measured} |", flush=True)

    with reads.running_server(dict(os.environ), port) as pid:
        one = reads.Connection(port, f"/v1/models/{quote('author1/model-1', safe='')}", _bearer(narrow))
        everything = reads.Connection(port, "/v1/models", f"{_bearer(key)}Accept-Encoding: gzip\r\n")
        for connection in (one, everything):
            for _ in range(16):
                connection.get()
        tell("CPU of a read before", f"{_cpu_of(pid, one.get, lambda: None) * 1000:.1f} ms")
        new_pages = (f"/api/models/list?page_size={size}" for size in range(20, 100))

        def new_page() -> None:
            reads.Connection(port, next(new_pages), _bearer(key)).get()

        for _ in range(5):
            new_page()
        tell("CPU of a page of the list never asked before", f"{_cpu_of(pid, new_page, lambda: None) * 1000:.1f} ms")
        for what, read in (("first read", one.get), ("first read of the whole list", everything.get)):
            tell(f"CPU of the {what} after a change", f"{_cpu_of(pid, read, Edits(models)) * 1000:.1f} ms")
            with Health(port) as health:
                _cpu_of(pid, read, Edits(models))
            tell("`/healthz` meanwhile, at most", f"{max(health.latencies) * 1000:.0f} ms")
        quiet, _ = _read(port, one, seconds, lambda: None)
        beside, p99 = _read(port, one, seconds, Edits(models))
        tell(
            "16 readers beside a change a second",
            f"{beside / quiet:.2f} of {quiet:.0f} answers a second, p99 {p99 * 1000:.0f} ms",
        )
        eight = [reads.Connection(port, "/v1/models", _bearer(key)) for _ in range(8)]
        for _ in range(5):
            threads = [threading.Thread(target=connection.get) for connection in eight]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        tell("memory of the worker, after 5 times the whole list 8 at once", f"{reads.memory_of(pid)} MB")
    for what, cpu in _commands(models):
        tell(what, f"{cpu:.2f} s of CPU")


def _bearer(token: str) -> str:
    return f"Authorization: Bearer {token}\r\n"


class Edits:
    """Each call is an edit by hand, of one model after another."""

    def __init__(self, models: int) -> None:
        self.models, self.number = models, 0

    def __call__(self) -> None:
        from django.contrib.auth import get_user_model

        from catalog.editing import entries
        from catalog.editing.history import Author
        from catalog.models import AIModel

        self.number += 1
        chosen = (self.number * 7) % self.models
        row = AIModel.objects.get(model_id=f"author{chosen % 40}/model-{chosen}")
        entries.edit(row, {"name": f"By hand {time.time()}"}, Author.person(get_user_model().objects.get()))


def _cpu_of(pid: int, read: Callable[[], object], before_each: Callable[[], None]) -> float:
    """Seconds of CPU that the worker takes for each of some reads."""
    taken = 0.0
    for _ in range(EDITS):
        before_each()
        time.sleep(0.05)
        began = _ran(pid)
        read()
        time.sleep(0.05)
        taken += _ran(pid) - began
    return taken / EDITS


def _ran(pid: int) -> float:
    """Seconds that the threads of a process have run, to the microsecond: `cpu_of` counts hundredths of a second."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


class Health(threading.Thread):
    """Asks /healthz all the time."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.connection, self.latencies, self.ends = reads.Connection(port, "/healthz"), [0.0], False

    def run(self) -> None:
        while not self.ends:
            began = time.monotonic()
            self.connection.get()
            self.latencies.append(time.monotonic() - began)
            time.sleep(0.01)

    def __enter__(self) -> Health:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends = True
        self.join()


def _read(port: int, like: reads.Connection, seconds: float, each_second: Callable[[], None]) -> tuple[float, float]:
    """Answers a second to sixteen connections, and the 99th percentile."""
    path, headers = like.request.split()[1].decode(), like.request.decode().partition("127.0.0.1\r\n")[2][:-2]
    found: list[float] = []
    reader = threading.Thread(target=lambda: found.extend(reads.latencies(port, path, [headers], seconds, 16)))
    reader.start()
    while reader.is_alive():
        each_second()
        reader.join(1)
    return len(found) / seconds, statistics.quantiles(found, n=100)[98]


def _commands(models: int) -> list[tuple[str, float]]:
    """The CPU of each: the start of a command, and a sync that brings what is there."""
    import orjson

    from providers.models import Provider

    Provider.objects.create(slug="bench", kind="compatible", name="Bench", base_url="https://bench.example/v1")
    listing = Path(os.environ["DATA_DIR"]) / "listing.json"
    listing.write_bytes(
        orjson.dumps({"data": [{"id": f"one-{number}", "object": "model"} for number in range(models)]})
    )
    sync = ("sync_catalog", "bench", "--from-file", str(listing))
    _cpu_of_command(*sync)
    start = statistics.median(_cpu_of_command("check_freshness", "--older-than", "3000d") for _ in range(3))
    again = statistics.median(_cpu_of_command(*sync) for _ in range(3))
    return [("start of a command", start), ("an unchanged sync after the start", again - start)]


def _cpu_of_command(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=reads.ROOT, check=False, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
