"""config/databases/sqlite3/base.py: a thread's connection, kept from one request to the next."""

import os
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from django.db import OperationalError

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
        **{
            "AUTOCOMMIT": True,
            "TIME_ZONE": None,
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
            "TEST": {},
        },
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


def test_the_threads_of_a_process_write_in_turn_however_many_wait(kept):
    def write(number: int) -> None:
        with closing(base.DatabaseWrapper(kept.settings_dict, f"writer {number}")) as writer, impatient():
            writer.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
            writer.cursor().execute("INSERT INTO held VALUES (%s)", [number])
            # The last waits longer than SQLite lets a request wait.
            time.sleep(LOCK / 5)
            writer.commit()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, range(8))) == [None] * 8
    assert answered(kept, "SELECT count(*) FROM held") == 9


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_a_turn_ends_with_its_transaction_and_with_a_begin_that_fails(kept, end):
    turn = base._turns[kept.settings_dict["NAME"]]
    kept.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    assert turn.locked()
    getattr(kept, end)()
    assert not turn.locked()
    with closing(sqlite3.connect(kept.settings_dict["NAME"])) as other, impatient():
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"):
            kept.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    assert not turn.locked()
