"""
What reads cost: answers a second, latencies and CPU of the worker, beside a bare Django view of as many bytes under the
same server and middleware, and a plain DRF list. One worker as `make run` starts it, alternating rounds in one run.

    python -m tests.bench.reads [--models 421,5276,20000] [--databases postgresql,sqlite] [--rounds 3] [--seconds 2]
        [--connections 16]
"""

import argparse
import itertools
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from tests.databases import _free_port, postgresql

PLAIN = "a plain DRF list"
ROOT = Path(__file__).parent.parent.parent
# Below which an answer is asked for 16 times at once; a whole list of 20,000 models takes seconds.
LARGEST = 20_000_000
NUMBERS = itertools.count()
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def running_server(environment: dict[str, str], port: int, tree: Path = ROOT) -> Iterator[int]:
    """Yields the process id of its one worker."""
    command = [sys.executable, "-m", "config.serving"]
    server = subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline or server.poll() is not None:
                    raise SystemExit("The server did not start.") from None
                time.sleep(0.1)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        yield max(map(int, children), key=lambda pid: memory_of(pid))
    finally:
        server.terminate()
        server.wait(30)


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_of(pid: int) -> int:
    """Megabytes that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0)


class Connection:
    """One kept-alive connection; as little of a client as can be, since it shares the processors with the server."""

    def __init__(self, port: int, path: str, headers: str = "", timeout: float = 30) -> None:
        self.timeout = timeout
        self.address = ("127.0.0.1", port)
        self.request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode()
        # "{n}" in it is a number that no request before had, and "{search}" one of 400 words, never with as many blanks.
        self.is_numbered = b"{" in self.request
        self.buffer = memoryview(bytearray(1 << 20))
        self.socket: socket.socket | None = None
        self.head = b""

    def get(self) -> int:
        """Sends the request, reads the whole answer and returns the length of its body."""
        try:
            if self.socket is None:
                self.socket = socket.create_connection(self.address, self.timeout)
            request = self.request
            if self.is_numbered:
                n = next(NUMBERS)
                search = b"model-%d" % (n % 400) + b"+" * (n // 400 % 180)
                request = request.replace(b"{n}", b"%d" % n).replace(b"{search}", search)
            self.socket.sendall(request)
            head = b""
            while b"\r\n\r\n" not in head:
                got = self.socket.recv(65536)
                if not got:
                    raise ConnectionResetError
                head += got
        except ConnectionError:
            # The server ends a connection now and then; that is no answer.
            self.socket = None
            return self.get()
        self.head, _, rest = head.partition(b"\r\n\r\n")
        if not self.head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 304")):
            raise SystemExit(f"{self.request!r} got {self.head!r} {rest[:500]!r}")
        lines = self.head.lower().split(b"\r\n")
        length = next((int(line[16:]) for line in lines if line.startswith(b"content-length:")), 0)
        left = length - len(rest)
        while left > 0:
            got = self.socket.recv_into(self.buffer, min(left, len(self.buffer)))
            if not got:
                raise SystemExit(f"{self.request!r} was cut off {left} bytes before its end")
            left -= got
        return length

    def header(self, name: str) -> str:
        """A header of the last answer."""
        for line in self.head.decode().split("\r\n"):
            if line.lower().startswith(f"{name.lower()}: "):
                return line.partition(": ")[2]
        raise SystemExit(f"{self.request!r} got no {name}")


def latencies(port: int, path: str, headers: list[str], seconds: float, connections: int) -> list[float]:
    """The seconds that each answer took. The connections take these headers in turns."""
    found: list[list[float]] = [[] for _ in range(connections)]
    end = time.monotonic() + seconds

    def ask(mine: list[float], own: str) -> None:
        connection = Connection(port, path, own)
        while (began := time.monotonic()) < end:
            connection.get()
            mine.append(time.monotonic() - began)

    threads = [threading.Thread(target=ask, args=pair) for pair in zip(found, itertools.cycle(headers), strict=False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [latency for mine in found for latency in mine]


class Case:
    """One request, or the bare view that stands beside it, and what its rounds came to."""

    def __init__(self, path: str, *headers: str) -> None:
        self.path, self.headers = path, list(headers) or [""]
        self.rates: list[float] = []
        self.cpu: list[float] = []
        self.latencies: list[float] = []

    def round(self, port: int, pid: int, seconds: float, connections: int) -> None:
        before, began = cpu_of(pid), time.monotonic()
        found = latencies(port, self.path, self.headers, seconds, connections)
        self.rates.append(len(found) / (time.monotonic() - began))
        self.cpu.append((cpu_of(pid) - before) / len(found))
        self.latencies += found

    def row(self, name: str, bare: "Case | None") -> str:
        self.latencies.sort()
        p50, p99 = (self.latencies[int(len(self.latencies) * part)] * 1000 for part in (0.5, 0.99))
        rate, spread = statistics.median(self.rates), max(self.rates) - min(self.rates)
        ratio = f"{statistics.median(a / b for a, b in zip(self.rates, bare.rates, strict=True)):.2f}" if bare else ""
        cpu = statistics.median(self.cpu) * 1e6
        return f"| {name} | {rate:.0f} | {spread / 2:.0f} | {ratio} | {cpu:.0f} | {p50:.1f} | {p99:.1f} |"


def main() -> int:
    options = argparse.ArgumentParser()
    for name, default in (("rounds", 3), ("seconds", 2.0), ("connections", 16)):
        options.add_argument(f"--{name}", type=type(default), default=default)
    options.add_argument("--models", default="421,5276,20000", help="numbers, with a comma between")
    options.add_argument("--databases", default="postgresql,sqlite")
    chosen = options.parse_args()
    for database in chosen.databases.split(","):
        for models in map(int, chosen.models.split(",")):
            server: Any = postgresql() if database == "postgresql" else nullcontext("")
            with server as url, tempfile.TemporaryDirectory(prefix="modeldex-bench-") as data:
                measure(chosen, database, models, url, data)
    return 0


def environment(url: str, data: str, port: int) -> dict[str, str]:
    """That of the server and of what fills its database."""
    return {
        "MODELDEX_ENV": "development",
        "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
        "DATABASE_URL": url,
        "DATA_DIR": data,
        "ENV_FILE": os.devnull,
        "PORT": str(port),
        "WEB_WORKERS": "1",
        "LOG_LEVEL": "WARNING",
    }


def measure(chosen: Any, database: str, models: int, url: str, data: str) -> None:
    port = _free_port()
    settings = {**os.environ, **environment(url, data, port)}

    def run(*arguments: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=settings, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.split()

    run("manage.py", "migrate", "--verbosity", "0")
    every, narrow, limited, *others = run("-m", "tests.bench.fill", str(models))
    with running_server(settings, port) as pid:
        cases, bares = cases_of(port, every, narrow, limited, others)
        # It takes seconds an answer where there are more.
        if models > 1_000:
            cases.pop(PLAIN, None)
        print(
            f"\n{models} models, {database}, {chosen.connections} connections, one worker; "
            f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n"
        )
        for _ in range(chosen.rounds):
            for name, case in cases.items():
                case.round(port, pid, chosen.seconds, chosen.connections)
                if name in bares:
                    bares[name].round(port, pid, chosen.seconds, chosen.connections)
        print(
            "| request | a second | +- | of the bare view | CPU us | p50 ms | p99 ms |\n|---|---|---|---|---|---|---|"
        )
        for name, case in cases.items():
            print(case.row(name, bares.get(name)))
            if name in bares:
                print(bares[name].row("- bare view", None))
        print(f"\nThe worker holds {memory_of(pid)} MB.", flush=True)


def cases_of(
    port: int, every: str, narrow: str, limited: str, others: list[str]
) -> tuple[dict[str, Case], dict[str, Case]]:
    """Each request, warm, and the bare view of as many bytes beside it."""

    def key(token: str) -> str:
        return f"Authorization: Bearer {token}\r\n"

    one = "/v1/models/author1%2Fmodel-1"
    first = Connection(port, "/v1/models", key(every))
    first.get()
    cases = {
        "`/v1/models/{id}`, a key of 50": Case(one, key(narrow)),
        "the same with 16 keys": Case(one, *map(key, others)),
        "the same as if never asked before": Case(one, key(narrow) + "X-Number: {n}\r\n"),
        "`/v1/models`, 304": Case("/v1/models", f"{key(every)}If-None-Match: {first.header('ETag')}\r\n"),
        "`/v1/models`, all": Case("/v1/models", key(every)),
        "`/v1/models`, all, gzip": Case("/v1/models", f"{key(every)}Accept-Encoding: gzip\r\n"),
        "`/v1/models`, a key of 50": Case("/v1/models", key(narrow)),
        "`/v1/models/{id}`, a key with limits": Case(one, key(limited)),
        "`/api/models`": Case("/api/models", key(every)),
        "`/api/models?format=cli`": Case("/api/models?format=cli", key(every)),
        "`/api/models/list`, asked before": Case("/api/models/list", key(every)),
        "`/api/models/list`, a search never asked before": Case("/api/models/list?query={search}", key(every)),
        PLAIN: Case("/bench/plain"),
    }
    bares = {}
    for name, case in list(cases.items()):
        connections = [Connection(port, case.path, headers) for headers in case.headers]
        # Every thread of the worker has met every route before anything is measured.
        size = [connection.get() for _, connection in zip(range(16), itertools.cycle(connections), strict=False)][-1]
        if size > LARGEST:
            del cases[name]
        elif name != PLAIN:
            bares[name] = Case(f"/bench/bare?size={size}")
    return cases, bares


if __name__ == "__main__":
    sys.exit(main())
