"""One AI model out of several sources: fields, price, availability. Nothing is written here.

For each field the source with the best precedence wins among those that have a value: the providers that list the
model, then the enrichers, then the curated list. A field that no source has a value for stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from catalog.editing.history import from_json, to_json
from catalog.fields import SYNCED_FIELDS
from catalog.models import AIModel
from catalog.pricing import is_free, prompt_per_million
from providers.models import Provider, ProviderModel
from providers.reading import curated
from providers.reading.namespaces import ENRICHERS, covers
from providers.sync.diff import Difference

CURATED = "curated"
# A source's slug, and the values that it has.
Source = tuple[str, Mapping[str, Any]]


class Merged(NamedTuple):
    """What the sources of a model change on it: all new values by field, and those of the changes that are history."""

    values: dict[str, Any]
    history: list[Difference]


class Merger:
    """Knows the providers, the curated list and which listings have completed a run."""

    def __init__(
        self,
        providers: Iterable[Provider],
        listings: Iterable[tuple[str, str, str]],
        now: datetime,
        decided: Collection[int] = (),
    ) -> None:
        """`listings` are (kind, slug, listing) of those that have completed a run: they cover curated entries.

        `decided` are the keys of entries that a deleted provider offered: the curated list makes none of them
        available again.
        """
        self.providers = {provider.pk: provider for provider in providers}
        self.fillers = {CURATED, *(p.slug for p in self.providers.values() if p.kind in ENRICHERS)}
        self.listings = set(listings)
        self.now = now
        self.decided = decided

    @classmethod
    def from_database(
        cls, now: datetime, also: Iterable[tuple[str, str, str]] = (), decided: Collection[int] = ()
    ) -> Merger:
        """With the providers and listings of the database; `also` are listings that this run completes."""
        read = ProviderModel.objects.order_by().values_list("provider__kind", "provider__slug", "listing").distinct()
        return cls(Provider.objects.all(), {*read, *also}, now, decided)

    def merge(self, model: AIModel, offers: Iterable[ProviderModel], *, facts: bool = True) -> Merged:
        """What the offers and the curated list change on the model. Pinned fields stay as they are.

        Without `facts` only its price and availability, as after a switch of offers.
        """
        ranked = sorted(offers, key=self._rank)
        entry = curated.entries().get(model.model_id)
        values, history = self._facts(model, ranked, entry) if facts else Merged({}, [])
        is_embedding = bool(values.get("supports_embeddings", model.supports_embeddings))
        derived = self._availability(model, ranked, entry, is_embedding)
        if not model.frozen:
            derived |= self._price(values.get("upstream", model.upstream), ranked, entry)
        values |= {name: value for name, value in derived.items() if values.get(name, getattr(model, name)) != value}
        if "is_available" in values:
            history.append(Difference("is_available", model.is_available, values["is_available"]))
        if values.keys() - {"upstream", "rich_source"}:
            # Upstream's value of a pinned field changes nothing that anybody is served.
            values["updated_at"] = self.now
        return Merged(values, history)

    def is_available(self, model: AIModel, offers: Iterable[ProviderModel]) -> bool:
        """Whether a merge leaves the model available."""
        entry = curated.entries().get(model.model_id)
        found = self._availability(model, list(offers), entry, bool(model.supports_embeddings))
        return bool(found["is_available"])

    def _facts(self, model: AIModel, ranked: list[ProviderModel], entry: curated.CuratedEntry | None) -> Merged:
        sources: list[Source] = [(self.providers[o.provider_id].slug, o.facts) for o in ranked if o.is_listed]
        if entry is not None:
            sources.append((CURATED, entry.facts))
        values: dict[str, Any] = {}
        history: list[Difference] = []
        upstream = dict(model.upstream)
        for name in SYNCED_FIELDS:
            before = upstream.get(name)
            source, value = self._best(name, sources, before)
            if (found := self._provenance(before, source, value)) is not None:
                upstream[name] = found
            if not source or model.frozen or name in model.pinned_fields:
                continue
            old = getattr(model, name)
            # The same moment may be written in two ways.
            if to_json(old) != value and old != (new := from_json(name, value)):
                values[name] = new
                history.append(Difference(name, old, new))
        if not values.get("name", model.name):
            values["name"] = model.model_id.rpartition("/")[2] or model.model_id
        if upstream != model.upstream:
            values["upstream"] = upstream
        if not model.rich_source and any("context_length" in facts for _, facts in sources):
            values["rich_source"] = True
        return Merged(values, history)

    def _best(self, name: str, sources: Sequence[Source], before: Mapping[str, Any] | None) -> tuple[str, Any]:
        """The best source of a field and its value; ("", None) where none has one."""
        for slug, facts in sources:
            if name in facts and self._may_fill(slug, before):
                return slug, facts[name]
        return "", None

    def _may_fill(self, source: str, before: Mapping[str, Any] | None) -> bool:
        """The curated list and the enrichers only fill: a provider's value stays when it no longer sends any."""
        if before is None or source not in self.fillers:
            return True
        return before["source"] == CURATED or (source != CURATED and before["source"] in self.fillers)

    def _provenance(self, before: dict[str, Any] | None, source: str, value: Any) -> dict[str, Any] | None:
        """The entry of a field in `AIModel.upstream`, which was `before`; `source` is "" where none has a value."""
        if not source:
            # No source has a value any more, and none has another.
            return before and {**before, "stale": True}
        if before is None or before["value"] != value:
            return {"value": value, "source": source, "since": self.now.isoformat()}
        if before["source"] != source or before.get("stale"):
            return {"value": value, "source": source, "since": before["since"]}
        return before

    def _availability(
        self, model: AIModel, ranked: list[ProviderModel], entry: curated.CuratedEntry | None, is_embedding: bool
    ) -> dict[str, Any]:
        offered = self._offered(ranked)
        # Available by the curated list stays what no provider has decided on; what one has retired never returns by it.
        is_open = model.pk is None or (model.is_available and model.pk not in self.decided)
        by_curation = (
            entry is not None and is_open and not self._has_offers(ranked) and not self._covered(model, is_embedding)
        )
        return {
            "offered_by": list(dict.fromkeys(self.providers[o.provider_id].slug for o in offered)),
            "is_available": bool(offered) or model.always_available or by_curation,
        }

    def _price(
        self, upstream: dict[str, Any], ranked: list[ProviderModel], entry: curated.CuratedEntry | None
    ) -> dict[str, Any]:
        """The price of the best source that names one, and its provenance; nothing for a model without a source.

        An enricher's or the curated price is used where no provider names one; it stays, marked as stale, when its
        source is gone. A router's price is that of the model it picks: no other price replaces it.
        """
        offered = self._offered(ranked)
        if not offered and (entry is None or self._has_offers(ranked)):
            return {}
        sources: list[Source] = [(self.providers[o.provider_id].slug, o.pricing) for o in offered]
        if not any(o.facts.get("extras", {}).get("variable_price") for o in offered):
            fillers = [o for o in self._live(ranked) if self._describes(o)]
            # Where an enricher writes nothing but zeros, it may as well not know.
            sources += [(self.providers[o.provider_id].slug, o.pricing) for o in fillers if not is_free(o.pricing)]
            if entry is not None:
                sources.append((CURATED, entry.pricing))
        nothing: Source = ("", {})
        source, pricing = next(((slug, pricing) for slug, pricing in sources if pricing), nothing)
        before = upstream.get("pricing")
        found = {name: value for name, value in upstream.items() if name != "pricing"}
        if source:
            since = before["since"] if before and before["value"] == pricing else self.now.isoformat()
            found["pricing"] = {"value": pricing, "source": source, "since": since}
        elif before and before["source"] in self.fillers:
            pricing = before["value"]
            found["pricing"] = {**before, "stale": True}
        return {"upstream": found, "pricing": pricing, "prompt_price": prompt_per_million(pricing)}

    def _has_offers(self, ranked: list[ProviderModel]) -> bool:
        """Whether a provider has ever offered the model; an enricher only describes it."""
        return not all(map(self._describes, ranked))

    def _offered(self, ranked: list[ProviderModel]) -> list[ProviderModel]:
        """The offers that make the model available now, as `offering` finds them in the database."""
        return [o for o in self._live(ranked) if not self._describes(o)]

    def _live(self, ranked: list[ProviderModel]) -> list[ProviderModel]:
        return [o for o in ranked if o.is_live(self.providers[o.provider_id])]

    def _describes(self, offer: ProviderModel) -> bool:
        return self.providers[offer.provider_id].kind in ENRICHERS

    def _rank(self, offer: ProviderModel) -> tuple[Any, ...]:
        provider = self.providers[offer.provider_id]
        return (provider.kind in ENRICHERS, provider.precedence, provider.slug, offer.order, offer.upstream_id)

    def _covered(self, model: AIModel, is_embedding: bool) -> bool:
        return any(covers(kind, slug, listing, model.model_id, is_embedding) for kind, slug, listing in self.listings)
