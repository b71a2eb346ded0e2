"""One AI model out of what several sources say of it: fields, price, availability. Nothing is written here.

Per field the source with the better precedence wins among those that say something: the providers that list the model,
then the enrichers, then the curated list. A field that no source speaks of keeps what it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalog.editing.entries import to_json
from catalog.fields import SYNCED_FIELDS
from catalog.models import AIModel
from catalog.pricing import is_free, prompt_per_million
from providers.models import Provider, ProviderModel
from providers.reading import curated
from providers.reading.namespaces import ENRICHERS, covers
from providers.reading.records import value_of

CURATED = "curated"


@dataclass(slots=True)
class Outcome:
    """What a merge did to a model: the changes that are history, and the names of all fields that must be written."""

    changes: list[tuple[str, Any, Any]]
    fields: set[str]


class Merger:
    """Knows the providers, the curated list and which listings have been read."""

    def __init__(self, providers: Iterable[Provider], listings: Iterable[tuple[str, str, str]], now: datetime) -> None:
        """`listings` are (kind, slug, listing) of those that have completed a run: they cover curated entries."""
        self.providers = {provider.pk: provider for provider in providers}
        self.fillers = {CURATED, *(p.slug for p in self.providers.values() if p.kind in ENRICHERS)}
        self.listings = set(listings)
        self.now = now
        # Keys of entries that a provider has decided on which is gone: the curated list does not speak for these.
        self.decided: frozenset[int] = frozenset()

    @classmethod
    def from_database(cls, now: datetime, also: Iterable[tuple[str, str, str]] = ()) -> Merger:
        """With the providers and listings that the database has; `also` are listings that this run completes."""
        read = ProviderModel.objects.order_by().values_list("provider__kind", "provider__slug", "listing").distinct()
        return cls(Provider.objects.all(), {*read, *also}, now)

    def merge(self, model: AIModel, offers: Iterable[ProviderModel], *, facts: bool = True) -> Outcome:
        """Brings the model to what its offers and the curated list say. Pinned fields keep their value.

        Without `facts` only its price and availability, as after a switch of offers.
        """
        ranked = sorted(offers, key=self._rank)
        entry = curated.entry(model.model_id)
        changes: list[tuple[str, Any, Any]] = []
        fields: set[str] = set()
        derived: dict[str, Any] = {}
        if facts:
            speaking = [(self.providers[o.provider_id].slug, o.facts) for o in ranked if o.is_listed]
            if entry is not None:
                speaking.append((CURATED, entry.facts))
            changes, fields = self._merge_facts(model, speaking)
            derived["rich_source"] = model.rich_source or any("context_length" in said for _, said in speaking)
        offering = [o for o in ranked if self.providers[o.provider_id].kind not in ENRICHERS]
        live = [o for o in offering if o.is_listed and o.active and self.providers[o.provider_id].is_active]
        # The curated list keeps what no provider has decided on, and never brings back what one has retired.
        is_open = model.pk is None or (model.is_available and model.pk not in self.decided)
        by_curation = entry is not None and not offering and is_open and not self._covered(model)
        available = bool(live) or model.always_available or by_curation
        derived["offered_by"] = list(dict.fromkeys(self.providers[o.provider_id].slug for o in live))
        derived["is_available"] = available
        if not model.frozen and (live or (entry is not None and not offering)):
            derived |= self._price(model, live, ranked, entry)
        for name, value in derived.items():
            old = getattr(model, name)
            if old != value:
                fields.add(name)
                setattr(model, name, value)
                if name == "is_available":
                    changes.append((name, old, value))
        if fields - {"upstream", "rich_source"}:
            # What upstream says of a pinned field changes nothing that anybody is served.
            fields.add("updated_at")
            model.updated_at = self.now
        return Outcome(changes, fields)

    def _price(
        self, model: AIModel, live: list[ProviderModel], ranked: list[ProviderModel], entry: curated.Entry | None
    ) -> dict[str, Any]:
        """The price of the best source that names one, and where it comes from.

        An enricher's or the curated price stands in for providers that name none; it is kept, marked as stale, when
        its source vanishes. A router's price is what it picks: nothing stands in for that.
        """
        said = [(self.providers[o.provider_id].slug, o.pricing) for o in live]
        if not any(o.facts.get("extras", {}).get("variable_price") for o in live):
            fillers = [o for o in ranked if self._enriches(o) and o.is_listed and o.active]
            # Where an enricher writes nothing but zeros, it may as well not know.
            said += [(self.providers[o.provider_id].slug, o.pricing) for o in fillers if not is_free(o.pricing)]
            if entry is not None:
                said.append((CURATED, entry.pricing))
        nothing: tuple[str, dict[str, Any]] = ("", {})
        source, pricing = next(((slug, pricing) for slug, pricing in said if pricing), nothing)
        before = model.upstream.get("pricing")
        upstream = {name: value for name, value in model.upstream.items() if name != "pricing"}
        if source:
            since = before["since"] if before and before["value"] == pricing else self.now.isoformat()
            upstream["pricing"] = {"value": pricing, "source": source, "since": since}
        elif before and before["source"] in self.fillers:
            pricing = before["value"]
            upstream["pricing"] = {**before, "stale": True}
        return {"upstream": upstream, "pricing": pricing, "prompt_price": prompt_per_million(pricing)}

    def _enriches(self, offer: ProviderModel) -> bool:
        provider = self.providers[offer.provider_id]
        return provider.kind in ENRICHERS and provider.is_active

    def _merge_facts(
        self, model: AIModel, speaking: list[tuple[str, Mapping[str, Any]]]
    ) -> tuple[list[tuple[str, Any, Any]], set[str]]:
        changes: list[tuple[str, Any, Any]] = []
        upstream = dict(model.upstream)
        for name in SYNCED_FIELDS:
            said = upstream.get(name)
            source, value = next(
                ((slug, facts[name]) for slug, facts in speaking if name in facts and self._may_speak(slug, said)),
                ("", None),
            )
            if not source:
                if said is not None and not said.get("stale"):
                    # Nobody says it any more; nobody has said otherwise either.
                    upstream[name] = {**said, "stale": True}
                continue
            if said is None or said["value"] != value:
                upstream[name] = {"value": value, "source": source, "since": self.now.isoformat()}
            elif said["source"] != source or said.get("stale"):
                upstream[name] = {"value": value, "source": source, "since": said["since"]}
            if model.frozen or name in model.pinned_fields:
                continue
            old = getattr(model, name)
            if to_json(old) != value:
                new = value_of(name, value)
                # The same moment may be written in two ways.
                if old != new:
                    changes.append((name, old, new))
                    setattr(model, name, new)
        if not model.name:
            model.name = model.model_id.rpartition("/")[2] or model.model_id
        fields = {name for name, _, _ in changes}
        if upstream != model.upstream:
            fields.add("upstream")
            model.upstream = upstream
        return changes, fields

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
