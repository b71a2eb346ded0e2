"""
Answers a second of /v1/models with a key, beside a bare Django view of the same bytes and a plain DRF list of the same
models: PostgreSQL, one server as `make run` starts it, alternating rounds in one run. Exits 1 below the ratios asked.

    python -m tests.bench.reads [--models 400] [--rounds 5] [--seconds 2] [--connections 4]
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.databases import _free_port, postgresql

ROOT = Path(__file__).parent.parent.parent
# Of the bare view, and of the plain list.
ASKED = {"bare": 0.3, "plain": 15.0}


@contextmanager
def running_server(environment: dict[str, str], port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "config.serving"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
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
        yield
    finally:
        server.terminate()
        server.wait(30)


class Connection:
    """One kept-alive connection; as little of a client as can be, since it shares the processors with the server."""

    def __init__(self, port: int, path: str, headers: str = "", timeout: float = 30) -> None:
        self.timeout = timeout
        self.address = ("127.0.0.1", port)
        self.request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode()
        self.buffer = memoryview(bytearray(1 << 20))
        self.socket: socket.socket | None = None

    def get(self) -> int:
        """Sends the request, reads the whole answer and returns the length of its body."""
        try:
            if self.socket is None:
                self.socket = socket.create_connection(self.address, self.timeout)
            self.socket.sendall(self.request)
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
        head, _, rest = head.partition(b"\r\n\r\n")
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 304")):
            raise SystemExit(f"{self.request!r} got {head!r} {rest[:500]!r}")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[16:]) for line in lines if line.startswith(b"content-length:")), 0)
        left = length - len(rest)
        while left > 0:
            left -= self.socket.recv_into(self.buffer, min(left, len(self.buffer)))
        return length


def rate(port: int, path: str, headers: str, seconds: float, connections: int) -> float:
    """Answers a second."""
    counts = [0] * connections
    end = time.monotonic() + seconds

    def ask(n: int) -> None:
        connection = Connection(port, path, headers)
        while time.monotonic() < end:
            connection.get()
            counts[n] += 1

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(connections)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)


def main() -> int:
    options = argparse.ArgumentParser()
    for name, default in (("models", 400), ("rounds", 5), ("seconds", 2.0), ("connections", 4)):
        options.add_argument(f"--{name}", type=type(default), default=default)
    chosen = options.parse_args()
    with postgresql() as url, tempfile.TemporaryDirectory(prefix="modeldex-bench-") as data:
        port = _free_port()
        environment = {
            **os.environ,
            "MODELDEX_ENV": "development",
            "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
            "DATABASE_URL": url,
            "DATA_DIR": data,
            "ENV_FILE": os.devnull,
            "PORT": str(port),
            "LOG_LEVEL": "WARNING",
        }

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [sys.executable, *arguments], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
            return done.stdout.strip()

        run("manage.py", "migrate", "--verbosity", "0")
        key = run("-m", "tests.bench.fill", str(chosen.models))
        authorization = f"Authorization: Bearer {key}\r\n"
        asked = {
            "key": ("/v1/models", authorization),
            "bare": ("/bench/bare", ""),
            "plain": ("/bench/plain", ""),
            "lists": ("/api/models", authorization),
        }
        with running_server(environment, port):
            # Every process has met every route before anything is measured.
            for name in ("key", "bare", "plain", "lists"):
                for _ in range(16 if name == "key" else 4):
                    size = Connection(port, *asked[name]).get()
                print(f"{name:6} {asked[name][0]:12} {size:8} bytes")
            rates: dict[str, list[float]] = {name: [] for name in asked}
            for _ in range(chosen.rounds):
                for name, (path, headers) in asked.items():
                    rates[name].append(rate(port, path, headers, chosen.seconds, chosen.connections))
    failed = False
    for name, found in rates.items():
        print(f"{name:6} {statistics.median(found):8.0f} answers a second   {' '.join(f'{r:.0f}' for r in found)}")
    for name, least in ASKED.items():
        ratio = statistics.median(ours / other for ours, other in zip(rates["key"], rates[name], strict=True))
        failed |= ratio < least
        print(f"/v1/models with a key: {ratio:.2f} times {asked[name][0]} (asked: at least {least})")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
