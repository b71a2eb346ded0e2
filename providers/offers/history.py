"""The history of a model's offers: its price at each provider, and when each listed it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import QuerySet

from catalog.models import AIModel, FieldChange
from catalog.pricing import Tariff
from catalog.validation import shapes
from providers.models import ProviderModel


@dataclass(frozen=True, slots=True)
class Price:
    """What a provider asked from `since` on: `pricing` as in the API, None before it was known."""

    provider: str
    since: datetime | None
    pricing: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a provider listed the model; `until` is None where it still does."""

    provider: str
    since: datetime
    until: datetime | None


def price_history(model: AIModel) -> list[Price]:
    """Each price of each provider, by provider and oldest first. Two queries.

    A provider with tariffs by the hour has the current price as its base price; only a change of the tariffs
    themselves counts.
    """
    history: list[Price] = []
    offers = _offers(model)
    changes = _changes(model, "pricing")
    for provider in sorted({*offers, *changes}):
        rows = changes.get(provider, [])
        first = offers.get(provider)
        at_first = _tariff(rows[0].old) if rows else first.pricing if first else {}
        steps = [
            Price(provider, first.first_listed_at if first else None, at_first),
            *(Price(provider, row.changed_at, _tariff(row.new)) for row in rows),
        ]
        known = (step for step in steps if step.pricing)
        history += [next(same) for _, same in groupby(known, lambda step: Tariff(step.pricing).signature())]
    return history


def _tariff(stored: Any) -> Mapping[str, Any]:
    """A price from the history, empty where it was unknown."""
    return stored if shapes.prices(stored) else {}


def availability(model: AIModel) -> list[Span]:
    """When each provider listed the model, by provider and oldest first. Two queries."""
    spans: list[Span] = []
    offers = _offers(model)
    changes = _changes(model, "is_listed")
    for provider in sorted({*offers, *changes}):
        rows = changes.get(provider, [])
        first = offers.get(provider)
        since = first.first_listed_at if first else None
        if since is None and rows and rows[0].new is False:
            since = rows[0].changed_at
        for row in rows:
            if row.new is False and since is not None:
                spans.append(Span(provider, since, row.changed_at))
                since = None
            elif row.new is True:
                since = row.changed_at
        if since is not None:
            spans.append(Span(provider, since, None))
    return spans


def _offers(model: AIModel) -> dict[str, ProviderModel]:
    """Provider's slug -> its offer; the earliest where it has several."""
    rows = ProviderModel.objects.filter(model=model).select_related("provider").order_by("-first_listed_at", "-pk")
    return {offer.provider.slug: offer for offer in rows}


def _changes(model: AIModel, field: str) -> dict[str, list[FieldChange]]:
    rows: QuerySet[FieldChange] = FieldChange.objects.filter(subject=model.model_id, field=field)
    found = defaultdict(list)
    for row in rows.exclude(offered_by="").order_by("id"):
        found[row.offered_by].append(row)
    return found
