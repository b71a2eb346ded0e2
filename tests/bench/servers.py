"""
Web servers beside one another, on this application: answers a second and their delays with slow pages among them,
memory, and the slowest answer of others while 200 hostile clients of each kind (tests/hostile.py) are there.

    python -m tests.bench.servers [--servers shipped,gthread,gevent] [--seconds 3] [--rounds 3] [--hostile 5]

Starts PostgreSQL and each server in turn, with one worker unless --workers says otherwise. Servers other than the one
that is shipped need packages that the product does not: give a Python that has them with --python.
"""

from __future__ import annotations

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
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.bench.reads import ROOT, Connection
from tests.databases import _free_port, postgresql
from tests.hostile import KINDS, allow_many_sockets, crowd

GUNICORN = ["-m", "gunicorn", "config.wsgi", "--log-level", "error", "-b", "127.0.0.1:{port}", "-w"]
GRANIAN = [
    "-m",
    "granian",
    "--no-ws",
    "--http",
    "1",
    "--backlog",
    "4096",
    "--backpressure",
    "4096",
    "--log-level",
    "error",
]
SERVERS = {
    "shipped": ["-m", "config.serving"],
    "gthread": [*GUNICORN, "{workers}", "--threads", "{threads}"],
    "gevent": [*GUNICORN, "{workers}", "-k", "gevent", "--worker-connections", "4096"],
    "wsgi": [
        *GRANIAN, "--port", "{port}", "--workers", "{workers}", "--interface", "wsgi", "--blocking-threads", "{threads}",
        "--http1-header-read-timeout", "10000", "config.wsgi:application",
    ],
}  # fmt: skip


