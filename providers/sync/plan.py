"""What of a set of readings is applied and what is held, given what the catalog has. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from catalog.editing.entries import Author
from catalog.models import AIModel
from providers.models import Provider
from providers.reading import curated, release_dates
from providers.reading.namespaces import ENRICHERS, covers
from providers.reading.records import ParsedListing
from providers.sync import diff, guards
from providers.sync.diff import Comparison
from providers.sync.merge import Merger
from providers.sync.write import Plan, batches, plan_for, write


@dataclass(slots=True)
class Decision:
    """The plan of what is applied, and beside it what waits for a person, as `SyncRun.held` keeps it."""

    plan: Plan
    holds: list[guards.Hold] = field(default_factory=list)
    held: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)
    # Whether the sizes are what later runs are measured against.
    confirmed: bool = False

    def write(self, provider: Provider) -> None:
        write(self.plan, provider)


def decide(
    provider: Provider,
    parsed_listings: list[ParsedListing],
    author: Author,
    *,
    allow_shrink: bool,
    now: datetime,
    lock: bool = True,
) -> Decision:
    """Puts the readings before the guards, and makes the plan of what passes them."""
    comparison = Comparison(diff.offers_of(provider))
    decision = Decision(Plan(author))
    before = {o.upstream_id: o.upstream.get("pricing", o.pricing) for o in comparison.offers.values() if o.is_listed}
    known = {offer.listing for offer in comparison.offers.values()}
    kept = waiting = 0
    for parsed in parsed_listings:
        if provider.kind in ENRICHERS:
            parsed = _about_known(parsed, comparison)
        else:
            parsed = release_dates.settled(parsed, comparison.offers, provider.kind, now)
        decision.sizes[parsed.listing] = parsed.total
        if hold := guards.mostly_bad(parsed) or guards.prices(before, parsed):
            decision.holds.append(hold)
            decision.held.setdefault("listings", {})[parsed.listing] = {
                "reason": hold.reason,
                "message": hold.message,
                "records": [record.kept() for record in parsed.records],
                "spared": sorted(parsed.spared),
                "unidentified": parsed.unidentified,
            }
            continue
        here = parsed.ids | parsed.spared
        gone, spared = diff.missing(comparison.offers, parsed.listing, here, parsed.unidentified)
        kept += len(spared)
        if gone and not allow_shrink:
            listed = sum(o.is_listed and o.listing == parsed.listing for o in comparison.offers.values())
            if hold := guards.shrunk(provider.pk, parsed, gone, listed):
                decision.holds.append(hold)
                removals = sorted(offer.upstream_id for offer in gone)
                decision.held.setdefault("removals", {})[parsed.listing] = removals
                waiting += len(gone)
                gone = []
        diff.compare(comparison, provider, parsed, [offer.upstream_id for offer in gone], now)
        decision.applied.append(parsed.listing)
    first = [listing for listing in decision.applied if listing not in known]
    merger = Merger.from_database(now, also=[(provider.kind, provider.slug, listing) for listing in first])
    decision.plan = plan_for(provider, comparison, merger, author, also=_newly_covered(provider, first), lock=lock)
    decision.counts = counts(comparison) | {
        "bad": sum(len(parsed.bad) for parsed in parsed_listings),
        "held": waiting + sum(len(part["records"]) for part in decision.held.get("listings", {}).values()),
        "kept": kept,
    }
    lossless = not (decision.holds or comparison.retired or kept)
    decision.confirmed = bool(decision.applied) and (lossless or (allow_shrink and not decision.holds))
    return decision


def counts(comparison: Comparison) -> dict[str, int]:
    return {
        "added": len(comparison.added),
        "updated": len(comparison.updated),
        "retired": len(comparison.retired),
        "returned": len(comparison.returned),
        "unchanged": comparison.unchanged,
    }


def _newly_covered(provider: Provider, listings: Iterable[str]) -> list[int]:
    """Keys of the curated entries on which these listings, read for the first time, decide from now on."""
    ids = [
        entry.model_id
        for entry in curated.entries().values()
        for listing in listings
        if covers(provider.kind, provider.slug, listing, entry.model_id, bool(entry.facts.get("supports_embeddings")))
    ]
    return list(AIModel.objects.filter(model_id__in=ids).values_list("pk", flat=True)) if ids else []


def _about_known(parsed: ParsedListing, comparison: Comparison) -> ParsedListing:
    """What a source of facts says of models that others offer; of the rest the catalog keeps nothing."""
    known = set(comparison.offers)
    for chunk in batches(record.model_id for record in parsed.records):
        known |= set(AIModel.objects.filter(model_id__in=chunk).values_list("model_id", flat=True))
    records = [r for r in parsed.records if r.upstream_id in comparison.offers or r.model_id in known]
    return ParsedListing(parsed.listing, records, parsed.bad, parsed.remarks)
