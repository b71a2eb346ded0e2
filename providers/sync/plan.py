"""What is written, as rows: the one plan that a dry run shows, a held run previews and `write` writes.

Nothing is written here, and no row that is given changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from catalog.db.bulk import batches
from catalog.editing.history import Author, to_json
from catalog.fields import SYNCED_FIELDS
from catalog.models import AIModel
from providers.models import Provider, ProviderModel
from providers.reading import curated, release_dates
from providers.reading.namespaces import ENRICHERS, covers
from providers.reading.records import ParsedListing
from providers.sync import diff, guards
from providers.sync.diff import Comparison, Difference, replaced
from providers.sync.merge import Merger

READ_OF_OFFERS = ("provider", "model", "upstream_id", "order", "is_listed", "active", "pricing", "facts")
# What price and availability, and what a list is searched by, depend on.
READ_FOR_OFFERS = (
    "model_id",
    "kind",
    "author",
    "name",
    "family",
    "task",
    "input_modalities",
    "output_modalities",
    *(name for name in SYNCED_FIELDS if name.startswith("supports_")),
    "always_available",
    "frozen",
    "upstream",
    "pricing",
    "prompt_price",
    "offered_by",
    "is_available",
)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one field, as a row of history will have it: `old` and `new` are JSON."""

    subject: str
    field: str
    old: Any
    new: Any
    # The key of the entry; of one that the same plan makes, its id.
    entry: int | str | None = None
    offered_by: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows to write, and the history that explains them."""

    author: Author
    # The values of each new entry, by its id.
    new_entries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    # Entries as the database has them, each with its new values.
    changed_entries: Sequence[tuple[AIModel, Mapping[str, Any]]] = ()
    new_offers: Sequence[ProviderModel] = ()
    changed_offers: Sequence[ProviderModel] = ()
    # Upstream id -> id of the new entry that the offer belongs to.
    links: Mapping[str, str] = field(default_factory=dict)
    history: Sequence[Change] = ()

    def __bool__(self) -> bool:
        return bool(self.new_entries or self.changed_entries or self.new_offers or self.changed_offers or self.history)


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """The plan of what the guards let pass, and beside it what waits for a person, as `SyncRun.held` stores it."""

    plan: Plan
    counts: Mapping[str, int]
    sizes: Mapping[str, int]
    applied: Sequence[str]
    holds: Sequence[guards.Hold]
    held: Mapping[str, Any]
    # Whether the sizes are what later runs are measured against.
    confirmed: bool


def plan_sync(
    provider: Provider,
    parsed_listings: Sequence[ParsedListing],
    author: Author,
    *,
    allow_shrink: bool,
    now: datetime,
    lock: bool = True,
) -> SyncPlan:
    """Puts the listings before the guards, compares those that pass with the offers, and plans what follows."""
    offers = diff.offers_of(provider)
    if provider.kind in ENRICHERS:
        parsed_listings = [_of_known(parsed, offers) for parsed in parsed_listings]
    else:
        parsed_listings = [release_dates.settled(parsed, offers, provider.kind, now) for parsed in parsed_listings]
    judged = guards.judge(provider.pk, offers, parsed_listings, allow_shrink=allow_shrink)
    comparison = diff.compare(provider, offers, judged.accepted, now)
    applied = [accepted.parsed.listing for accepted in judged.accepted]
    known = {offer.listing for offer in offers.values()}
    first = [listing for listing in applied if listing not in known]
    merger = Merger.from_database(now, also=[(provider.kind, provider.slug, listing) for listing in first])
    plan = plan_offers(provider, comparison, merger, author, also=_newly_covered(provider, first), lock=lock)
    counts = comparison.counts | {
        "bad": sum(len(parsed.bad) for parsed in parsed_listings),
        "held": guards.waiting_in(judged.held),
        "kept": judged.spared,
    }
    lossless = not (comparison.retired or judged.spared)
    return SyncPlan(
        plan=plan,
        counts=counts,
        sizes={parsed.listing: parsed.total for parsed in parsed_listings},
        applied=applied,
        holds=judged.holds,
        held=judged.held,
        confirmed=bool(applied) and not judged.holds and (lossless or allow_shrink),
    )


def _of_known(parsed: ParsedListing, offers: Mapping[str, ProviderModel]) -> ParsedListing:
    """The records of an enricher that describe models of the catalog; the others are not stored."""
    known = set(offers)
    for chunk in batches(record.model_id for record in parsed.records):
        known |= set(AIModel.objects.filter(model_id__in=chunk).values_list("model_id", flat=True))
    records = [r for r in parsed.records if r.upstream_id in offers or r.model_id in known]
    return ParsedListing(parsed.listing, records, parsed.bad, parsed.remarks)


def _newly_covered(provider: Provider, listings: Iterable[str]) -> list[int]:
    """Keys of the curated entries on which these listings, read for the first time, decide from now on."""
    ids = [
        entry.model_id
        for entry in curated.entries().values()
        for listing in listings
        if covers(provider.kind, provider.slug, listing, entry.model_id, bool(entry.facts.get("supports_embeddings")))
    ]
    return list(AIModel.objects.filter(model_id__in=ids).values_list("pk", flat=True)) if ids else []


def plan_offers(
    provider: Provider,
    comparison: Comparison,
    merger: Merger,
    author: Author,
    *,
    also: Iterable[int] = (),
    lock: bool = True,
) -> Plan:
    """What a comparison comes to. `also` are keys of entries that must be merged for another reason.

    An offer without an entry is linked to the one of its id, which is made where there is none; an enricher makes none.
    """
    known = keys_of(comparison.wanted.values())
    linked = {key: known[model_id] for key, model_id in comparison.wanted.items() if model_id in known}
    makes = provider.kind not in ENRICHERS
    links = {key: model_id for key, model_id in comparison.wanted.items() if makes and key not in linked}
    offers = {**comparison.offers}
    offers |= {key: replaced(offers[key], model_id=entry) for key, entry in linked.items()}
    new = [offers[key] for key in comparison.added if key in linked or key in links]
    joined = [key for key in comparison.wanted if key in linked or key in links]
    changed = [offers[key] for key in dict.fromkeys((*comparison.changed, *joined)) if offers[key].pk]
    touched = {offer.model_id for offer in (*new, *changed) if offer.model_id}
    merged = merge_entries({*touched, *also}, merger, lock=lock, instead=(provider.pk, offers.values()))
    described: dict[str, list[ProviderModel]] = {}
    for key, model_id in links.items():
        described.setdefault(model_id, []).append(offers[key])
    entries = {
        model_id: {"active": provider.new_models_active, **new_entry(model_id, merger, of_model)}
        for model_id, of_model in described.items()
    }
    history = [*merged.history, *(created(model_id) for model_id in entries)]
    for offer in (*new, *changed):
        key, entry = offer.upstream_id, offer.model_id or links.get(offer.upstream_id)
        subject = comparison.wanted.get(key) or merged.ids.get(offer.model_id or 0) or key
        differences = comparison.changed.get(key, ()) if offer.pk else (Difference("is_listed", None, True),)
        history += [change(subject, *difference, entry, provider.slug) for difference in differences]
    return Plan(author, entries, merged.entries, new, changed, links, history)


@dataclass(frozen=True, slots=True)
class MergedEntries:
    """Entries as their sources have them now."""

    # The id of each that was merged, by its key.
    ids: Mapping[int, str]
    # Those that change, each with its new values.
    entries: Sequence[tuple[AIModel, Mapping[str, Any]]]
    history: Sequence[Change]


def merge_entries(
    keys: Iterable[int],
    merger: Merger,
    *,
    lock: bool = True,
    instead: tuple[int, Iterable[ProviderModel]] | None = None,
    switched: Mapping[int, bool] | None = None,
    facts: bool = True,
) -> MergedEntries:
    """Merges the entries of these keys (without `facts`: their price and availability).

    `instead` are a provider's key and its offers as they will be, where the database does not have them yet;
    `switched` says of offers, by key, whether they will be active. All rows are locked, in the order of their keys,
    before any is read or written: whoever edits one has it locked while waiting for the catalog's version, which the
    first write takes.
    """
    wanted = sorted(set(keys))
    if lock:
        lock_entries(wanted)
    pending: dict[int, list[ProviderModel]] = {}
    for offer in instead[1] if instead else ():
        if offer.model_id:
            pending.setdefault(offer.model_id, []).append(offer)
    ids: dict[int, str] = {}
    changed: list[tuple[AIModel, Mapping[str, Any]]] = []
    history: list[Change] = []
    for chunk in batches(wanted):
        offers: dict[int, list[ProviderModel]] = {}
        rows = ProviderModel.objects.filter(model__in=chunk).only(*READ_OF_OFFERS)
        for offer in rows.exclude(provider=instead[0]) if instead else rows:
            offer.active = (switched or {}).get(offer.pk, offer.active)
            offers.setdefault(offer.model_id or 0, []).append(offer)
        entries = AIModel.objects.filter(pk__in=chunk, kind=AIModel.Kind.CATALOG).order_by("pk")
        for model in entries if facts else entries.only(*READ_FOR_OFFERS):
            ids[model.pk] = model.model_id
            merged = merger.merge(model, [*offers.get(model.pk, ()), *pending.get(model.pk, ())], facts=facts)
            if merged.values:
                changed.append((model, merged.values))
            history += [change(model.model_id, *difference, model.pk) for difference in merged.history]
    return MergedEntries(ids, changed, history)


def lock_entries(keys: Iterable[int]) -> None:
    """Locks entries until the transaction ends. `keys` are in order, as every writer of many entries locks them."""
    for chunk in batches(keys):
        list(AIModel.objects.select_for_update().filter(pk__in=chunk).order_by("pk").values_list("pk", flat=True))


def keys_of(model_ids: Iterable[str]) -> dict[str, int]:
    """The keys of the entries that there are, by their ids."""
    known: dict[str, int] = {}
    for chunk in batches(sorted(set(model_ids))):
        known |= dict(AIModel.objects.filter(model_id__in=chunk).values_list("model_id", "pk"))
    return known


def new_entry(model_id: str, merger: Merger, offers: Iterable[ProviderModel] = ()) -> dict[str, Any]:
    """The values of an entry that is not there yet."""
    values, _ = merger.merge(AIModel(model_id=model_id), offers)
    return {**values, "created_at": merger.now, "updated_at": merger.now}


def created(model_id: str) -> Change:
    """The beginning of an entry's history."""
    return Change(model_id, "created", None, model_id, entry=model_id)


def change(subject: str, name: str, old: Any, new: Any, entry: int | str | None = None, offered_by: str = "") -> Change:
    """A change from a field's values."""
    return Change(subject, name, to_json(old), to_json(new), entry, offered_by)
