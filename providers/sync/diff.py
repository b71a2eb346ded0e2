"""What parsed listings change in a provider's offers. Nothing is written here, and no row that is compared changes."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from django.db import models

from catalog.pricing import Tariff
from providers.models import Provider, ProviderModel
from providers.reading.records import ParsedListing, Record
from providers.reading.release_dates import FIELD as RELEASED_AT

# What upstream describes of an offer; a person's change of one of these pins it.
OFFER_FIELDS = ("display_name", "pricing", "context_length", "max_output_tokens")
# Those whose changes are history; a change of the name is the model's own history already.
HISTORY_FIELDS = ("pricing", "context_length", "max_output_tokens")

Row = TypeVar("Row", bound=models.Model)


class Difference(NamedTuple):
    """One field that changes, as history records it."""

    field: str
    old: Any
    new: Any


class Accepted(NamedTuple):
    """A listing whose records are compared, and the upstream ids of the offers that it retires."""

    parsed: ParsedListing
    retires: Sequence[str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A provider's offers as they will be, by upstream id, and which of them must be written."""

    offers: Mapping[str, ProviderModel]
    added: Sequence[str]
    # The offers that are there and must be written, each with its history.
    changed: Mapping[str, Sequence[Difference]]
    updated: Collection[str]
    returned: Collection[str]
    retired: Collection[str]
    # The catalog id of each offer that has no entry yet.
    wanted: Mapping[str, str]
    unchanged: int

    @property
    def counts(self) -> dict[str, int]:
        return {
            "added": len(self.added),
            "updated": len(self.updated),
            "retired": len(self.retired),
            "returned": len(self.returned),
            "unchanged": self.unchanged,
        }


def offers_of(provider: Provider) -> dict[str, ProviderModel]:
    """All that the provider has ever offered, by upstream id."""
    return {offer.upstream_id: offer for offer in ProviderModel.objects.filter(provider=provider).order_by()}


def replaced(row: Row, **values: Any) -> Row:
    """A copy of the row with other values."""
    # As copy.copy() makes it, in a third of the time: a large listing has thousands.
    found = type(row).__new__(type(row))
    vars(found).update(vars(row), _state=copy.copy(row._state))
    for name, value in values.items():
        setattr(found, name, value)
    return found


def missing(
    offers: Mapping[str, ProviderModel], listing: str, here: Collection[str], unidentified: int
) -> tuple[list[str], list[str]]:
    """The upstream ids that the listing no longer has, and those that it may still have.

    `here` are the ids that it has, `unidentified` the number of records that do not name their model: each
    may be one of the absent, so as many are spared. Always the first by id, so that the next run spares the same.
    """
    absent = sorted(
        upstream_id
        for upstream_id, offer in offers.items()
        if offer.listing == listing and offer.is_listed and upstream_id not in here
    )
    return absent[unidentified:], absent[:unidentified]


def compare(
    provider: Provider, offers: Mapping[str, ProviderModel], listings: Iterable[Accepted], now: datetime
) -> Comparison:
    """Compares the listings, in their order, with the provider's offers. A later one meets what an earlier one set."""
    found = dict(offers)
    added: list[str] = []
    changed: dict[str, list[Difference]] = {}
    updated: set[str] = set()
    returned: set[str] = set()
    retired: set[str] = set()
    wanted: dict[str, str] = {}
    unchanged = 0
    for parsed, retires in listings:
        for upstream_id in retires:
            found[upstream_id] = replaced(found[upstream_id], is_listed=False, unlisted_at=now, updated_at=now)
            changed.setdefault(upstream_id, []).append(Difference("is_listed", True, False))
            retired.add(upstream_id)
        for record in parsed.records:
            upstream_id = record.upstream_id
            offer = found.get(upstream_id)
            if offer is None:
                found[upstream_id] = _new_offer(provider, parsed.listing, record, now)
                added.append(upstream_id)
                wanted[upstream_id] = record.model_id
                continue
            if offer.listing != parsed.listing and offer.is_listed:
                continue  # Another listing of the provider has it and describes it.
            if offer.model_id is None:
                wanted[upstream_id] = record.model_id
            values, history = _differences(offer, parsed.listing, record)
            if not values:
                unchanged += 1
                continue
            (updated if offer.is_listed else returned).add(upstream_id)
            found[upstream_id] = replaced(offer, **values, updated_at=now)
            changed.setdefault(upstream_id, []).extend(history)
    return Comparison(found, added, changed, updated, returned, retired, wanted, unchanged)


def _new_offer(provider: Provider, listing: str, record: Record, now: datetime) -> ProviderModel:
    return ProviderModel(
        provider=provider,
        upstream_id=record.upstream_id,
        listing=listing,
        facts=record.facts,
        first_listed_at=now,
        updated_at=now,
        **_values_of(record, {}),
    )


def _differences(offer: ProviderModel, listing: str, record: Record) -> tuple[dict[str, Any], list[Difference]]:
    """The values that the record changes on an offer, and those of the changes that are history.

    A pinned field stays as it is; upstream's value is noted in `upstream`.
    """
    facts = offer.facts if offer.is_listed and _says_no_more(record.facts, offer.facts) else record.facts
    record = replace(record, facts=facts)
    upstream = dict(offer.upstream)
    wanted: dict[str, Any] = {"facts": facts, "upstream": upstream, "listing": listing}
    for name, value in _values_of(record, offer.upstream.get("pricing", offer.pricing)).items():
        if name in offer.pinned_fields:
            upstream[name] = value
        else:
            upstream.pop(name, None)
            wanted[name] = value
    if not offer.is_listed:
        wanted |= {"is_listed": True, "unlisted_at": None}
    values = {name: value for name, value in wanted.items() if getattr(offer, name) != value}
    history = [Difference(name, getattr(offer, name), values[name]) for name in HISTORY_FIELDS if name in values]
    if not offer.is_listed:
        history.append(Difference("is_listed", False, True))
    return values, history


def _says_no_more(facts: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether all that upstream says now it said before, and maybe more: what it leaves out blanks nothing.

    A llama.cpp that loads its model lists it without its context and size, and with them again soon after.
    """
    if facts.get(RELEASED_AT) != before.get(RELEASED_AT):
        return False  # It was found to be none.
    extras, known = (dict(found.get("extras", {})) for found in (facts, before))
    return {**before, **facts, "extras": known | extras} == {**before, "extras": known}


def _values_of(record: Record, before: dict[str, Any]) -> dict[str, Any]:
    """The fields of an offer as the record has them; `before` is the price that upstream gave last."""
    return {
        "display_name": str(record.facts.get("name", "")),
        "pricing": Tariff(record.pricing).steadied(before),
        "context_length": record.facts.get("context_length"),
        "max_output_tokens": record.facts.get("max_output_tokens"),
    }
