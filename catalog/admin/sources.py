"""What each source says of one entry, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog import extensions
from catalog.fields import SYNCED_FIELDS
from catalog.formatting import short
from catalog.models import AIModel
from catalog.pricing import worded

PRICES = ("prompt", "completion")


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One field: the entry's own value, and what each source says of it in the order of their precedence."""

    field: str
    ours: str
    said: tuple[str, ...]
    differ: bool


def beside(model: AIModel, user: Any) -> tuple[list[str], list[SourceRow]] | None:
    """The names of the model's sources, and a row for each field that any of them describes.

    One query. Two offers of one provider are two columns. "" where a source has no value. None where the user may not
    see offers.
    """
    offers = extensions.sources_of(user, model)
    if offers is None:
        return None
    table = [
        _row(field, getattr(model, field), [facts.get(field) for _, facts, _ in offers]) for field in SYNCED_FIELDS
    ]
    table += [
        _row(
            f"{kind} price, per million",
            _dollars(kind, model.pricing.get(kind)),
            [_dollars(kind, prices.get(kind)) for _, _, prices in offers],
        )
        for kind in PRICES
    ]
    return [name for name, _, _ in offers], [row for row in table if any(row.said)]


def _dollars(kind: str, price: Any) -> str | None:
    """As people read it, with what is stored."""
    return None if price is None else f"{worded(kind, price)} (stored: {price})"


def _row(field: str, ours: Any, said: list[Any]) -> SourceRow:
    spoken = [value for value in said if value not in (None, "", [], {})]
    words = tuple(short(value) if value in spoken else "" for value in said)
    return SourceRow(field.replace("_", " "), short(ours), words, any(value != spoken[0] for value in spoken[1:]))
