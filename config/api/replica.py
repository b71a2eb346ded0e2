"""A copy of the database for some reads, by Django's router. It is asked for nothing but what `read` is given."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError

from config.databases import patience

logger = logging.getLogger("modeldex.database")

T = TypeVar("T")

ALIAS = "replica"
# Seconds for which a replica that did not answer is not asked again.
PAUSE = 5.0

_using: ContextVar[str] = ContextVar("database of reads", default=DEFAULT_DB_ALIAS)
_rests_until = 0.0


class ReplicaRouter:
    """Named by the settings where there is a replica."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return _using.get()

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool | None:
        return True if {one._state.db, other._state.db} <= {DEFAULT_DB_ALIAS, ALIAS, None} else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if db == ALIAS else None


def read(is_current: Callable[[], bool], make: Callable[[], T]) -> T:
    """What `make` reads: of the replica, where there is one and `is_current` finds there what the answer depends on."""
    global _rests_until
    if ALIAS in settings.DATABASES and time.monotonic() >= _rests_until:
        try:
            # Its silence says nothing about the primary, whose answer is still waited for after it.
            with patience.impatient(), _on_replica():
                if is_current():
                    return make()
        except DatabaseError as error:
            _rests_until = time.monotonic() + PAUSE
            logger.warning("The replica is not asked for %.0f seconds: %s", PAUSE, type(error).__name__)
    return make()


@contextmanager
def _on_replica() -> Iterator[None]:
    token = _using.set(ALIAS)
    try:
        yield
    finally:
        _using.reset(token)
