"""Django's SQLite, whose write lock holds no request for long: another process may keep it for half a minute.

A thread keeps its connection from one request to the next: opening one takes longer than most requests.
"""

import os
import sqlite3
import threading
import time
from collections import defaultdict
from typing import Any

from django.conf import settings
from django.db.backends.sqlite3 import base, features

from config.databases import patience

# Of each file, the turn to write: SQLite has those who wait try again and again, so of many some never get the lock.
_turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


class Cursor(base.SQLiteCursorWrapper):
    def execute(self, query: str, params: Any = None) -> Any:
        began = time.monotonic()
        try:
            return super().execute(query, params)
        except sqlite3.OperationalError as error:
            if patience.current() is not None and (error.sqlite_errorcode or 0) & 0xFF == sqlite3.SQLITE_BUSY:
                patience.note_locked(time.monotonic() - began)
            raise


class Features(features.DatabaseFeatures):
    # Every SQLite that Django takes has JSON. Django asks by a transaction that writes, and remembers a lock as a no.
    supports_json_field = True


class DatabaseWrapper(base.DatabaseWrapper):
    features_class = Features
    # Which file is open, and whose patience the connection has: that of a request, or none of a command.
    _file: tuple[int, int] | None = None
    _patience: patience.Patience | None = None
    _has_turn = False

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self._file, self._patience = self._file_now(), None
        return super().get_new_connection(conn_params)

    def close_if_unusable_or_obsolete(self) -> None:
        """At each end of a request. A file that was put in the place of the one that is open is opened instead."""
        super().close_if_unusable_or_obsolete()
        if self.connection is not None and not self.in_atomic_block and self._file_now() != self._file:
            self.close()

    def _file_now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.settings_dict["NAME"])
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def create_cursor(self, name: str | None = None) -> Any:
        current = patience.current()
        if current is not self._patience:
            seconds = patience.lock_seconds() if current else self._timeout
            self.connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
            self._patience = current
        return self.connection.cursor(factory=Cursor)

    @property
    def _timeout(self) -> float:
        """Seconds that commands and syncs wait for the lock."""
        return self.settings_dict["OPTIONS"].get("timeout", 5)

    def _start_transaction_under_autocommit(self) -> None:
        """The threads of a process take turns. Who does not get theirs in time asks for the lock all the same."""
        if patience.current() is None:
            seconds = self._timeout
        else:
            seconds = patience.LOCK_AGAIN if patience.is_locked() else settings.DATABASE_REQUEST_TIMEOUT
        self._has_turn = _turns[self.settings_dict["NAME"]].acquire(timeout=seconds)
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # the stubs lack it
        except BaseException:
            self._end_turn()
            raise

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            _turns[self.settings_dict["NAME"]].release()

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]  # the stubs lack it
        self._end_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]  # the stubs lack it
        finally:
            self._end_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]  # the stubs lack it
        finally:
            self._end_turn()
