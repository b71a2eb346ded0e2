"""What providers and their syncs leave to a person, for the admin's first page."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Any

from django.db.models import Count, Max
from django.urls import reverse

from catalog.admin.decisions import NAMED, Decision, asked
from catalog.models import FieldChange
from catalog.versions import CatalogVersion
from providers.models import Provider, SyncRun
from providers.reports.conflicts import Conflict, conflicts
from providers.reports.freshness import Source, sources
from providers.sync.held_runs import waiting

# Counted no further: nobody decides on more in a day.
MOST_CONFLICTS = 200


def cards(user: Any) -> Iterable[Decision]:
    if user.has_perm("providers.view_syncrun") and (held := waiting()):
        yield _held(held)
    if user.has_perm("providers.view_provider"):
        yield from _sources(sources())
    if user.has_perm("providers.view_providermodel"):
        yield from _conflicts()


def _held(runs: list[SyncRun]) -> Decision:
    return Decision(
        10,
        len(runs),
        f"held sync{'s' * (len(runs) != 1)}",
        tuple(f"Run {run.pk} of {run.source} waits for a decision: {run.told}" for run in runs[:NAMED]),
        f"Decide on run {runs[0].pk}",
        reverse("admin:providers_syncrun_change", args=[runs[0].pk]),
    )


def _sources(found: list[Source]) -> Iterable[Decision]:
    failing = [source for source in found if source.tone == "bad"]
    # Its failure says more than its age.
    stale = [source for source in found if source.is_stale and source not in failing]
    refused = [source for source in found if source.credential_refused_at]
    if failing:
        run = failing[0].run_pk
        yield Decision(
            20,
            len(failing),
            f"source{' fails' if len(failing) == 1 else 's fail'}",
            tuple(f"{source.slug}: {source.message or source.words}" for source in failing[:NAMED]),
            f"See run {run} of {failing[0].slug}",
            reverse("admin:providers_syncrun_change", args=[run]),
        )
    if refused:
        yield Decision(
            30,
            len(refused),
            f"credential{' is' if len(refused) == 1 else 's are'} refused",
            tuple(f"{s.slug}, since {s.credential_refused_at:%Y-%m-%d %H:%M}" for s in refused[:NAMED]),
            f"Enter another for {refused[0].slug}",
            reverse("admin:providers_provider_change", args=[refused[0].pk]),
        )
    if stale:
        yield Decision(
            40,
            len(stale),
            f"source{' was' if len(stale) == 1 else 's were'} not read for a day",
            tuple(f"{source.slug}, last read whole: {source.age}" for source in stale[:NAMED]),
            f"Sync {stale[0].slug}",
            reverse("admin:providers_provider_change", args=[stale[0].pk]),
        )


def _read_last() -> tuple[Any, ...]:
    """Differs wherever an offer differs: each comes by a sync, which says when, or by an edit, which leaves a row."""
    read = Provider.objects.filter(is_active=True).aggregate(last=Max("last_success_at"), count=Count("pk"))
    edited = FieldChange.objects.order_by("-pk").values_list("pk", flat=True).first()
    return CatalogVersion.objects.current(), read["last"], read["count"], edited


@lru_cache(maxsize=2)
def _found(read_last: tuple[Any, ...]) -> list[Conflict]:
    """Once for each state of the offers: thousands of them take longer than a page should."""
    return list(islice(conflicts(), MOST_CONFLICTS + 1))


def _conflicts() -> Iterable[Decision]:
    if found := _found(_read_last()):
        yield Decision(
            70,
            min(len(found), MOST_CONFLICTS),
            f"disagreement{'s' * (len(found) != 1)} between sources",
            tuple(f"{one.model_id}: {one.field.replace('_', ' ').replace('.', ', ')}" for one in found[:NAMED]),
            "Look at them",
            reverse("admin:providers_providermodel_conflicts"),
            is_least=len(found) > MOST_CONFLICTS,
        )


asked.append(cards)
