"""When a key was last used: a convenience that must never cost a request."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from apikeys.models import ApiKey

EVERY = timedelta(minutes=1)

logger = logging.getLogger(__name__)


def note(key: ApiKey) -> None:
    """Writes `last_used_at` at most once a minute. Where the row or the database is locked or read-only: not now."""
    now = timezone.now()
    if key.last_used_at is not None and now - key.last_used_at < EVERY:
        return
    due = ApiKey.objects.filter(Q(last_used_at=None) | Q(last_used_at__lte=now - EVERY), pk=key.pk)
    if connection.features.has_select_for_update_skip_locked:
        # Somebody is changing the key: they are not waited for. Others' foreign keys to it do not count.
        due = ApiKey.objects.filter(pk__in=due.select_for_update(skip_locked=True, no_key=True).order_by().values("pk"))
    try:
        with _without_waiting():
            due.update(last_used_at=now)
    except DatabaseError as error:
        logger.info("last_used_at of key %s was not written: %s", key.key_id, type(error).__name__)


@contextmanager
def _without_waiting() -> Iterator[None]:
    """A refused write must not spoil a transaction around it, nor wait for SQLite's lock."""
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    if connection.vendor != "sqlite":
        # A row is only locked inside a transaction.
        with transaction.atomic():
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
