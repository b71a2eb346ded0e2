"""config/databases/sqlite3/base.py: a thread's connection, kept from one request to the next."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.databases.patience import LOCK, impatient
from config.databases.sqlite3 import base

pytestmark = pytest.mark.django_db


def made(path: Path, word: str) -> Path:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE held AS SELECT ? AS word", [word])
    return path


@pytest.fixture
def kept(tmp_path, settings) -> Iterator[base.DatabaseWrapper]:
    database = {
        **{"NAME": str(made(tmp_path / "file", "old")), "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": False},
        **{"AUTOCOMMIT": True, "TIME_ZONE": None, "OPTIONS": {"timeout": 20}, "TEST": {}},
    }
    wrapper = base.DatabaseWrapper(database, "kept")
    yield wrapper
    wrapper.close()


def answered(wrapper: base.DatabaseWrapper, statement: str = "SELECT word FROM held") -> object:
    """As Django asks in a request."""
    wrapper.close_if_unusable_or_obsolete()
    with wrapper.cursor() as cursor:
        return cursor.execute(statement).fetchone()[0]


def test_the_next_request_has_the_same_connection(kept):
    assert answered(kept) == "old"
    before = kept.connection
    assert (answered(kept), kept.connection is before) == ("old", True)


def test_a_file_that_takes_the_place_of_another_is_read_from_the_next_request_on(kept, tmp_path):
    assert answered(kept) == "old"
    os.replace(made(tmp_path / "restored", "new"), tmp_path / "file")
    assert answered(kept) == "new"


def test_a_request_waits_less_for_the_write_lock_than_a_command_on_the_same_connection(kept):
    asked = "PRAGMA busy_timeout"
    with impatient():
        assert answered(kept, asked) == LOCK * 1000
    assert answered(kept, asked) == 20_000
