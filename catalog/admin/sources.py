"""What each source says of one entry, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog import extensions
from catalog.fields import SYNCED_FIELDS
from catalog.formatting import label, said
from catalog.models import AIModel

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
            f"pricing.{kind}",
            model.pricing.get(kind),
            [prices.get(kind) for _, _, prices in offers],
        )
        for kind in PRICES
    ]
    return [name for name, _, _ in offers], [row for row in table if any(row.said)]


def _words(field: str, value: Any) -> str:
    """As people read it, of a price with what is stored."""
    stored = f" (stored: {value})" if field.startswith("pricing.") and value is not None else ""
    return f"{said(field, value)}{stored}"


def _row(field: str, ours: Any, told: list[Any]) -> SourceRow:
    spoken = [value for value in told if value not in (None, "", [], {})]
    words = tuple(_words(field, value) if value in spoken else "" for value in told)
    return SourceRow(label(field), _words(field, ours), words, any(value != spoken[0] for value in spoken[1:]))
