"""The product as it is run: the web server with our settings, in processes of its own, on the test's database.

A test that writes for such a server needs `@pytest.mark.django_db(transaction=True)`: the server sees what is
committed.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Server:
    """A running server: where it listens, and the file that its log goes to."""

    port: int
    log: Path
    process: subprocess.Popen

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(self, method: str, path: str, body: Any = None, timeout: float = 15, **headers: str) -> Answer:
        """One request on a connection of its own; `X_Request_Id="a"` is a header's name as Python allows it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def raw(self, data: bytes, timeout: float = 15) -> bytes:
        """What comes back, until the server closes, for bytes that no client would send."""
        with self.connect(timeout) as connection:
            connection.sendall(data)
            received = b""
            with suppress(ConnectionResetError):
                while part := connection.recv(65536):
                    received += part
        return received

    def connect(self, timeout: float = 15) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def logged(self, text: str, least: int = 1) -> list[str]:
        """The lines of the log that hold this text; waits a moment for so many."""
        deadline = time.monotonic() + 3
        while True:
            lines = [line for line in self.log.read_text(errors="replace").splitlines() if text in line]
            if len(lines) >= least or time.monotonic() > deadline:
                return lines
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(log: Path, project_dir: Path, **environment: str) -> Iterator[Server]:
    """Starts the server as the Makefile does, waits until it answers, and ends it."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "config.serving"],
            cwd=project_dir,
            env=os.environ | {"PORT": str(port), "WEB_WORKERS": "1"} | environment,
            stdout=output,
            stderr=output,
            # One group, so that its workers end with it.
            start_new_session=True,
        )
    server = Server(port, log, process)
    try:
        _wait(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.process.poll() is None:
        with suppress(OSError):
            if server.request("GET", "/healthz").status == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"The server did not start:\n{server.log.read_text(errors='replace')}")


@pytest.fixture(scope="session")
def server(database_url: str, project_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests that need no other settings."""
    log = tmp_path_factory.mktemp("server") / "log"
    with running(log, project_dir, DATABASE_URL=database_url, DATABASE_POOL_MAX_SIZE="4", ACCESS_LOG="1") as started:
        yield started


@pytest.fixture
def own_database(database_url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'own.sqlite3'}"
        return
    name = f"own_{os.getpid()}"
    with psycopg.connect(database_url, autocommit=True) as maintenance:
        maintenance.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        maintenance.execute(f"CREATE DATABASE {name}")
        yield f"{database_url.rpartition('/')[0]}/{name}"
        maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")


def manage(project_dir: Path, *words: str, **environment: str) -> subprocess.Popen:
    """A command of ours in a process of its own, its output in one pipe."""
    return subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=project_dir,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def managed(project_dir: Path, *words: str, **environment: str) -> str:
    """What such a command prints. Raises SystemExit with it where the command fails."""
    command = manage(project_dir, *words, **environment)
    output = command.communicate()[0]
    if command.returncode:
        raise SystemExit(f"{words[0]} failed:\n{output}")
    return output
