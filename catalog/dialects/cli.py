"""An AI model as the picker of a terminal client reads it: `/api/models?format=cli`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.pricing import Tariff

if TYPE_CHECKING:
    from catalog.models import AIModel


def cli_row(model: AIModel) -> dict[str, Any]:
    """The row without `isDefault`, which depends on who asks.

    A picker asks what it may rely on: each of `caps` is true where that is known, and false otherwise. It is only for
    chat models, all of which can stream.
    """
    row: dict[str, Any] = {
        "slug": model.model_id,
        "provider": model.author,
        "displayName": model.name,
        "inputModalities": model.input_modalities,
        "caps": {
            "streaming": True,
            "toolUse": bool(model.supports_tools),
            "reasoningEffort": bool(model.reasoning_levels),
            "parallelToolCalls": bool(model.supports_parallel_tool_calls),
        },
    }
    if model.context_length:
        row["contextWindow"] = model.context_length
    tariff = Tariff(model.pricing)
    prices = {
        name: float(price)
        for name, kind in (("inputPerMillion", "prompt"), ("outputPerMillion", "completion"))
        if (price := tariff.per_million(kind)) is not None
    }
    if prices:
        row["pricing"] = {**prices, "currency": "USD"}
    return row
