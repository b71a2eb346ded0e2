"""Credentials of ours that an upstream sends back, wherever it puts them: taken out before anything is stored."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

MASK = "***"
# Shorter ones, sent where a server asks for none ("ollama", "none"), are no secret, and words of its models.
_SHORTEST = 8


def may_hold(data: bytes, secret: str) -> bool:
    """Whether JSON of these bytes can contain the secret, as it is, in escapes or as a number."""
    is_there = secret.lower().encode() in data.lower() or _number(secret) is not None
    return is_there or any(mark in data for mark in (b"%", b"\\u", b"\\/", b'\\"', b"\\\\"))


@lru_cache(maxsize=4)
def _forms(secret: str) -> re.Pattern[str]:
    """The secret with any of its characters encoded as in an address, once or more; the case is a host name's."""

    def form(char: str) -> str:
        encoded = "".join(f"%(?:25)*{byte:02x}" for byte in char.encode())
        return f"(?:{re.escape(char)}|{encoded})"

    return re.compile("".join(map(form, secret)), re.IGNORECASE)


def _number(secret: str) -> Decimal | None:
    is_number = secret.isascii() and secret.isdigit() and len(secret.lstrip("0")) >= _SHORTEST
    return Decimal(secret) if is_number else None


def _masked(text: str, secret: str) -> str:
    if "%" not in text and secret.lower() not in text.lower():
        return text
    return _forms(secret).sub(MASK, text)


def masked(value: Any, secret: str) -> Any:
    """Parsed JSON with the secret replaced, in texts, in keys and as a number. Containers are changed as they are."""
    if len(secret) < _SHORTEST:
        return value
    if isinstance(value, str):
        return _masked(value, secret)
    number = _number(secret)
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            for key in [key for key in item if _masked(key, secret) != key]:
                item[_masked(key, secret)] = item.pop(key)
            places: Any = item.items()
        elif isinstance(item, list):
            places = enumerate(item)
        else:
            continue
        for place, inner in places:
            if isinstance(inner, str):
                if (shown := _masked(inner, secret)) != inner:
                    item[place] = shown
            elif isinstance(inner, dict | list):
                todo.append(inner)
            elif number is not None and inner == number:
                item[place] = MASK
    return value
