"""The decision of a person on a run that is held: applies exactly what was shown, or lets it go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from catalog.editing.entries import NotAsShown
from catalog.editing.history import Author, audit
from catalog.formatting import change
from providers.models import Provider, ProviderModel, SyncRun
from providers.reading.records import ParsedListing, Record
from providers.sync import diff
from providers.sync.diff import Accepted, Comparison
from providers.sync.guards import waiting_in
from providers.sync.merge import Merger
from providers.sync.plan import Plan, plan_offers
from providers.sync.write import write

# What a line says of a model that is new, and of one that is gone.
ADDED = "would be added"
RETIRED = "would be retired"


class NotHeld(Exception):
    """There is nothing to decide; the text gives the reason."""


class Line(NamedTuple):
    """What a run holds of one model, in words."""

    listing: str
    upstream_id: str
    what: str

    @property
    def author(self) -> str:
        """What the id begins with, or "" where it names no author."""
        author, slash, _ = self.upstream_id.partition("/")
        return author if slash else ""


class Effect(NamedTuple):
    """What accepting would come to: the counts, and the ids of the entries that nobody could use any more."""

    counts: dict[str, int]
    unavailable: list[str]


def _provider_of(run: SyncRun) -> Provider:
    """Raises NotHeld where the provider has been deleted since."""
    if run.provider is None:
        raise NotHeld(f"The provider of run {run.pk} has been deleted.")
    return run.provider


def lines(run: SyncRun) -> list[Line]:
    """What would change if all that the run holds were accepted now, in the order of listings and ids.

    Raises NotHeld where its provider is gone.
    """
    provider = _provider_of(run)
    if not run.held.get("listings"):
        return _removals(provider, run)
    comparison, _ = _compare(provider, run, None, timezone.now())
    words = dict.fromkeys(comparison.retired, RETIRED)
    words |= {key: ADDED for key in comparison.added}
    words |= {key: "would be listed again" for key in comparison.returned}
    words |= {key: _differences(comparison.changed.get(key, [])) for key in comparison.updated}
    return sorted(Line(comparison.offers[key].listing, key, what) for key, what in words.items())


def _removals(provider: Provider, run: SyncRun) -> list[Line]:
    """The lines of a run that holds nothing else: to compare thousands of offers with nothing takes long."""
    offers = ProviderModel.objects.filter(provider=provider, is_listed=True)
    listing_of = dict(offers.values_list("upstream_id", "listing"))
    held = {key for ids in run.held.get("removals", {}).values() for key in ids}
    return sorted(Line(listing_of[key], key, RETIRED) for key in held & listing_of.keys())


def effect(run: SyncRun, only: Iterable[str] | None = None) -> Effect:
    """What accepting all that the run holds would do now, or no more than these upstream ids of it. Writes nothing."""
    now, provider = timezone.now(), _provider_of(run)
    comparison, _ = _compare(provider, run, None if only is None else set(only), now)
    plan = _plan(provider, run, comparison, Author.sync(run.pk, provider.slug), now, lock=False)
    gone = sorted({row.subject for row in plan.history if row.field == "is_available" and row.new is False})
    return Effect(comparison.counts, gone)


def apply_held(
    run: SyncRun, by: Any, only: Iterable[str] | None = None, agreed: Callable[[list[Line]], bool] | None = None
) -> dict[str, int]:
    """Applies what the run holds and returns the counts. `by` is the user who decides.

    With `only`, upstream ids, no more than these of it: the rest waits on. Raises NotHeld, and NotAsShown where
    `agreed` finds that the lines of the run are not those that were shown.
    """
    chosen = None if only is None else set(only)
    who = Author.person(by)
    with transaction.atomic():
        provider, row = _open(run)
        if agreed is not None and not agreed(lines(row)):
            raise NotAsShown
        now = timezone.now()
        comparison, rest = _compare(provider, row, chosen, now)
        author = Author.sync(row.pk, f"{provider.slug}, confirmed by {who.name}"[:255])
        write(_plan(provider, row, comparison, author, now), provider)
        done = comparison.counts
        row.held = rest
        row.counts = _counts_after(row, done)
        if not rest:
            row.decision, row.decided_by, row.decided_at = SyncRun.Decision.ACCEPTED, who.name[:255], now
            row.confirmed = True
            provider.last_success_at = now
            provider.save(update_fields=["last_success_at"])
        row.save(update_fields=["held", "counts", "decision", "decided_by", "decided_at", "confirmed"])
        audit(who, row, "apply held run", {name: [None, number] for name, number in done.items() if number})
    run.refresh_from_db()
    return done


def reject_held(run: SyncRun, by: Any) -> None:
    """Lets go what the run holds: the catalog stays as it is. Raises NotHeld."""
    who = Author.person(by)
    with transaction.atomic():
        _, row = _open(run)
        row.decision, row.decided_by, row.decided_at = SyncRun.Decision.REJECTED, who.name[:255], timezone.now()
        row.save(update_fields=["decision", "decided_by", "decided_at"])
        audit(who, row, "reject held run")
    run.refresh_from_db()


def newer_than(run: SyncRun) -> SyncRun | None:
    """A later run of the provider that read one of the listings held here: that one is to be decided, or has been."""
    if run.provider_id is None:
        return None
    held = {*run.held.get("removals", {}), *run.held.get("listings", {})}
    later = SyncRun.objects.filter(provider=run.provider_id, pk__gt=run.pk).exclude(sizes={})
    return next((other for other in later.order_by("-pk") if held & set(other.sizes)), None)


def waiting(limit: int = 10) -> list[SyncRun]:
    """The runs that a person can still decide on, newest first."""
    read: dict[int | None, set[str]] = {}
    found: list[SyncRun] = []
    undecided = SyncRun.objects.filter(state=SyncRun.State.HELD, decision="").select_related("provider")
    for run in undecided.defer("held", "problems").order_by("-pk"):
        since = read.setdefault(run.provider_id, set())
        # A source whose runs are held hour after hour leaves many: those that a later one of them covers need no look.
        if not set(run.sizes) <= since and newer_than(run) is None:
            found.append(run)
        since.update(run.sizes)
        if len(found) == limit:
            break
    return found


def _open(run: SyncRun) -> tuple[Provider, SyncRun]:
    # The provider's row first, as every writer of its offers locks it.
    provider = Provider.objects.select_for_update().filter(pk=run.provider_id or 0).first()
    if provider is None:
        raise NotHeld(f"The provider of run {run.pk} has been deleted.")
    row = SyncRun.objects.select_for_update().get(pk=run.pk)
    if row.state != SyncRun.State.HELD:
        raise NotHeld(f"Run {row.pk} is not held: it is {row.state}.")
    if row.decision:
        raise NotHeld(f"Run {row.pk} was {row.decision} by {row.decided_by} already.")
    if later := newer_than(row):
        raise NotHeld(f"Run {later.pk} has read {provider.slug} since: what run {row.pk} holds is out of date.")
    return provider, row


def _compare(
    provider: Provider, run: SyncRun, chosen: Collection[str] | None, now: datetime
) -> tuple[Comparison, dict[str, Any]]:
    """The provider's offers once what the run holds (or what is chosen of it) is applied, and what is left of it."""
    offers = diff.offers_of(provider)
    accepted: list[Accepted] = []
    rest: dict[str, Any] = {}
    for listing, ids in run.held.get("removals", {}).items():
        taken = [key for key in ids if chosen is None or key in chosen]
        # One that staff deleted, or that another run retired, is gone already.
        present = [key for key in taken if key in offers and offers[key].is_listed]
        accepted.append(Accepted(ParsedListing(listing), present))
        if left := [] if chosen is None else [key for key in ids if key not in chosen]:
            rest.setdefault("removals", {})[listing] = left
    for listing, held in run.held.get("listings", {}).items():
        taken_of_it, left_of_it = _part(offers, listing, held, chosen)
        accepted.append(taken_of_it)
        if left_of_it:
            rest.setdefault("listings", {})[listing] = left_of_it
    return diff.compare(provider, offers, accepted, now), rest


