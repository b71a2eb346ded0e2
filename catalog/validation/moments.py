"""Moments that people write, read in one way wherever they stand: the API, forms and commands."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

# Python and Django would take weeks (2026-W05) and the digits of other scripts as well.
_CALENDAR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][ -~]+)?\Z")

_FORM = "Write a date as 2026-01-31, and a time after it as in 2026-01-31T18:00:00Z."


def calendar(text: str) -> str:
    """The text, if it begins as a date of the calendar does in ISO 8601. Raises ValueError."""
    if not _CALENDAR.match(text):
        raise ValueError(_FORM)
    return text


def storable(moment: datetime) -> datetime:
    """The moment in UTC; one without a zone is meant so. Raises ValueError outside of the years 1 to 9999 there.

    `9999-12-31T23:59:59-12:00` is a moment of the year 10000, which no database gives back.
    """
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("This is not within the years 1 to 9999.") from error


def end_of(day: date) -> datetime:
    """The last second of the day, UTC: up to when something holds that expires on it."""
    return datetime.combine(day, time(23, 59, 59), UTC)


def until(text: str) -> datetime:
    """The end that an ISO 8601 text names: a bare date is the end of that day. Raises ValueError."""
    moment = since(text)
    return moment if len(text) > len("2026-01-31") else end_of(moment.date())


def since(text: str) -> datetime:
    """The begin that an ISO 8601 text names: a bare date is the begin of that day, UTC. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(calendar(text))
    except ValueError:
        raise ValueError(_FORM) from None
    return storable(moment)
