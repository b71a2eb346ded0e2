"""What a reading changes in a provider's offers. Nothing is written here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from providers.models import Provider, ProviderModel
from providers.reading.records import ParsedListing, Record

# What upstream says of an offer; a person's change of one of these pins it.
OFFER_FIELDS = ("display_name", "pricing", "context_length", "max_output_tokens")
# Those whose changes are history; a change of the name is the model's own history already.
HISTORY_FIELDS = ("pricing", "context_length", "max_output_tokens")


@dataclass(slots=True)
class Comparison:
    """A provider's offers as they will be: `offers` all of them by upstream id, and which of them must be written."""

    offers: dict[str, ProviderModel]
    added: list[ProviderModel] = field(default_factory=list)
    # Each with its changes (field, old, new) that are history.
    changed: dict[str, list[tuple[str, Any, Any]]] = field(default_factory=dict)
    updated: set[str] = field(default_factory=set)
    returned: set[str] = field(default_factory=set)
    retired: set[str] = field(default_factory=set)
    # The catalog id of each offer that has no model yet.
    wanted: dict[str, str] = field(default_factory=dict)
    unchanged: int = 0


def offers_of(provider: Provider) -> dict[str, ProviderModel]:
    """All that the provider has ever offered, by upstream id."""
    return {offer.upstream_id: offer for offer in ProviderModel.objects.filter(provider=provider)}


def missing(
    offers: dict[str, ProviderModel], listing: str, here: Collection[str], unidentified: int
) -> tuple[list[ProviderModel], list[ProviderModel]]:
    """The offers that the listing does not hold any more, and those that it may still hold.

    `here` are the ids that it holds, `unidentified` the number of records that do not say which model they are: each
    may be one of the absent, so as many are spared. Always the first by id, that the next run may spare the same.
    """
    absent = sorted(
        (o for o in offers.values() if o.listing == listing and o.is_listed and o.upstream_id not in here),
        key=lambda offer: offer.upstream_id,
    )
    return absent[unidentified:], absent[:unidentified]


def compare(
    comparison: Comparison, provider: Provider, parsed: ParsedListing, retire: Iterable[str], now: datetime
) -> None:
    """Brings the offers to what the reading says, and retires those named."""
    for upstream_id in retire:
        _retire(comparison, comparison.offers[upstream_id], now)
    for record in parsed.records:
        offer = comparison.offers.get(record.upstream_id)
        if offer is None:
            _add(comparison, provider, parsed.listing, record, now)
        elif offer.listing == parsed.listing or not offer.is_listed:
            _update(comparison, offer, parsed.listing, record, now)
        # Else another listing of the provider holds it and describes it.


def _add(comparison: Comparison, provider: Provider, listing: str, record: Record, now: datetime) -> None:
    offer = ProviderModel(
        provider=provider,
        upstream_id=record.upstream_id,
        listing=listing,
        facts=record.facts,
        first_listed_at=now,
        updated_at=now,
        **said(record, {}),
    )
    comparison.offers[record.upstream_id] = offer
    comparison.added.append(offer)
    comparison.wanted[record.upstream_id] = record.model_id


def _update(comparison: Comparison, offer: ProviderModel, listing: str, record: Record, now: datetime) -> None:
    history: list[tuple[str, Any, Any]] = []
    dirty = False
    upstream = dict(offer.upstream)
    for name, value in said(record, dict(offer.upstream).get("pricing", offer.pricing)).items():
        if name in offer.pinned_fields:
            upstream[name] = value
        else:
            upstream.pop(name, None)
            if (old := getattr(offer, name)) != value:
                dirty = True
                if name in HISTORY_FIELDS:
                    history.append((name, old, value))
                setattr(offer, name, value)
    if offer.facts != record.facts or offer.upstream != upstream or offer.listing != listing:
        dirty = True
        offer.facts, offer.upstream, offer.listing = record.facts, upstream, listing
    if not offer.is_listed:
        offer.is_listed, offer.unlisted_at = True, None
        history.append(("is_listed", False, True))
        comparison.returned.add(offer.upstream_id)
    elif dirty:
        comparison.updated.add(offer.upstream_id)
    if offer.model_id is None:
        comparison.wanted[offer.upstream_id] = record.model_id
    if dirty or history:
        offer.updated_at = now
        comparison.changed.setdefault(offer.upstream_id, []).extend(history)
    else:
        comparison.unchanged += 1


def _retire(comparison: Comparison, offer: ProviderModel, now: datetime) -> None:
    offer.is_listed, offer.unlisted_at, offer.updated_at = False, now, now
    comparison.retired.add(offer.upstream_id)
    comparison.changed.setdefault(offer.upstream_id, []).append(("is_listed", True, False))


def said(record: Record, before: dict[str, Any]) -> dict[str, Any]:
    """The fields of an offer as the record has them; `before` is the price that upstream gave last."""
    return {
        "display_name": str(record.facts.get("name", "")),
        "pricing": steady(record.pricing, before),
        "context_length": record.facts.get("context_length"),
        "max_output_tokens": record.facts.get("max_output_tokens"),
    }


def steady(pricing: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """`pricing` without the flapping of hourly tariffs.

    Where prices depend on the time of day, upstream's base price is the one valid at the moment of reading. Where the
    windows fill the day, the base is the highest of them; otherwise a base that equals the price of a window may only
    be that window's, so the base that was known stays.
    """
    windows = [entry for entry in pricing.get("overrides", []) if "utc_start" in entry and "utc_days" not in entry]
    if not windows:
        return pricing
    found = dict(pricing)
    for name in {key for entry in windows for key in entry} - {"utc_start", "utc_end", "min_prompt_tokens"}:
        named = [entry for entry in windows if name in entry]
        values = [entry[name] for entry in named]
        if _fill_the_day([e for e in named if "min_prompt_tokens" not in e]):
            found[name] = max(values, key=Decimal)
        elif found.get(name) in values and before.get("overrides") == pricing["overrides"] and name in before:
            found[name] = before[name]
    return found


def _fill_the_day(windows: list[dict[str, Any]]) -> bool:
    minutes: set[int] = set()
    for entry in windows:
        start, end = (_minute(entry.get(edge)) for edge in ("utc_start", "utc_end"))
        # Half-open, and may wrap midnight; a window that ends where it begins is the whole day.
        length = (end - start) % 1440 or 1440
        minutes.update((start + step) % 1440 for step in range(length))
    return len(minutes) == 1440


def _minute(clock: Any) -> int:
    """Minutes since midnight of a clock time written as the number HHMM."""
    number = int(clock or 0)
    return number // 100 * 60 + number % 100
