"""A server process whose database goes away, and comes back."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.gate import Gate, gate_before
from tests.servers import Server, running

pytestmark = pytest.mark.django_db(transaction=True)

# A route that asks the database, for an anonymous caller.
PATH = "/api/models"


@pytest.fixture
def gate(database_url: str) -> Iterator[Gate]:
    with gate_before(database_url) as gate:
        yield gate


def asked(server: Server, path: str) -> tuple[int, dict, float]:
    began = time.monotonic()
    answer = server.request("GET", path)
    return answer.status, json.loads(answer.body), time.monotonic() - began


def warm(server: Server, keys: list[str]) -> None:
    """Each gets the answer that is stored for it."""
    for key in keys:
        for _ in range(3):
            assert server.request("GET", "/v1/models", Authorization=f"Bearer {key}").status == 200


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


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is a file")
@pytest.mark.parametrize("command", [b"BEGIN", b"COMMIT"])
def test_a_connection_that_ends_between_two_words_of_the_server_is_an_outage_too(
    database_url: str, gate: Gate, project_dir: Path, tmp_path: Path, make_user, make_key, command: bytes
):
    through = database_url.replace(f":{urlsplit(database_url).port}/", f":{gate.port}/")
    key = make_key(make_user("alice"), scopes=["preferences:write"])
    sent = {"Authorization": f"Bearer {key.token}", "Content_Type": "application/json"}
    with running(tmp_path / "log", project_dir, DATABASE_URL=through, DATABASE_POOL_MAX_SIZE="4") as server:
        statuses = []
        for theme, gate.ends_after in (("dark", b""), ("light", command), ("system", b"")):
            answer = server.request("PATCH", "/api/settings", json.dumps({"theme": theme}), **sent)
            statuses.append((answer.status, gate.ends_after))
        assert statuses == [(200, b""), (503, b""), (200, b"")]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is a file")
@pytest.mark.parametrize("how", ["gone", "hanging"])
@pytest.mark.parametrize("pool", ["4", "0"])
def test_metrics_say_soon_that_the_database_does_not_answer(
    database_url: str, gate: Gate, project_dir: Path, tmp_path: Path, pool: str, how: str
):
    through = database_url.replace(f":{urlsplit(database_url).port}/", f":{gate.port}/")
    settings = {"DATABASE_URL": through, "DATABASE_POOL_MAX_SIZE": pool, "METRICS_TOKEN": "a token of some length"}
    with running(tmp_path / "log", project_dir, **settings) as server:

        def told() -> tuple[bool, float]:
            began = time.monotonic()
            answer = server.request("GET", "/metrics", Authorization="Bearer a token of some length")
            assert answer.status == 200
            return b"\nmodeldex_database_up 1.0\n" in answer.body, time.monotonic() - began

        assert told()[0]
        gate.shut() if how == "gone" else gate.passing.clear()
        for _ in range(3):
            is_up, seconds = told()
            assert (is_up, seconds < 3) == (False, True)
        gate.open() if how == "gone" else gate.passing.set()
        deadline = time.monotonic() + 5
        while not told()[0] and time.monotonic() < deadline:
            time.sleep(0.1)
        assert told()[0]


def held(server: Server, keys: list[str], until: float) -> list[tuple[int, str | None, float]]:
    """Status, Retry-After and seconds of all answers that clients with these keys get until that moment."""

    def keep_asking(key: str) -> list[tuple[int, str | None, float]]:
        found = []
        while time.monotonic() < until:
            began = time.monotonic()
            answer = server.request("GET", "/v1/models", Authorization=f"Bearer {key}")
            found.append((answer.status, answer.headers["Retry-After"], time.monotonic() - began))
            time.sleep(0.05)
        return found

    with ThreadPoolExecutor(len(keys)) as pool:
        return [one for many in pool.map(keep_asking, keys) for one in many]


@pytest.mark.alone
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is a file, and cannot hang")
@pytest.mark.parametrize("pool", ["4", "0"])
def test_a_database_that_hangs_holds_nobody_and_is_used_again_when_it_goes_on(
    database_url: str, gate: Gate, project_dir: Path, tmp_path: Path, make_user, make_key, pool: str
):
    keys = [make_key(make_user(f"u{number}"), per_minute=100_000).token for number in range(20)]
    url = urlsplit(database_url)
    through = database_url.replace(f":{url.port}/", f":{gate.port}/")
    with running(tmp_path / "log", project_dir, DATABASE_URL=through, DATABASE_POOL_MAX_SIZE=pool) as server:
        assert asked(server, PATH)[0] == 200
        warm(server, keys)
        gate.passing.clear()
        with ThreadPoolExecutor(1) as clients:
            answers = clients.submit(held, server, keys, time.monotonic() + 6)
            time.sleep(0.3)
            ready, alive = asked(server, "/readyz"), asked(server, "/healthz")
            time.sleep(2)
            # All threads have met the silence once: now nobody waits for it.
            later = [asked(server, "/healthz")[2] for _ in range(5)]
        assert {(status, wait) for status, wait, _ in answers.result()} == {(503, "2")}
        assert max(seconds for _, _, seconds in answers.result()) < 3
        assert (ready[0], ready[1]["checks"]["database"], ready[2] < 3) == (503, "does not answer", True)
        assert (alive[0], alive[2] < 3, max(later) < 0.5) == (200, True, True)
        gate.passing.set()
        went_on = time.monotonic()
        while asked(server, "/readyz")[0] != 200 and time.monotonic() < went_on + 5:
            time.sleep(0.05)
        assert time.monotonic() - went_on < 2
        assert asked(server, PATH)[0] == 200


@pytest.mark.alone
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks the whole file: see the test below")
def test_a_locked_row_holds_a_request_for_2_seconds_and_no_connection_of_the_server(
    database_url: str, project_dir: Path, tmp_path: Path, make_user, make_key
):
    key = make_key(make_user("alice"), per_minute=100_000)
    with (
        running(tmp_path / "log", project_dir, DATABASE_URL=database_url, DATABASE_POOL_MAX_SIZE="4") as server,
        psycopg.connect(database_url) as other,
    ):
        warm(server, [key.token])
        other.execute("SELECT * FROM apikeys_requestcount FOR UPDATE")
        answers = held(server, [key.token], time.monotonic() + 3)
        assert {status for status, *_ in answers} == {503}
        # Once, though its answer was stored.
        assert max(seconds for *_, seconds in answers) < 3
        # Others are served meanwhile, and what waited was cancelled.
        assert asked(server, PATH)[2] < 1
        waiting = "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        assert other.execute(waiting).fetchall() == []
        other.rollback()
        assert server.request("GET", "/v1/models", Authorization=f"Bearer {key.token}").status == 200


@pytest.mark.alone
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks the whole file: see the test below")
def test_a_table_of_keys_that_is_locked_holds_a_request_once_and_nobody_else(
    database_url: str, project_dir: Path, tmp_path: Path, make_user, make_key
):
    keys = [make_key(make_user(f"u{number}")).token for number in range(20)]
    with (
        running(tmp_path / "log", project_dir, DATABASE_URL=database_url, DATABASE_POOL_MAX_SIZE="8") as server,
        psycopg.connect(database_url) as other,
        ThreadPoolExecutor(1) as clients,
    ):
        warm(server, keys)
        other.execute("LOCK TABLE apikeys_apikey IN ACCESS EXCLUSIVE MODE")
        answers = clients.submit(held, server, keys, time.monotonic() + 5)
        # While others are answered it is no outage.
        anonymous = [asked(server, PATH)[2] for _ in range(50) if not time.sleep(0.08)]
        assert {status for status, *_ in answers.result()} == {503}
        assert max(seconds for *_, seconds in answers.result()) < 3
        assert max(anonymous) < 1
        other.rollback()
        assert server.request("GET", "/v1/models", Authorization=f"Bearer {keys[0]}").status == 200


@pytest.mark.alone
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL locks rows: see the test above")
def test_a_write_lock_that_another_process_keeps_holds_nobody(
    database_url: str, project_dir: Path, tmp_path: Path, make_user, make_key
):
    keys = [make_key(make_user(f"u{number}"), per_minute=100_000).token for number in range(20)]
    with (
        running(tmp_path / "log", project_dir, DATABASE_URL=database_url) as server,
        closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)) as other,
    ):
        warm(server, keys)
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as clients:
            answers = clients.submit(held, server, keys, time.monotonic() + 4)
            time.sleep(2)
            alive = [asked(server, "/healthz")[2] for _ in range(5)]
            ready = asked(server, "/readyz")
        assert {status for status, *_ in answers.result()} == {503}
        assert {wait for _, wait, _ in answers.result()} == {"2"}
        assert max(seconds for *_, seconds in answers.result()) < 3
        assert max(alive) < 0.5
        assert (ready[0], ready[1]["checks"]["database"]) == (503, "is locked by another process")
        other.execute("ROLLBACK")
        assert server.request("GET", "/v1/models", Authorization=f"Bearer {keys[0]}").status == 200


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
    # One of the refusal and one of the access.
    lines = server.logged("watched", least=2)
    assert ["Not Found" in line for line in lines].count(True) == 1
    assert ['" 404 ' in line for line in lines].count(True) == 1
    assert server.log.read_text(errors="replace").count("SECRET") == 0
    assert not [line for line in server.log.read_text().splitlines() if line.startswith("2026-01-01 INFO admin")]


def _resident(server: Server) -> int:
    """Bytes of all processes of the server."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    pages = [Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in [server.process.pid, *children]]
    return sum(map(int, pages)) * 4096


def test_what_the_database_can_do_is_not_asked_where_a_lock_would_be_taken_for_a_no(db):
    with CaptureQueriesContext(connection) as asked:
        assert type(connection.features)(connection).supports_json_field
    assert len(asked) == 0
