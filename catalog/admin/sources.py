"""What each source says of one entry, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog.fields import SYNCED_FIELDS
from catalog.formatting import short
from catalog.models import AIModel

PRICES = ("prompt", "completion")


@dataclass(frozen=True, slots=True)
class Row:
    """One field: the entry's own value, and what each source says of it in the order of their precedence."""

    field: str
    ours: str
    said: tuple[str, ...]
    differ: bool


def beside(model: AIModel) -> tuple[list[str], list[Row]]:
    """The sources that list the model now, the best precedence first, and a row for each field that any describes.

    One query. Two offers of one provider are two columns. "" where a source has no value.
    """
    # Through the reverse relation: the providers app is above this one.
    rows: Any = model.offers  # type: ignore[attr-defined,unused-ignore]
    offers = list(
        rows.filter(is_listed=True)
        .select_related("provider")
        .order_by("provider__precedence", "provider__slug", "upstream_id")
    )
    table = [
        _row(field, getattr(model, field), [offer.facts.get(field) for offer in offers]) for field in SYNCED_FIELDS
    ]
    table += [
        _row(f"{name} price, USD per token", model.pricing.get(name), [offer.pricing.get(name) for offer in offers])
        for name in PRICES
    ]
    names = [f"{offer.provider.slug} ({offer.upstream_id})" for offer in offers]
    return names, [row for row in table if any(row.said)]


def _row(field: str, ours: Any, said: list[Any]) -> Row:
    spoken = [value for value in said if value not in (None, "", [], {})]
    words = tuple(short(value) if value in spoken else "" for value in said)
    return Row(field.replace("_", " "), short(ours), words, any(value != spoken[0] for value in spoken[1:]))
