"""Moments that people write, read in one way wherever they stand: the API, forms and commands."""

from __future__ import annotations

from datetime import UTC, date, datetime, time


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
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return storable(datetime.fromisoformat(text))
    return end_of(day)
