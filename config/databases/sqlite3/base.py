"""Django's SQLite, whose write lock holds no request for long: another process may keep it for half a minute."""

import sqlite3
import time
from typing import Any

from django.db.backends.sqlite3 import base, features

from config.databases import patience


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

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        # Each request has a connection of its own.
        if patience.current() is not None:
            connection.execute(f"PRAGMA busy_timeout = {int(patience.lock_seconds() * 1000)}")
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=Cursor)
