"""config/api/database.py: a database that answers and takes no writes."""

from __future__ import annotations

import logging
import sqlite3

import psycopg
import pytest
from django.db import DatabaseError, OperationalError, ProgrammingError, connection
from django.test import Client

from config.api import database

pytestmark = pytest.mark.django_db(transaction=True)

READS = [
    "/api/models",
    "/api/models?format=cli",
    "/api/models/list",
    "/api/models/acme/large",
    "/v1/models",
    "/api/settings",
]


@pytest.fixture
def read_only(db):
    """`read_only()`: from now on this connection's database refuses writes."""
    on, off = {
        "postgresql": ("SET default_transaction_read_only = on", "SET default_transaction_read_only = off"),
        "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
    }[connection.vendor]

    def execute(statement):
        with connection.cursor() as cursor:
            cursor.execute(statement)

    yield lambda: execute(on)
    execute(off)


@pytest.fixture
def caller(api, alice, make_model, make_key):
    make_model("mine", owner=alice, base_model=make_model("acme/large"))
    return api.with_key(make_key(alice, scopes=["models:read", "preferences:write", "custom_models:write"]).token)


@pytest.mark.parametrize("path", READS)
def test_reads_without_a_limit_go_on(caller, read_only, path):
    before = caller.get(path)
    read_only()
    after = caller.get(path)
    assert (after.status_code, after.content) == (200, before.content)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("patch", "/api/models", {"model_id": "acme/large", "is_enabled": False}),
        ("patch", "/api/settings", {"theme": "dark"}),
        ("post", "/api/models/custom", {"id": "new-one", "name": "New", "base_model_id": "acme/large"}),
        ("patch", "/api/models/custom/mine", {"name": "Another"}),
        ("delete", "/api/models/custom/mine", None),
    ],
)
def test_a_write_is_503_and_says_when_to_try_again(caller, read_only, method, path, body):
    read_only()
    answer = getattr(caller, method)(path, body)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.json()["message"] == database.READ_ONLY
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(("path", "envelope"), [("/v1/models", "error"), ("/api/models", "code")])
def test_a_key_with_a_limit_is_not_let_through_uncounted(api, alice, make_key, read_only, path, envelope):
    caller = api.with_key(make_key(alice, per_minute=5).token)
    read_only()
    answer = caller.get(path)
    assert answer.status_code == 503
    assert envelope in answer.json()
    assert int(answer.headers["Retry-After"]) > 0


def test_readiness_says_which(api, read_only):
    assert api.get("/readyz").status_code == 200
    read_only()
    answer = api.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"database": "takes no writes", "migrations": "ok"})
    assert api.get("/healthz").status_code == 200


def test_a_form_of_the_admin_is_a_page_of_503(ops, make_model, read_only):
    browser = Client(raise_request_exception=False)
    browser.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    read_only()
    assert browser.get("/admin/catalog/tag/").status_code == 200
    answer = browser.post("/admin/catalog/tag/add/", {"name": "fast"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize(
    ("error", "cause", "sentence"),
    [
        (ProgrammingError, psycopg.errors.DuplicatePreparedStatement(), database.POOLER),
        (OperationalError, psycopg.errors.InvalidSqlStatementName(), database.POOLER),
        (OperationalError, psycopg.errors.InvalidCursorName(), database.POOLER),
        (OperationalError, psycopg.OperationalError("unsupported startup parameter: options"), database.STARTUP),
        (ProgrammingError, psycopg.errors.UndefinedTable(), database.UNPREPARED),
        (OperationalError, psycopg.OperationalError("connection refused"), database.GONE),
        (DatabaseError, sqlite3.DatabaseError("file is not a database"), database.BROKEN),
    ],
)
def test_what_an_operator_can_change_is_named(api, make_model, monkeypatch, caplog, error, cause, sentence):
    def refuse(*_):
        raise error(str(cause)) from cause

    monkeypatch.setattr("catalog.api.base.caller_of", refuse)
    with caplog.at_level(logging.CRITICAL):
        answer = api.get("/api/models")
    assert (answer.status_code, answer.json()["message"]) == (503, sentence)


@pytest.mark.parametrize(
    "error", [ProgrammingError("syntax error"), DatabaseError("?"), ValueError("readonly database")]
)
def test_a_mistake_of_ours_is_no_trouble_of_the_databases(error):
    assert database.trouble(error) is None
