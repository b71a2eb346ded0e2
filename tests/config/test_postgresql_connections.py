"""config/databases/postgresql: connections of the pool, and a server that ends them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from config.databases import patience
from config.databases.postgresql import base
from tests.servers import running

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has a pool of its own"),
]


@pytest.fixture
def pooled() -> Iterator[Any]:
    """A connection of a pool of four to the test's database, as a thread of a server has it."""
    settings = connection.settings_dict
    options = {**settings["OPTIONS"], "pool": {"min_size": 4, "max_size": 4, "timeout": 2}}
    database = base.DatabaseWrapper({**settings, "OPTIONS": options, "CONN_MAX_AGE": 0}, "pooled")
    database.pool.open(wait=True)
    yield database
    database.close()
    database.close_pool()


@pytest.fixture
def asked(monkeypatch) -> list[Any]:
    """The connections whose server was asked whether they work."""
    found: list[Any] = []
    execute = psycopg.Connection.execute
    monkeypatch.setattr(
        base.Connection, "execute", lambda self, *args, **options: (found.append(self), execute(self, *args))[1]
    )
    return found


def read(database: Any, statement: str = "SELECT pg_backend_pid()") -> Any:
    with database.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def end_all() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


@pytest.mark.parametrize(("unchecked", "times"), [(15.0, 0), (-1.0, 4)])
def test_a_connection_is_kept_and_its_server_asked_only_where_it_was_idle_for_long(
    pooled, asked, monkeypatch, unchecked, times
):
    def next_one():
        found = read(pooled)
        pooled.close()
        return found

    known = {next_one() for _ in range(4)}
    asked.clear()
    monkeypatch.setattr(base, "UNCHECKED", unchecked)
    assert {next_one() for _ in range(4)} == known
    assert len(asked) == times


def next_request(database: Any) -> None:
    """As Django's signals between two requests."""
    database.close_if_unusable_or_obsolete()


def free_in(database: Any) -> int:
    return database.pool.get_stats()["pool_available"]


def test_a_thread_that_keeps_its_connection_does_so_for_a_minute(pooled, asked, monkeypatch):
    pooled.keep_between_requests(3)
    known = read(pooled)
    asked.clear()
    next_request(pooled)
    assert (read(pooled), free_in(pooled), len(asked)) == (known, 3, 0)
    monkeypatch.setattr(base, "UNCHECKED", -1.0)
    next_request(pooled)
    assert (read(pooled), len(asked)) == (known, 1)
    pooled.close_at = 0
    next_request(pooled)
    assert free_in(pooled) == 4


def test_no_thread_keeps_what_another_one_would_lack(pooled):
    pooled.keep_between_requests(4)
    read(pooled)
    next_request(pooled)
    assert free_in(pooled) == 4


@pytest.mark.parametrize("statement", ["SELECT pg_backend_pid()", "UPDATE catalog_catalogversion SET number = 7"])
def test_a_kept_one_that_ended_between_two_requests_is_replaced(pooled, statement):
    pooled.keep_between_requests(3)
    lost = read(pooled)
    next_request(pooled)
    end_all()
    read(pooled, statement)
    assert read(pooled) != lost


def test_a_kept_one_is_not_asked_while_the_server_is_silent(pooled, monkeypatch):
    pooled.keep_between_requests(3)
    read(pooled)
    next_request(pooled)
    monkeypatch.setattr(patience._outage, "is_silent", True)
    with patience.impatient(), pytest.raises(OperationalError, match="does not answer"):
        read(pooled)
    assert free_in(pooled) == 4


def test_after_an_error_a_kept_one_goes_on_where_it_works(pooled, asked):
    pooled.keep_between_requests(3)
    known = read(pooled)
    with pytest.raises(OperationalError):
        read(pooled, "DO $$ BEGIN RAISE 'no' USING ERRCODE = '57014'; END $$")
    asked.clear()
    next_request(pooled)
    assert (read(pooled), len(asked)) == (known, 1)


@pytest.mark.alone
@pytest.mark.parametrize("statement", ["SELECT 1", "UPDATE catalog_catalogversion SET number = number + 1"])
def test_one_that_ended_while_nobody_used_it_costs_no_request_and_no_pause(pooled, statement):
    for _ in range(4):
        read(pooled)
        pooled.close()
    end_all()
    began = time.monotonic()
    read(pooled, statement)
    assert time.monotonic() - began < 0.5


def test_one_that_ends_before_the_first_statement_is_replaced_where_that_only_reads(pooled):
    lost = read(pooled)
    pooled.close()
    pooled.ensure_connection()
    end_all()
    assert read(pooled) != lost


@pytest.mark.parametrize("before", [read, lambda database: database.set_autocommit(False)], ids=["read", "begun"])
def test_nothing_is_run_again_for_a_request_that_has_done_something(pooled, before: Callable[[Any], Any]):
    pooled.ensure_connection()
    before(pooled)
    end_all()
    with pytest.raises(OperationalError):
        read(pooled)


def test_a_statement_that_writes_is_not_run_again(pooled):
    pooled.ensure_connection()
    end_all()
    with pytest.raises(OperationalError):
        read(pooled, "UPDATE catalog_catalogversion SET number = number + 1")


@pytest.mark.alone
def test_after_the_server_has_ended_every_connection_all_requests_are_answered_at_once(
    database_url: str, project_dir: Path, tmp_path: Path, make_user, make_model, make_key
):
    make_model("acme/x")
    key = make_key(make_user("alice")).token
    with running(tmp_path / "log", project_dir, DATABASE_URL=database_url) as server:

        def ask(_: int) -> tuple[int, bool]:
            began = time.monotonic()
            answer = server.request("GET", "/v1/models/acme%2Fx", Authorization=f"Bearer {key}")
            return answer.status, time.monotonic() - began < 0.8

        with ThreadPoolExecutor(16) as callers:
            for _ in range(4):
                assert {status for status, _ in callers.map(ask, range(100))} == {200}
                end_all()
                assert set(callers.map(ask, range(100))) == {(200, True)}


@pytest.mark.django_db
def test_a_connection_keeps_the_plans_of_forty_statements(pooled):
    for number in range(60):
        with pooled.planned_cursor() as cursor:
            cursor.execute(f"SELECT {number}")
            assert cursor.fetchone() == (number,)
    assert read(pooled, "SELECT count(*) FROM pg_prepared_statements") == 40


def test_a_list_with_anything_in_it_is_sent_as_it_is():
    texts = ["", "null", 'a "b" \\ c', '\\"', "{a,b}", "ä\u2003 ", '{"x": "\\\\"y\\\\""}', "a\nb\tc"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text[], unnest(%s::text[])", [texts, texts])
        rows = cursor.fetchall()
    assert [*rows[0][0]] == texts == [text for _, text in rows]
