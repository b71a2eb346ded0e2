"""A model's end, in headers that any client may read: RFC 9745, RFC 8594 and a link to what replaces the model."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from django.utils.http import http_date


def headers(deprecated_at: date | None, retires_at: date | None, successor: str) -> dict[str, str]:
    """What is known of it; `successor` is the address of what replaces it, or "". A day begins at midnight, UTC."""
    found = {}
    if deprecated_at is not None:
        found["Deprecation"] = f"@{_seconds(deprecated_at)}"
    if retires_at is not None:
        found["Sunset"] = http_date(_seconds(retires_at))
    if successor:
        found["Link"] = f'<{successor}>; rel="successor-version"'
    return found


def _seconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())
