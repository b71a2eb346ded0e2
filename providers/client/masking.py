"""Credentials of ours that an upstream sends back, wherever it puts them: taken out before anything is stored."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

MASK = "***"
# Shorter ones, sent where a server asks for none ("ollama", "none"), are no secret, and words of its models.
_SHORTEST = 8


def may_hold(data: bytes, secret: str) -> bool:
    """Whether JSON of these bytes can contain the secret, as it is or in escapes."""
    return secret.encode() in data or b"\\u" in data or b"\\/" in data


def masked(value: Any, secret: str) -> Any:
    """Parsed JSON with the secret replaced, in texts and in keys. Containers are changed as they are."""
    if len(secret) < _SHORTEST:
        return value
    if isinstance(value, str):
        return value.replace(secret, MASK).replace(quote(secret, safe=""), MASK)
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            for key in [key for key in item if secret in key]:
                item[key.replace(secret, MASK)] = item.pop(key)
            places: Any = item.items()
        elif isinstance(item, list):
            places = enumerate(item)
        else:
            continue
        for place, inner in places:
            if isinstance(inner, str):
                if secret in inner:
                    item[place] = inner.replace(secret, MASK)
            elif isinstance(inner, dict | list):
                todo.append(inner)
    return value
