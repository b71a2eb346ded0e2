"""What it means to a caller that the database refused a statement: nothing of theirs, but trouble that passes."""

import os
from typing import Any

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, ProgrammingError
from psycopg import errors

# Seconds until a caller may try again.
RETRY_AFTER = 2

GONE = "The database does not answer. Try again shortly."
READ_ONLY = "The database takes no writes now, so nothing was changed. Try again later."
UNPREPARED = "A table or column is missing: the database is being restored, or `manage.py migrate` is due."
BROKEN = "The database file is damaged. Restore it from a backup."
POOLER = (
    "A pooler in transaction mode stands before the database and was not recognised: "
    "set DISABLE_SERVER_SIDE_CURSORS=true."
)
STARTUP = (
    "The pooler before the database refuses a parameter of ours: "
    "name it in ignore_startup_parameters of pgbouncer.ini, or take it out of DATABASE_URL."
)

_CAUSES: tuple[tuple[Any, str], ...] = (
    (errors.ReadOnlySqlTransaction, READ_ONLY),
    ((errors.UndefinedTable, errors.UndefinedColumn), UNPREPARED),
    ((errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement, errors.InvalidCursorName), POOLER),
)
# As SQLite says that the file is no database of its own, or no longer one.
_BROKEN = ("file is not a database", "database disk image is malformed")
# SQLite, and a pooler that refuses a connection, have no classes for these.
_WORDS = (
    ("readonly database", READ_ONLY),
    ("no such table", UNPREPARED),
    ("no such column", UNPREPARED),
    ("unsupported startup parameter", STARTUP),
)


def trouble(error: BaseException | None) -> str | None:
    """The sentence for an answer of 503, or None where `error` does not say that the database is in trouble."""
    if isinstance(error, DatabaseError) and any(words in str(error) for words in _BROKEN):
        return BROKEN
    if not isinstance(error, OperationalError | InterfaceError | InternalError | ProgrammingError):
        return None
    for cause, sentence in _CAUSES:
        if isinstance(error.__cause__, cause):
            return sentence
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    return next((sentence for words, sentence in _WORDS if words in str(error)), GONE)


def takes_writes(connection: Any) -> bool:
    """Whether the database may be written to: it is no standby, and nobody has made it read-only."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SHOW transaction_read_only")
            return cursor.fetchone()[0] == "off"
        cursor.execute("PRAGMA query_only")
        refused = cursor.fetchone()[0]
    return not refused and (connection.is_in_memory_db() or os.access(connection.settings_dict["NAME"], os.W_OK))
