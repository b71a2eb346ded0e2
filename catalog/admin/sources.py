"""What each source says of one entry, side by side, and what it has asked for over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog import extensions
from catalog.fields import SYNCED_FIELDS
from catalog.formatting import label, said
from catalog.models import AIModel
from catalog.pricing import in_words

PRICES = ("prompt", "completion")


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One field: the entry's own value, and what each source says of it in the order of their precedence."""

    name: str
    ours: str
    said: tuple[str, ...]
    differ: bool

    @property
    def field(self) -> str:
        return label(self.name)

    @property
    def is_price(self) -> bool:
        return self.name.startswith("pricing.")

    @property
    def tells_more(self) -> bool:
        """Whether any source says something else than the entry."""
        return {words for words in self.said if words} != {self.ours}


def beside(model: AIModel, user: Any) -> dict[str, Any] | None:
    """For the page of an entry: its sources, a row for each field that any of them describes, and past prices.

    Two offers of one provider are two columns. "" where a source has no value. None where the user may not see offers.
    """
    sources = extensions.sources_of(user, model)
    if sources is None:
        return None
    table = [_row(field, getattr(model, field), [one.facts.get(field) for one in sources]) for field in SYNCED_FIELDS]
    table += [
        _row(f"pricing.{kind}", model.pricing.get(kind), [one.prices.get(kind) for one in sources]) for kind in PRICES
    ]
    rows = [row for row in table if any(row.said)]
    return {
        "sources": sources,
        "source_names": [one.name for one in sources],
        "source_rows": rows,
        "said_by": {row.name: [*zip(sources, row.said, strict=True)] for row in rows if row.tells_more},
        "differing": {row.name: row.differ for row in rows},
        "past_prices": [
            (provider, since, in_words(prices)) for provider, since, prices in extensions.price_history_of(model)
        ],
    }


def _words(field: str, value: Any) -> str:
    """As people read it, of a price with what is stored."""
    stored = f" (stored: {value})" if field.startswith("pricing.") and value is not None else ""
    return f"{said(field, value)}{stored}"


def _row(field: str, ours: Any, told: list[Any]) -> SourceRow:
    spoken = [value for value in told if value not in (None, "", [], {})]
    words = tuple(_words(field, value) if value in spoken else "" for value in told)
    return SourceRow(field, _words(field, ours), words, any(value != spoken[0] for value in spoken[1:]))