@contextmanager
def running_server(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    """The process id of the server, once it answers."""
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", int(environment["PORT"])), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline or server.poll() is not None:
                    raise SystemExit(f"{command} did not start") from None
                time.sleep(0.1)
        yield server.pid
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def delays(port: int, path: str, headers: str, seconds: float, connections: int) -> list[float]:
    """Of each answer, in milliseconds."""
    found: list[float] = []
    end = time.monotonic() + seconds

    def ask() -> None:
        connection = Connection(port, path, headers)
        while time.monotonic() < end:
            began = time.perf_counter()
            connection.get()
            found.append((time.perf_counter() - began) * 1000)

    threads = [threading.Thread(target=ask) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@contextmanager
def slow_pages(port: int, cookie: str, connections: int) -> Iterator[None]:
    """Staff who read the admin's list of models all the while."""
    stopped = threading.Event()

    def read() -> None:
        connection = Connection(port, "/admin/catalog/aimodel/", f"Cookie: sessionid={cookie}\r\n")
        while not stopped.is_set():
            connection.get()

    threads = [threading.Thread(target=read) for _ in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def memory(pid: int) -> float:
    """Megabytes of the server's processes, what they share counted once."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    texts = []
    for each in [str(pid), *children]:
        # One that has died since it was listed counts for nothing.
        with suppress(OSError):
            texts.append(Path(f"/proc/{each}/smaps_rollup").read_text())
    return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("Pss:")) / 1000


def work(pid: int) -> float:
    """Seconds of the processors that the server's processes have used so far."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in children]
    return sum(int(of[11]) + int(of[12]) for of in fields) / os.sysconf("SC_CLK_TCK")


def slowest(port: int, headers: str, seconds: float) -> float:
    """Of the answers to new connections, in seconds; `seconds` for one that did not come."""
    worst = 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in ("/healthz", "/v1/models"):
            began = time.monotonic()
            try:
                Connection(port, path, headers, timeout=seconds).get()
            except (OSError, RecursionError):
                return seconds
            worst = max(worst, time.monotonic() - began)
        time.sleep(0.1)
    return worst


def measure_speed(name: str, pid: int, port: int, headers: str, cookie: str, rounds: int, seconds: float) -> None:
    print(f"{name}: {memory(pid):.0f} MB when started")
    for connections, pages in ((1, 0), (16, 0), (64, 0), (16, 2)):
        began = work(pid)
        with slow_pages(port, cookie, pages):
            found = [delays(port, "/v1/models", headers, seconds, connections) for _ in range(rounds)]
        each = (work(pid) - began) / sum(map(len, found)) * 1e6
        rate = statistics.median(len(times) / seconds for times in found)
        quantiles = [statistics.quantiles(times, n=100, method="inclusive") for times in found]
        middle, late = (statistics.median(of[at] for of in quantiles) for at in (49, 98))
        beside = f" beside {pages} readers of the admin" if pages else f", {each:.0f} us of processor each"
        print(
            f"{name}: {connections} connections: {rate:.0f}/s, p50 {middle:.1f} ms, p99 {late:.1f} ms{beside}",
            flush=True,
        )
    print(f"{name}: {memory(pid):.0f} MB after that")


def measure(name: str, command: list[str], environment: dict[str, str], key: str, cookie: str, chosen) -> None:
    port = int(environment["PORT"])
    headers = f"Authorization: Bearer {key}\r\n"

    @contextmanager
    def ready() -> Iterator[int]:
        with running_server(command, environment) as pid:
            for path in ("/v1/models", "/api/models", "/accounts/login", "/healthz") * 8:
                Connection(port, path, headers).get()
            yield pid

    if chosen.seconds:
        with ready() as pid:
            measure_speed(name, pid, port, headers, cookie, chosen.rounds, chosen.seconds)
    for kind, means in KINDS.items() if chosen.hostile else ():
        if chosen.kind in kind:
            # A server of its own for each: some do not recover.
            with ready() as pid, crowd(port, means):
                took = slowest(port, headers, chosen.hostile)
                print(f"{name}: {means.count} {kind}: slowest {took:.2f} s, {memory(pid):.0f} MB", flush=True)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--servers", default="shipped")
    options.add_argument("--python", default=sys.executable)
    options.add_argument("--kind", default="", help="part of the names of the hostile kinds to try")
    for name, default in (("models", 400), ("rounds", 3), ("workers", 1), ("threads", 4)):
        options.add_argument(f"--{name}", type=int, default=default)
    options.add_argument("--seconds", type=float, default=3, help="of each round; 0 for hostile clients alone")
    options.add_argument("--hostile", type=float, default=5, help="seconds of each kind; 0 for none")
    chosen = options.parse_args()
    allow_many_sockets()
    with postgresql() as url, tempfile.TemporaryDirectory(prefix="modeldex-bench-") as data:
        environment = {
            **os.environ,
            "MODELDEX_ENV": "development",
            "DATABASE_URL": url,
            "DATA_DIR": data,
            "ENV_FILE": os.devnull,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LOG_LEVEL": "ERROR",
            "WEB_WORKERS": str(chosen.workers),
            "WEB_THREADS": str(chosen.threads),
        }

        def run(*arguments: str) -> str:
            command = [sys.executable, *arguments]
            return subprocess.run(
                command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
            ).stdout.strip()

        run("manage.py", "migrate", "--verbosity", "0")
        key = run("-m", "tests.bench.fill", str(chosen.models)).split()[0]
        cookie = run("manage.py", "shell", "--verbosity", "0", "-c", SESSION)
        for name in chosen.servers.split(","):
            port = str(_free_port())
            words = {"port": port, "workers": chosen.workers, "threads": chosen.threads}
            command = [chosen.python, *(part.format(**words) for part in SERVERS[name])]
            measure(name, command, environment | {"PORT": port}, key, cookie, chosen)


SESSION = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import get_user_model
staff = get_user_model().objects.create_superuser("staff")
session = import_module(settings.SESSION_ENGINE).SessionStore()
session.update({
    "_auth_user_id": str(staff.pk), "_auth_user_hash": staff.get_session_auth_hash(),
    "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
})
session.create()
print(session.session_key)
"""

if __name__ == "__main__":
    main()
