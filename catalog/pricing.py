"""What a price says: USD per token as decimal text, but for the kinds that are priced by another unit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

PER_MILLION = Decimal(1_000_000)
# The kinds of price that are per token. Any other is per request, image, search or whatever its name says.
BY_TOKEN = frozenset(
    {
        "prompt", "completion", "internal_reasoning", "input_cache_read", "input_cache_write", "input_cache_write_1h",
        "audio", "audio_output", "image_output", "image_token", "input_audio_cache",
    }
)  # fmt: skip


def certain(pricing: Mapping[str, Any]) -> dict[str, Decimal]:
    """The prices that filters and pickers may rely on, as numbers.

    A token price of zero beside a price in another unit says that tokens are not what is paid for, not that the model
    is free: it is left out, as unknown. So is whatever is no price.
    """
    known = {kind: amount for kind, price in pricing.items() if (amount := _amount(price)) is not None}
    if any(amount for kind, amount in known.items() if kind not in BY_TOKEN):
        return {kind: amount for kind, amount in known.items() if amount}
    return known


def is_free(pricing: Mapping[str, Any]) -> bool:
    """Whether prompt and completion are known to cost nothing; a router's price is unknown, not nothing."""
    known = certain(pricing)
    return all(known.get(kind) == 0 for kind in ("prompt", "completion"))


def prompt_per_million(pricing: Mapping[str, Any]) -> float | None:
    """USD per million prompt tokens, to filter and to sort by; None where unknown."""
    price = certain(pricing).get("prompt")
    return None if price is None else float(price * PER_MILLION)


def _amount(price: Any) -> Decimal | None:
    """None for what is no price, such as the list of conditional ones."""
    try:
        return Decimal(price) if isinstance(price, str) else None
    except InvalidOperation:
        return None
