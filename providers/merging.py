"""One AI model out of what several sources say of it: fields, price, availability. Nothing is written here.

Per field the source with the better precedence wins among those that say something: the providers that list the model,
then the enrichers, then the curated list. A field that no source speaks of keeps what it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from catalog.changes import stored
from catalog.models import SYNCED_FIELDS, AIModel
from providers import curated
from providers.models import Provider, ProviderModel
from providers.namespaces import ENRICHERS, covers
from providers.records import value_of

PER_MILLION = Decimal(1_000_000)
CURATED = "curated"


@dataclass(slots=True)
class Outcome:
    """What a merge did to a model: the changes that are history, and whether the row must be written at all."""

    changes: list[tuple[str, Any, Any]]
    dirty: bool


class Merger:
    """Knows the providers, the curated list and which listings have been read."""

    def __init__(self, providers: Iterable[Provider], listings: Iterable[tuple[str, str, str]], now: datetime) -> None:
        """`listings` are (kind, slug, listing) of those that have completed a run: they cover curated entries."""
        self.providers = {provider.pk: provider for provider in providers}
        self.fillers = {CURATED, *(p.slug for p in self.providers.values() if p.kind in ENRICHERS)}
        self.listings = set(listings)
        self.now = now

    @classmethod
    def now_standing(cls, now: datetime, also: Iterable[tuple[str, str, str]] = ()) -> Merger:
        """With the providers and listings that the database has; `also` are listings that this run completes."""
        read = ProviderModel.objects.order_by().values_list("provider__kind", "provider__slug", "listing").distinct()
        return cls(Provider.objects.all(), {*read, *also}, now)

    def merge(self, model: AIModel, offers: Iterable[ProviderModel]) -> Outcome:
        """Brings the model to what its offers and the curated list say. Pinned fields keep their value."""
        ranked = sorted(offers, key=self._rank)
        entry = curated.entry(model.model_id)
        speaking = [(self.providers[o.provider_id].slug, o.facts) for o in ranked if o.is_listed]
        if entry is not None:
            speaking.append((CURATED, entry.facts))
        changes, dirty = self._merge_facts(model, speaking)
        rich = model.rich_source or any("context_length" in facts for _, facts in speaking)
        offering = [o for o in ranked if self.providers[o.provider_id].kind not in ENRICHERS]
        live = [o for o in offering if o.is_listed and o.active and self.providers[o.provider_id].is_active]
        by_curation = entry is not None and not offering and not self._covered(model)
        available = bool(live) or model.always_available or by_curation
        derived: dict[str, Any] = {
            "rich_source": rich,
            "offered_by": list(dict.fromkeys(self.providers[o.provider_id].slug for o in live)),
            "is_available": available,
        }
        if not model.frozen and (live or (entry is not None and not offering)):
            derived["pricing"] = live[0].pricing if live else entry.pricing if entry else {}
            derived["prompt_price"] = per_million(derived["pricing"].get("prompt"))
        for name, value in derived.items():
            old = getattr(model, name)
            if old != value:
                dirty = True
                setattr(model, name, value)
                if name == "is_available":
                    changes.append((name, old, value))
                if name != "rich_source":
                    model.updated_at = self.now
        if changes:
            model.updated_at = self.now
        return Outcome(changes, dirty)

    def _merge_facts(
        self, model: AIModel, speaking: list[tuple[str, Mapping[str, Any]]]
    ) -> tuple[list[tuple[str, Any, Any]], bool]:
        changes: list[tuple[str, Any, Any]] = []
        upstream = dict(model.upstream)
        for name in SYNCED_FIELDS:
            said = upstream.get(name)
            source, value = next(
                ((slug, facts[name]) for slug, facts in speaking if name in facts and self._may_speak(slug, said)),
                ("", None),
            )
            if not source:
                continue
            if said is None or said["value"] != value:
                upstream[name] = {"value": value, "source": source, "since": self.now.isoformat()}
            elif said["source"] != source:
                upstream[name] = {**said, "source": source}
            if model.frozen or name in model.pinned_fields:
                continue
            old = getattr(model, name)
            if stored(old) != value:
                new = value_of(name, value)
                # The same moment may be written in two ways.
                if old != new:
                    changes.append((name, old, new))
                    setattr(model, name, new)
        if not model.name:
            model.name = model.model_id.rpartition("/")[2] or model.model_id
        dirty = bool(changes) or upstream != model.upstream
        model.upstream = upstream
        return changes, dirty

    def _may_speak(self, source: str, said: Mapping[str, Any] | None) -> bool:
        """The curated list and the enrichers only fill: what a provider has said stays when it falls silent."""
        if said is None or source not in self.fillers:
            return True
        return said["source"] == CURATED or (source != CURATED and said["source"] in self.fillers)

    def _rank(self, offer: ProviderModel) -> tuple[Any, ...]:
        provider = self.providers[offer.provider_id]
        return (provider.kind in ENRICHERS, provider.precedence, provider.slug, offer.order, offer.upstream_id)

    def _covered(self, model: AIModel) -> bool:
        is_embedding = bool(model.supports_embeddings)
        return any(covers(kind, slug, listing, model.model_id, is_embedding) for kind, slug, listing in self.listings)


def per_million(price: str | None) -> float | None:
    """A price in USD per token as USD per million, to filter and sort by."""
    return None if price is None else float(Decimal(price) * PER_MILLION)
