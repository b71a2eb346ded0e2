"""Deletes a provider. Its offers go; the entries that it described stay, retired where nobody else offers them.

History stays too: what it listed and asked for ends with rows of history, and its runs outlive it under its slug.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from catalog.editing.entries import Author, audit, change_row
from catalog.models import AIModel, FieldChange
from providers.models import Provider, ProviderModel, SyncRun
from providers.sync.merge import Merger
from providers.sync.write import Plan, batches, merge_existing, write


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion does: the number of offers that go, and by id the entries that become unavailable and stay
    available, and the custom models that stand on the former, each with its owner's name."""

    offers: int
    unavailable: list[str]
    available: list[str]
    presets: list[tuple[str, str]]
    digest: str


def delete(provider: Provider, author: Author, confirmed: str = "") -> Deletion:
    """Deletes the provider, and takes that back unless it is the deletion that was `confirmed`, by its digest.

    The preview is the deletion itself, so it cannot tell anything else than what will happen. A sync of the provider
    that is under way meanwhile writes nothing any more.
    """
    with transaction.atomic():
        # Whoever writes offers holds the row of their provider; those of the others must not change either.
        list(Provider.objects.select_for_update().order_by("pk"))
        row = Provider.objects.get(pk=provider.pk)
        offers = list(row.offers.select_related("model").order_by("upstream_id"))
        keys = {offer.model_id for offer in offers if offer.model_id}
        for chunk in batches(sorted(keys)):
            list(AIModel.objects.select_for_update().filter(pk__in=chunk).order_by("pk").values_list("pk", flat=True))
        were = _available(keys)
        plan = Plan(author, history=[change for offer in offers for change in _end_of(offer, row.slug, author)])
        _keep_runs(row, author)
        row.delete()
        merger = Merger.from_database(timezone.now())
        merger.decided = frozenset(keys)
        merge_existing(keys, merger, plan, lock=False)
        write(plan)
        are = _available(keys)
        found = _told(provider, [offer.upstream_id for offer in offers], sorted(were - are), sorted(are))
        if found.digest != confirmed:
            transaction.set_rollback(True)
        else:
            gone = {"offers": [found.offers, 0], "became unavailable": [None, len(found.unavailable)]}
            audit(author, provider, "delete", gone)
    return found


def _available(keys: set[int]) -> set[str]:
    rows = (AIModel.objects.filter(pk__in=chunk, is_available=True) for chunk in batches(sorted(keys)))
    return {model_id for chunk in rows for model_id in chunk.values_list("model_id", flat=True)}


def _end_of(offer: ProviderModel, slug: str, author: Author) -> list[FieldChange]:
    """The rows of history that end an offer, without which its price and its listing would look as if never there."""
    subject = offer.model.model_id if offer.model else offer.upstream_id
    ends: list[tuple[str, Any, Any]] = [("is_listed", True, False)] if offer.is_listed else []
    if offer.pricing:
        ends.append(("pricing", offer.pricing, {}))
    return [change_row(author, subject, *end, model=offer.model, offered_by=slug) for end in ends]


def _keep_runs(row: Provider, author: Author) -> None:
    held = row.runs.filter(state=SyncRun.State.HELD, decision="")
    held.update(decision=SyncRun.Decision.REJECTED, decided_by=author.name[:255], decided_at=timezone.now())
    row.runs.update(deleted_provider=row.slug)


def _told(provider: Provider, offers: list[str], unavailable: list[str], available: list[str]) -> Deletion:
    presets: list[tuple[str, str]] = []
    for chunk in batches(unavailable):
        caller = Q(base_model__model_id__in=chunk) | Q(base_model__base_model__model_id__in=chunk)
        rows = AIModel.objects.custom().filter(caller).order_by("model_id")
        presets += rows.values_list("model_id", "owner__username")
    told = (provider.pk, provider.slug, offers, unavailable, available, sorted(presets))
    digest = hashlib.blake2b(repr(told).encode(), digest_size=16).hexdigest()
    return Deletion(len(offers), unavailable, available, sorted(presets), digest)
