"""One process at a time sets a database up: two that create the same tables at once fail, or make things twice."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# The word as a number, for PostgreSQL's locks.
_KEY = int.from_bytes(b"modeldex", "big")


@contextmanager
def alone(connection: Any) -> Iterator[None]:
    """Waits until no other process is within this block for the same database. A process that dies holds nobody up."""
    if connection.vendor == "postgresql":
        with _advisory_lock(connection):
            yield
    elif connection.is_in_memory_db():
        yield
    else:
        with _locked_folder(Path(connection.settings_dict["NAME"]).resolve().parent):
            yield


@contextmanager
def _advisory_lock(connection: Any) -> Iterator[None]:
    # On a connection of its own, in a transaction: a pooler in transaction mode keeps no lock of a session.
    own = connection.copy("set-up")
    own.settings_dict["OPTIONS"].pop("pool", None)
    try:
        own.set_autocommit(False)
        with own.cursor() as cursor:
            # Whoever waits here waits for minutes of migrations, whatever limits there are for requests.
            for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute(f"SET LOCAL {limit} = 0")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_KEY])
        yield
    finally:
        own.close()


@contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    # The folder and not the file: SQLite has locks of its own on that.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