def _part(
    offers: Mapping[str, ProviderModel], listing: str, held: dict[str, Any], chosen: Collection[str] | None
) -> tuple[Accepted, dict[str, Any] | None]:
    """What is chosen of a listing that is held whole, and what is left of it."""
    records = [Record(**record) for record in held["records"]]
    here = {record.upstream_id for record in records} | set(held["spared"])
    gone, _ = diff.missing(offers, listing, here, held["unidentified"])
    if chosen is None:
        return Accepted(ParsedListing(listing, records), gone), None
    part = ParsedListing(listing, [record for record in records if record.upstream_id in chosen])
    accepted = Accepted(part, [key for key in gone if key in chosen])
    left = [asdict(record) for record in records if record.upstream_id not in chosen]
    if not left and set(gone) <= set(chosen):
        return accepted, None
    # What is applied is in the list still, so that it is not taken for gone.
    return accepted, {**held, "records": left, "spared": sorted({*held["spared"], *part.ids})}


def _plan(
    provider: Provider, run: SyncRun, comparison: Comparison, author: Author, now: datetime, lock: bool = True
) -> Plan:
    also = [(provider.kind, provider.slug, listing) for listing in run.sizes]
    return plan_offers(provider, comparison, Merger.from_database(now, also=also), author, lock=lock)


def _counts_after(run: SyncRun, done: dict[str, int]) -> dict[str, int]:
    """The run's counts with what was accepted added, and with the number of those that still wait."""
    found = dict(run.counts)
    for name, number in done.items():
        found[name] = found.get(name, 0) + number
    waiting = waiting_in(run.held)
    return found | {"held": waiting, "accepted": run.counts.get("accepted", 0) + run.counts.get("held", 0) - waiting}


def _differences(changed: Iterable[tuple[str, Any, Any]]) -> str:
    """What would change of an offer that stays, in words."""
    return "; ".join(change(*one) for one in changed) or "no change of price or limits"
