"""When a key or an export token was last used: a convenience that must never cost a request."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from apikeys.models import ApiKey, ExportToken

EVERY = timedelta(minutes=1)
# Seconds for which a process notes nothing after it could not.
PAUSE = 1.0
# Where the table itself is locked, as by a migration, PostgreSQL would wait. In one message with the statement it holds
# for that alone.
_BRIEFLY = "SET LOCAL lock_timeout = '20ms'; "
# Django asks for a transaction around a lock. One statement needs none, and so no BEGIN and COMMIT of a request.
_NOTE = (
    "UPDATE {table} SET last_used_at = %s WHERE id IN (SELECT id FROM {table}"
    " WHERE id = %s AND (last_used_at IS NULL OR last_used_at <= %s){lock})"
)

logger = logging.getLogger(__name__)

_rests_until = 0.0


def note(key: ApiKey | ExportToken) -> None:
    """Writes `last_used_at` at most once a minute. Where the row or the database is locked or read-only: not now."""
    global _rests_until
    now = timezone.now()
    if time.monotonic() < _rests_until or (key.last_used_at is not None and now - key.last_used_at < EVERY):
        return
    # Somebody is changing the key: they are not waited for. Others' foreign keys to it do not count.
    lock = " FOR NO KEY UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    briefly = _BRIEFLY if connection.vendor == "postgresql" and not connection.in_atomic_block else ""
    moments = [connection.ops.adapt_datetimefield_value(moment) for moment in (now, now - EVERY)]
    try:
        with _without_waiting(), connection.cursor() as cursor:
            cursor.execute(
                briefly + _NOTE.format(table=key._meta.db_table, lock=lock), [moments[0], key.pk, moments[1]]
            )
    except DatabaseError as error:
        _rests_until = time.monotonic() + PAUSE
        logger.info("last_used_at of %s %s was not written: %s", key._meta.verbose_name, key.pk, type(error).__name__)


@contextmanager
def _without_waiting() -> Iterator[None]:
    """A refused write must not spoil a transaction around it, nor wait for SQLite's lock."""
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    driver = connection.connection
    (timeout,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout = {int(timeout)}")
