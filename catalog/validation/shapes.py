"""The shapes that code relies on in JSON columns, tested on each read: what lacks one was written past every check.

Cheaper than the validators of catalog/validation/values.py, which say in words what is wrong with a value that is
written.
"""

from __future__ import annotations

import re
from typing import Any

_AMOUNT = re.compile(r"-?[0-9]{1,80}(?:\.[0-9]{1,80})?\Z")


def words(value: list[Any]) -> bool:
    return all(isinstance(word, str) for word in value)


def levels(value: list[Any]) -> bool:
    return all(
        isinstance(level, dict)
        and isinstance(level.get("effort"), str)
        and isinstance(level.get("description", ""), str)
        for level in value
    )


def parameters(value: dict[str, Any]) -> bool:
    names = value.get("names", [])
    return isinstance(names, list) and words(names) and isinstance(value.get("default", {}), dict)


def prices(value: Any) -> bool:
    """Amounts as decimal text, and under `overrides` a list of such with their conditions."""
    if not isinstance(value, dict):
        return False
    overrides = value.get("overrides", [])
    return (
        all(_is_amount(part) for name, part in value.items() if name != "overrides")
        and isinstance(overrides, list)
        and all(
            isinstance(entry, dict) and all(_is_amount(part) for part in entry.values() if isinstance(part, str))
            for entry in overrides
        )
    )


def sources(value: dict[str, Any]) -> bool:
    """What a source says of each field: `{"value": ..., "source": ..., ...}`."""
    return all(isinstance(told, dict) and "value" in told for told in value.values())


def _is_amount(part: Any) -> bool:
    return isinstance(part, str) and _AMOUNT.match(part) is not None
