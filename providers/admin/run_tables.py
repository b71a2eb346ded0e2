"""The tables on the pages of runs: new models, and records that were not taken, each kind of fault once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.formatting import in_words
from catalog.pricing import in_and_out
from providers.models import ProviderModel, SyncRun

# How many new models a page describes, and how many ids it names with a fault.
NEW_SHOWN = 200
NAMED = 5


@dataclass(slots=True)
class Fault:
    """What was wrong with records of one listing, with the first of their ids, or of their places in it."""

    listing: str
    reason: str
    count: int = 0
    names: list[str] = field(default_factory=list)


def faults(problems: Iterable[Mapping[str, Any]]) -> list[Fault]:
    """The problems of a run by what they say, the most frequent first."""
    found: dict[tuple[str, str], Fault] = {}
    for one in problems:
        listing, reason = str(one.get("listing", "")), str(one.get("reason", ""))
        fault = found.setdefault((listing, reason), Fault(listing, reason))
        fault.count += 1
        name = str(one.get("id") or "") or (f"no. {one['index']}" if one.get("index") is not None else "")
        if name and len(fault.names) < NAMED and name not in fault.names:
            fault.names.append(name)
    return sorted(found.values(), key=lambda fault: -fault.count)


def of_offers(offers: Iterable[ProviderModel]) -> list[dict[str, str]]:
    """New models as their provider describes them."""
    return [_row(offer.upstream_id, offer.facts, offer.pricing) for offer in list(offers)[:NEW_SHOWN]]


def of_held(run: SyncRun, wanted: Iterable[str]) -> list[dict[str, str]]:
    """Those of these upstream ids that the run holds as records."""
    ids = set(wanted)
    records = [one for part in run.held.get("listings", {}).values() for one in part["records"]]
    new = sorted((one for one in records if one["upstream_id"] in ids), key=lambda one: one["upstream_id"])
    return [_row(one["upstream_id"], one["facts"], one["pricing"]) for one in new[:NEW_SHOWN]]


def of_changes(run: SyncRun, rows: Iterable[Any]) -> list[dict[str, str]]:
    """The models that these changes of the run brought, as the provider describes them now."""
    created = [row.subject for row in rows if row.field == "created"]
    if not created or run.provider is None:
        return []
    offers = ProviderModel.objects.filter(provider=run.provider, model__model_id__in=created)
    return of_offers(offers.order_by("upstream_id"))


def _row(upstream_id: str, facts: Mapping[str, Any], prices: Mapping[str, Any]) -> dict[str, str]:
    def tokens(name: str) -> str:
        return f"{facts[name]:,}" if isinstance(facts.get(name), int) else ""

    return {
        "id": upstream_id,
        "context": tokens("context_length"),
        "output": tokens("max_output_tokens"),
        "prices": in_and_out(prices),
        "takes": in_words(facts["input_modalities"]) if facts.get("input_modalities") else "",
    }
