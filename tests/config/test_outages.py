"""A server process whose database goes away, and comes back."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from tests.servers import Server, running

pytestmark = pytest.mark.django_db(transaction=True)

# A route that asks the database, for an anonymous caller.
PATH = "/api/models"


class Gate:
    """A TCP proxy to PostgreSQL that can be shut: nothing listens then, and what was connected is cut."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.pairs: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def shut(self) -> None:
        # Closing alone would leave the thread in accept().
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connected in self.pairs:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
            connected.close()
        self.pairs = []

    def open(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self.target)
                self.pairs += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def gate(database_url: str) -> Iterator[Gate]:
    url = urlsplit(database_url)
    gate = Gate((url.hostname or "", url.port or 0))
    yield gate
    gate.shut()


def asked(server: Server, path: str) -> tuple[int, dict, float]:
    began = time.monotonic()
    answer = server.request("GET", path)
    return answer.status, json.loads(answer.body), time.monotonic() - began


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is a file: see the test below")
@pytest.mark.parametrize("pool", ["4", "0"])
def test_without_its_database_it_says_so_soon_and_it_recovers_by_itself(
    database_url: str, gate: Gate, project_dir: Path, tmp_path: Path, pool: str
):
    url = urlsplit(database_url)
    through = database_url.replace(f":{url.port}/", f":{gate.port}/")
    with running(tmp_path / "log", project_dir, DATABASE_URL=through, DATABASE_POOL_MAX_SIZE=pool) as server:
        assert asked(server, PATH)[0] == 200
        gate.shut()
        for _ in range(3):
            status, body, seconds = asked(server, PATH)
            assert (status, body["code"], len(body["request_id"])) == (503, "unavailable", 32)
            assert seconds < 3
        page = server.request("GET", "/")
        assert (page.status, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
        assert asked(server, "/healthz")[0] == 200
        status, body, seconds = asked(server, "/readyz")
        assert (status, body["status"], seconds < 3) == (503, "unavailable", True)
        gate.open()
        deadline = time.monotonic() + 5
        while asked(server, "/readyz")[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert asked(server, PATH)[0] == 200


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL is a server: see the test above")
def test_a_file_that_cannot_be_opened_is_an_outage_too(project_dir: Path, tmp_path: Path):
    folder = tmp_path / "gone"
    folder.mkdir()
    url = f"sqlite:///{folder / 'catalog.sqlite3'}"
    with running(tmp_path / "log", project_dir, DATABASE_URL=url) as server:
        shutil.rmtree(folder)
        status, body, seconds = asked(server, PATH)
        assert (status, body["code"], seconds < 3) == (503, "unavailable", True)
        assert asked(server, "/healthz")[0] == 200
        assert asked(server, "/readyz")[0] == 503


def test_a_body_beyond_the_limit_costs_no_memory(server: Server):
    before = _resident(server)
    with closing(server.connect()) as connected:
        connected.sendall(
            b"PATCH /api/models HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer x\r\nContent-Length: 30000000\r\n\r\n"
        )
        with suppress(OSError):
            for _ in range(300):
                connected.sendall(b"x" * 100_000)
    assert _resident(server) - before < 20_000_000


def test_the_log_is_one_line_a_record_and_masks_what_is_secret(server: Server):
    server.raw(
        b"GET /api/nowhere%0d%0a2026-01-01%20INFO%20admin?api_key=mdx_SECRET HTTP/1.1\r\nHost: localhost\r\n"
        b"X-Request-Id: watched\r\nConnection: close\r\n\r\n"
    )
    lines = server.logged("watched")
    assert ["Not Found" in line for line in lines].count(True) == 1
    assert ['" 404 ' in line for line in lines].count(True) == 1
    assert server.log.read_text(errors="replace").count("SECRET") == 0
    assert not [line for line in server.log.read_text().splitlines() if line.startswith("2026-01-01 INFO admin")]


def _resident(server: Server) -> int:
    """Bytes of all processes of the server."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    pages = [Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in [server.process.pid, *children]]
    return sum(map(int, pages)) * 4096
