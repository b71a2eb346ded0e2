"""Request limits, exact across processes: counting is one atomic statement in the database."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import DatabaseError, connection, transaction

from apikeys.models import ApiKey, RequestCount
from catalog.db.prepared import first_row

LENGTHS = {"minute": 60, "day": 86_400}

_NO_LIMIT = 2**62
# PostgreSQL's clock.
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

# A window that has run out starts again with this request. A clock that was set back by more than a window's length
# ends it too, rather than keeping it for ever. Other differences are requests that waited for the row.
_OVER = "abs(excluded.{0}_started - held.{0}_started) >= {1}"
_SET = (
    "{0}_started = CASE WHEN {over} THEN excluded.{0}_started ELSE held.{0}_started END,"
    " {0}_count = CASE WHEN {over} THEN excluded.{0}_count ELSE held.{0}_count + excluded.{0}_count END"
)


def _statement() -> str:
    over = {period: _OVER.format(period, length * 1000) for period, length in LENGTHS.items()}
    columns = "minute_started, minute_count, day_started, day_count"
    return (
        f"INSERT INTO {RequestCount._meta.db_table} AS held (key_id, {columns})"  # noqa: S608 - no value is in it.
        " VALUES (%s, {now}, %s, {now}, %s) ON CONFLICT (key_id) DO UPDATE SET "
        + ", ".join(_SET.format(period, over=over[period]) for period in LENGTHS)
        # Where either window has no room, nothing is written and no row comes back: what is refused uses up nothing.
        + " WHERE "
        + " AND ".join(f"({over[period]} OR held.{period}_count + excluded.{period}_count <= %s)" for period in LENGTHS)
        + f" RETURNING {{now}}, {columns}"
    )


_COUNT = _statement()
_READ = f"SELECT {{now}}, minute_started, minute_count, day_started, day_count FROM {RequestCount._meta.db_table} WHERE key_id = %s"  # noqa: S608, E501


@dataclass(frozen=True, slots=True)
class Window:
    """One running window of a key: what it allows, what is used, and the seconds until it ends."""

    period: str
    limit: int
    used: int
    reset: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


class LimitsUnavailable(Exception):
    """Fails closed: a limit that cannot be counted lets nothing through."""

    def __init__(self) -> None:
        super().__init__("The requests of this key cannot be counted now. Try again shortly.")


class LimitReached(Exception):
    """One of the running `windows` of a key is full. `wait` is the number of seconds until none is."""

    def __init__(self, windows: list[Window]) -> None:
        full = [window for window in windows if not window.remaining] or windows
        most = " and ".join(f"{window.limit} requests a {window.period}" for window in full)
        super().__init__(f"This key may make no more than {most}.")
        self.windows = windows
        self.wait = max(window.reset for window in full)


def count(keys: list[ApiKey], times: int = 1) -> list[Window]:
    """Counts so many requests against the limits of all these keys, or none; returns their running windows.

    Raises LimitReached where one of them has no room, and LimitsUnavailable.
    """
    # Always in this order, so that no two requests wait for one another's rows.
    limited = sorted((key for key in keys if key.is_limited), key=lambda key: key.pk)
    try:
        if len(limited) > 1:
            with transaction.atomic():
                return [window for key in limited for window in _count(key, times)]
        return _count(limited[0], times) if limited else []
    except DatabaseError as error:
        raise LimitsUnavailable from error


def count_each(keys: list[ApiKey], times: int) -> list[list[Window]] | None:
    """Counts so many requests at once; returns the windows as each finds them. None where they have no room for all.

    Raises LimitsUnavailable.
    """
    # A first row, and a window that starts again, would take any number.
    if any(times > most for key in keys for most in (key.per_minute, key.per_day) if most is not None):
        return None
    try:
        windows = count(keys, times)
    except LimitReached:
        return None
    return [[replace(window, used=window.used - later) for window in windows] for later in reversed(range(times))]


def left(keys: Sequence[ApiKey]) -> dict[int, list[Window]]:
    """The windows of each of these keys as a page shows them, by the host's clock; counts nothing. One statement."""
    now = time.time_ns() // 1_000_000
    rows = {row.key_id: row for row in RequestCount.objects.filter(key__in=[key.pk for key in keys])}

    def running(started: int, used: int, period: str) -> tuple[int, int]:
        return (started, used) if abs(now - started) < LENGTHS[period] * 1000 else (now, 0)

    found = {}
    for key in keys:
        row = rows.get(key.pk) or RequestCount(minute_started=now, minute_count=0, day_started=now, day_count=0)
        minute = running(row.minute_started, row.minute_count, "minute")
        found[key.pk] = _windows(key, (now, *minute, *running(row.day_started, row.day_count, "day")))
    return found


def _count(key: ApiKey, times: int) -> list[Window]:
    most = [limit if limit is not None else _NO_LIMIT for limit in (key.per_minute, key.per_day)]
    row = _execute(_COUNT, [key.pk, times, times, *most])
    if row is not None:
        return _windows(key, row)
    row = _execute(_READ, [key.pk])
    if row is None:
        # Deleted this moment, with its key.
        raise LimitsUnavailable
    raise LimitReached(_windows(key, row))


def _execute(statement: str, parameters: list[Any]) -> Any:
    # SQLite's processes share one host, and so one clock.
    now = _NOW if connection.vendor == "postgresql" else str(time.time_ns() // 1_000_000)
    return first_row(connection, statement.format(now=now), parameters)


def _windows(key: ApiKey, row: Any) -> list[Window]:
    now, minute_started, minute_count, day_started, day_count = row
    counted = (
        ("minute", key.per_minute, minute_started, minute_count),
        ("day", key.per_day, day_started, day_count),
    )
    return [
        Window(period, limit, used, min(LENGTHS[period], max(1, LENGTHS[period] - math.floor((now - started) / 1000))))
        for period, limit, started, used in counted
        if limit is not None
    ]
