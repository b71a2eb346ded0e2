"""Facts of a model as the pages word them. "" is unknown, which templates show as a dash."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.text import capfirst

from catalog.pricing import BY_TOKEN, CONDITIONS, Tariff, condition, in_order, label, sold, worded


def token_prices(pricing: Mapping[str, Any]) -> tuple[str, str]:
    """Prompt and completion in USD per million tokens."""
    known = Tariff(pricing).by_token
    prompt, completion = (worded(kind, known[kind]) if kind in known else "" for kind in ("prompt", "completion"))
    return prompt, completion


def prices(pricing: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every known price as its name with the unit, and the amount; prompt and completion always."""
    known = Tariff(pricing).known
    kinds = in_order({*known, "prompt", "completion"})
    return [_priced(kind, {kind: pricing[kind] for kind in known}) for kind in kinds]


def tiers(pricing: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The prices that hold under a condition instead: the condition, and each of them as `prices` names it."""
    found = []
    for entry in Tariff(pricing).overrides:
        kinds = in_order([kind for kind, price in entry.items() if kind not in CONDITIONS and isinstance(price, str)])
        found.append((capfirst(condition(entry)), [_priced(kind, entry) for kind in kinds]))
    return found


def _priced(kind: str, pricing: Mapping[str, Any]) -> tuple[str, str]:
    names = {"prompt": "Input per million", "completion": "Output per million"}
    price = pricing.get(kind)
    if kind in BY_TOKEN or price is None:
        return names.get(kind) or capfirst(label(kind)), "" if price is None else worded(kind, price)
    unit, text = sold(kind, price, pricing.get("prompt"))
    return capfirst(unit), text


# Field of an item -> its label on the pages, in their order.
FACTS = {
    "context_length": "Context",
    "max_output_tokens": "Longest answer",
    "input_modalities": "Takes",
    "output_modalities": "Makes",
    "capabilities": "Can do",
    "embedding_dimensions": "Dimensions",
    "family": "Family",
    "released_at": "Released",
    "retires_at": "Retires",
}
# Of no use where they are unknown: most models have none.
_RARE = ("embedding_dimensions", "family", "retires_at")


def fact(name: str, value: Any) -> str:
    """One field of an item in words."""
    if value in (None, "", [], {}):
        return ""
    if name in ("context_length", "max_output_tokens"):
        return f"{value:,} tokens"
    if name == "released_at":
        return f"{datetime.fromtimestamp(value, UTC):%-d %b %Y}"
    if isinstance(value, list):
        return ", ".join(str(word).replace("_", " ") for word in value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def facts(item: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Field -> label and text; "" is unknown."""
    found = {name: (label_, fact(name, item.get(name))) for name, label_ in FACTS.items()}
    return {name: pair for name, pair in found.items() if pair[1] or name not in _RARE}
