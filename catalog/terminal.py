"""An AI model as the picker of a terminal client reads it: `/api/models?format=cli`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.models import AIModel

_MILLION = 1_000_000


def cli_row(model: AIModel) -> dict[str, Any]:
    """The row without `isDefault`, which depends on who asks.

    A picker asks what it may rely on: each of `caps` is true where that is known, and false otherwise.
    """
    row: dict[str, Any] = {
        "slug": model.model_id,
        "provider": model.author,
        "displayName": model.name,
        "inputModalities": model.input_modalities,
        "caps": {
            "streaming": "chat" in model.capabilities,
            "toolUse": bool(model.supports_tools),
            "reasoningEffort": bool(model.reasoning_levels),
            "parallelToolCalls": bool(model.supports_parallel_tool_calls),
        },
    }
    if model.context_length:
        row["contextWindow"] = model.context_length
    prices = {
        name: price
        for name, word in (("inputPerMillion", "prompt"), ("outputPerMillion", "completion"))
        if (price := _per_million(model.pricing.get(word))) is not None
    }
    if prices:
        row["pricing"] = {**prices, "currency": "USD"}
    return row


def _per_million(price: Any) -> float | None:
    """USD per million tokens of a price per token. It is multiplied as a decimal: 0.00000015 gives 0.15 exactly."""
    try:
        return float(Decimal(price) * _MILLION) if isinstance(price, str) else None
    except InvalidOperation:
        return None
