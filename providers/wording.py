"""Stored values in words, for people."""

from __future__ import annotations

from decimal import Decimal
from typing import Any


def per_million(price: str | None) -> str:
    """USD per token as USD per million, for people."""
    if price is None:
        return "-"
    text = format((Decimal(price) * 1_000_000).normalize(), "f")
    return f"${text}"


def shown(value: Any) -> str:
    """A stored value in words: an object as `name: value`, nothing as "unknown"."""
    if value in (None, "", {}, []):
        return "unknown"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {part}" for name, part in value.items())
    return str(value)
