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

from catalog.access import rules
from catalog.db.bulk import batches
from catalog.editing.history import Author, audit
from catalog.models import AIModel
from providers.models import Provider, ProviderModel, SyncRun
from providers.sync.merge import Merger
from providers.sync.plan import Change, Plan, change, lock_entries, merge_entries
from providers.sync.write import write


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion does: the number of offers that go, and by id the entries that become unavailable and stay
    available, and the custom models that are built on the former, each with its owner's name."""

    offers: int
    unavailable: list[str]
    available: list[str]
    presets: list[tuple[str, str]]
    digest: str


def delete(provider: Provider, author: Author, confirmed: str = "") -> Deletion:
    """Deletes the provider, and takes that back unless it is the deletion that was `confirmed`, by its digest.

    The preview is the deletion itself, so that it always matches what happens on confirmation. A sync of the provider
    that is under way meanwhile writes nothing any more.
    """
    with transaction.atomic():
        # Whoever writes offers holds the row of their provider; those of the others must not change either.
        list(Provider.objects.select_for_update().order_by("pk"))
        row = Provider.objects.get(pk=provider.pk)
        offers = list(row.offers.select_related("model").order_by("upstream_id"))
        keys = {offer.model_id for offer in offers if offer.model_id}
        lock_entries(sorted(keys))
        were = _available(keys)
        ends = [end for offer in offers for end in _end_of(offer, row.slug)]
        _keep_runs(row, author)
        row.delete()
        merged = merge_entries(keys, Merger.from_database(timezone.now(), decided=keys), lock=False)
        write(Plan(author, changed_entries=merged.entries, history=[*ends, *merged.history]))
        are = _available(keys)
        found = _deletion(provider, [offer.upstream_id for offer in offers], sorted(were - are), sorted(are))
        if found.digest != confirmed:
            transaction.set_rollback(True)
        else:
            gone = {"offers": [found.offers, 0], "became unavailable": [None, len(found.unavailable)]}
            audit(author, provider, "delete", gone)
    return found


def _available(keys: set[int]) -> set[str]:
    rows = (AIModel.objects.filter(pk__in=chunk, is_available=True) for chunk in batches(sorted(keys)))
    return {model_id for chunk in rows for model_id in chunk.values_list("model_id", flat=True)}


def _end_of(offer: ProviderModel, slug: str) -> list[Change]:
    """The changes that end an offer; without them its price and its listing would look as if never there."""
    subject = offer.model.model_id if offer.model else offer.upstream_id
    ends: list[tuple[str, Any, Any]] = [("is_listed", True, False)] if offer.is_listed else []
    if offer.pricing:
        ends.append(("pricing", offer.pricing, {}))
    return [change(subject, *end, offer.model_id, slug) for end in ends]


def _keep_runs(row: Provider, author: Author) -> None:
    held = row.runs.filter(state=SyncRun.State.HELD, decision="")
    held.update(decision=SyncRun.Decision.REJECTED, decided_by=author.name[:255], decided_at=timezone.now())
    row.runs.update(deleted_provider=row.slug)


def _deletion(provider: Provider, offers: list[str], unavailable: list[str], available: list[str]) -> Deletion:
    presets: list[tuple[str, str]] = []
    for chunk in batches(unavailable):
        built = Q(*((f"{link}model_id__in", chunk) for link in rules.CHAIN[1:]), _connector=Q.OR)
        rows = AIModel.objects.custom().filter(built).order_by("model_id")
        presets += rows.values_list("model_id", "owner__username")
    shown = (provider.pk, provider.slug, offers, unavailable, available, sorted(presets))
    digest = hashlib.blake2b(repr(shown).encode(), digest_size=16).hexdigest()
    return Deletion(len(offers), unavailable, available, sorted(presets), digest)
