"""What makes a listing suspicious, and so held: too much gone, mostly bad, or prices that moved all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from providers.models import ProviderModel, SyncRun
from providers.reading.records import ParsedListing
from providers.sync.diff import Accepted, missing

# More than this share, and more than this many, may not vanish unseen.
SHARE_GONE = Decimal("0.2")
FEW = 5
# How long a run that lost nothing, or that a person confirmed, is measured against.
CONFIRMED_FOR = timedelta(days=7)
# A common change of prices by this factor is taken for a mistake of units.
LARGE_FACTOR = 5


# What each guard lets pass, by the machine word of its hold.
LIMITS = {
    "shrunk": f"More than {FEW} models, where that is more than {SHARE_GONE:.0%} of a listing, may not vanish unseen.",
    "mostly_bad": "More than half of a listing's records may not be bad.",
    "prices_zero": "More than half of the known prices may not become zero at once.",
    "prices_missing": "More than half of the known prices may not go missing at once.",
    "prices_shifted": f"More than half of the prices may not move by a factor of {LARGE_FACTOR} the same way at once.",
}


def limits(held: Mapping[str, Any]) -> list[str]:
    """The limits that were passed by what waits in `SyncRun.held`."""
    reasons = ["shrunk"] * bool(held.get("removals"))
    reasons += [part.get("reason", "") for part in held.get("listings", {}).values()]
    return [LIMITS[reason] for reason in dict.fromkeys(reasons) if reason in LIMITS]


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a listing is held: the machine word and the sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What of a provider's listings may be applied, and what waits for a person."""

    accepted: Sequence[Accepted]
    holds: Sequence[Hold]
    # What waits, as `SyncRun.held` stores it.
    held: Mapping[str, Any]
    # The number of offers that are absent and stay: a record without a readable id may be one of them.
    spared: int


def judge(
    provider_id: int,
    offers: Mapping[str, ProviderModel],
    parsed_listings: Iterable[ParsedListing],
    *,
    allow_shrink: bool,
) -> Judgement:
    """Puts each listing before the guards. `offers` are the provider's, by upstream id."""
    before = {key: o.upstream.get("pricing", o.pricing) for key, o in offers.items() if o.is_listed}
    accepted: list[Accepted] = []
    holds: list[Hold] = []
    held: dict[str, dict[str, Any]] = {}
    spared = 0
    for parsed in parsed_listings:
        if hold := mostly_bad(parsed) or prices(before, parsed):
            holds.append(hold)
            held.setdefault("listings", {})[parsed.listing] = _whole(parsed, hold)
            continue
        gone, possible = missing(offers, parsed.listing, parsed.ids | parsed.spared, parsed.unidentified)
        spared += len(possible)
        if gone and not allow_shrink:
            listed = sum(o.is_listed and o.listing == parsed.listing for o in offers.values())
            if hold := shrunk(provider_id, parsed, [offers[key] for key in gone], listed):
                holds.append(hold)
                held.setdefault("removals", {})[parsed.listing] = gone
                gone = []
        accepted.append(Accepted(parsed, gone))
    return Judgement(accepted, holds, held, spared)


def _whole(parsed: ParsedListing, hold: Hold) -> dict[str, Any]:
    return {
        "reason": hold.reason,
        "message": hold.message,
        "records": [asdict(record) for record in parsed.records],
        "spared": sorted(parsed.spared),
        "unidentified": parsed.unidentified,
    }


def waiting_in(held: Mapping[str, Any]) -> int:
    """The number of records and removals that wait in `SyncRun.held`."""
    removals = sum(len(ids) for ids in held.get("removals", {}).values())
    return removals + sum(len(part["records"]) for part in held.get("listings", {}).values())


def mostly_bad(parsed: ParsedListing) -> Hold | None:
    # What can be read and is not accepted, such as the patterns that a proxy lists, says nothing of the shape.
    refused = sum(bool(bad.upstream_id) and not bad.is_listed for bad in parsed.bad)
    bad = len(parsed.bad) - (refused if parsed.records else 0)
    total = len(parsed.records) + bad
    if bad * 2 <= total:
        return None
    return Hold("mostly_bad", f"{bad} of {total} records are bad: has upstream changed its shape?")


def prices(before: Mapping[str, Mapping[str, Any]], parsed: ParsedListing) -> Hold | None:
    """Compares prices by upstream id with those that upstream gave last."""
    were = now_zero = now_unknown = up = down = 0
    for record in parsed.records:
        for name in ("prompt", "completion"):
            old, new = before.get(record.upstream_id, {}).get(name), record.pricing.get(name)
            if old is None or not (price := Decimal(old)):
                continue
            were += 1
            if new is None:
                now_unknown += 1
            elif not (now := Decimal(new)):
                now_zero += 1
            else:
                up += now >= price * LARGE_FACTOR
                down += now * LARGE_FACTOR <= price
    if _common(now_zero, were):
        return Hold("prices_zero", f"{now_zero} of {were} prices are suddenly zero.")
    if _common(now_unknown, were):
        return Hold("prices_missing", f"{now_unknown} of {were} prices are suddenly missing.")
    if _common(max(up, down), were):
        way = "risen" if up > down else "fallen"
        return Hold(
            "prices_shifted",
            f"{max(up, down)} of {were} prices have {way} by a factor of {LARGE_FACTOR} or more at once.",
        )
    return None


def _common(moved: int, prices: int) -> bool:
    """Whether so many prices moved alike that it is not the models' doing."""
    return moved * 2 > prices and (moved > FEW or moved == prices > 1)


def shrunk(provider_id: int, parsed: ParsedListing, gone: Sequence[ProviderModel], listed: int) -> Hold | None:
    """Whether too many of a listing's models are gone, now or since its size was last confirmed.

    `gone` are those that are listed now and would be retired; `listed` counts all that are listed now.
    """
    if _too_many(len(gone), listed):
        return Hold("shrunk", _are_gone(len(gone), f"{listed} models"))
    confirmed = _confirmed(provider_id, parsed.listing)
    if confirmed is None:
        return None
    since, size = confirmed
    # Of those it listed then: the ones that would go today, and the ones that leaked away meanwhile.
    leaked = ProviderModel.objects.filter(
        provider=provider_id,
        listing=parsed.listing,
        is_listed=False,
        unlisted_at__gt=since,
        first_listed_at__lte=since,
    ).values_list("upstream_id", flat=True)
    missing = sum(offer.first_listed_at <= since for offer in gone)
    missing += len(set(leaked) - parsed.ids - parsed.spared)
    if _too_many(missing, size):
        day = since.strftime("%Y-%m-%d %H:%M")
        return Hold("shrunk", _are_gone(missing, f"the {size} models that were confirmed on {day} UTC"))
    return None


def _are_gone(number: int, of: str) -> str:
    return f"{number} of {of} {'is' if number == 1 else 'are'} gone."


def _too_many(gone: int, size: int) -> bool:
    return gone > FEW and gone > SHARE_GONE * size


def _confirmed(provider_id: int, listing: str) -> tuple[Any, int] | None:
    """When the listing's size was last confirmed, and the size."""
    earliest = timezone.now() - CONFIRMED_FOR
    runs = SyncRun.objects.filter(provider=provider_id, confirmed=True, sizes__has_key=listing, ended_at__gte=earliest)
    run = runs.order_by("-id").first()
    return (run.decided_at or run.ended_at, run.sizes[listing]) if run and run.ended_at else None
