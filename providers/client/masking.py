"""Credentials of ours that an upstream sends back, wherever it puts them: taken out before anything is stored."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

MASK = "***"
# Shorter ones, sent where a server asks for none ("ollama", "none"), are no secret, and words of its models.
_SHORTEST = 8


def may_hold(data: bytes, secret: str) -> bool:
    """Whether JSON of these bytes can contain the secret, as it is or in escapes."""
    forms = (secret.encode(), quote(secret, safe="").encode())
    return any(form in data for form in forms) or b"\\u" in data or b"\\/" in data


def _masked(text: str, secret: str) -> str:
    return text.replace(secret, MASK).replace(quote(secret, safe=""), MASK)


def masked(value: Any, secret: str) -> Any:
    """Parsed JSON with the secret replaced, in texts and in keys. Containers are changed as they are."""
    if len(secret) < _SHORTEST:
        return value
    if isinstance(value, str):
        return _masked(value, secret)
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
    return value
