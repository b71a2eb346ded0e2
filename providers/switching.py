"""Switches provider models on and off in bulk, and makes what follows from providers' settings hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from catalog.changes import Author, audit, change_row
from providers.merging import Merger
from providers.models import Provider, ProviderModel
from providers.writing import Plan, batches, merge_existing, write


class UnknownIds(Exception):
    """Ids to be excepted that no provider model in question has; a mistyped one would be switched with the rest."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__(f"No such provider model: {', '.join(ids[:20])}{' ...' if len(ids) > 20 else ''}.")
        self.ids = ids


@dataclass(frozen=True, slots=True)
class Counts:
    """`checked` are all in question: those `updated`, and those `skipped` because excepted or as wanted already."""

    checked: int
    updated: int

    @property
    def skipped(self) -> int:
        return self.checked - self.updated


def preview(
    enable: bool, *, provider: Provider | None = None, exclude: Iterable[str] = (), ignore_unknown: bool = False
) -> tuple[Counts, list[ProviderModel]]:
    """The counts of a switch and the provider models that it would change. Writes nothing. Raises UnknownIds.

    `exclude` are catalog ids or upstream ids, exactly as written; those stay as they are.
    """
    rows = ProviderModel.objects.order_by("provider_id", "upstream_id").select_related("provider", "model")
    if provider is not None:
        rows = rows.filter(provider=provider)
    rows = rows.only("upstream_id", "active", "provider__slug", "model__model_id")
    excluded = set(exclude)
    checked, changing, met = 0, [], set()
    for row in rows:
        checked += 1
        names = {row.upstream_id, row.model.model_id if row.model else ""} & excluded
        met |= names
        if not names and row.active != enable:
            changing.append(row)
    if (unknown := sorted(excluded - met)) and not ignore_unknown:
        raise UnknownIds(unknown)
    return Counts(checked, len(changing)), changing


def switch(
    enable: bool,
    *,
    provider: Provider | None = None,
    exclude: Iterable[str] = (),
    ignore_unknown: bool = False,
    by: Any = None,
    by_name: str = "",
) -> Counts:
    """Switches every provider model (of one provider) on or off but those excepted, in one transaction.

    `by` is the user who asks. Raises UnknownIds.
    """
    excluded = list(exclude)
    with transaction.atomic():
        _lock([provider] if provider else None)
        counts, changing = preview(enable, provider=provider, exclude=excluded, ignore_unknown=ignore_unknown)
        who = Author.person(by, by_name)
        _set_active(changing, enable, who)
        audit(
            who,
            provider or Provider(slug="all"),
            "enable provider models" if enable else "disable provider models",
            {"provider": [None, provider.slug if provider else None], "updated": [None, counts.updated],
             "except": [None, excluded[:100]]},
        )  # fmt: skip
    return counts


def switch_these(rows: Iterable[ProviderModel], enable: bool, *, by: Any = None, by_name: str = "") -> Counts:
    """Switches these provider models, in one transaction."""
    keys = [row.pk for row in rows]
    with transaction.atomic():
        _lock(None)
        found = [
            row
            for chunk in batches(keys)
            for row in ProviderModel.objects.filter(pk__in=chunk).select_related("provider", "model")
        ]
        changing = [row for row in found if row.active != enable]
        who = Author.person(by, by_name)
        _set_active(changing, enable, who)
        for row in changing[:1]:
            audit(
                who,
                row.provider,
                "enable provider models" if enable else "disable provider models",
                {"updated": [None, len(changing)], "models": [None, [r.upstream_id for r in changing[:100]]]},
            )
    return Counts(len(found), len(changing))


def recompute(
    provider: Provider | None = None, *, models: Iterable[int] = (), by: Any = None, by_name: str = ""
) -> int:
    """Merges anew the models that a provider offers, and these; returns how many changed.

    Called after a provider's precedence or `is_active` has changed, or with the keys of its models after it is gone.
    """
    with transaction.atomic():
        _lock(None)
        keys: set[int | None] = set(models)
        if provider is not None:
            keys.update(provider.offers.filter(model__isnull=False).values_list("model_id", flat=True))
        plan = _merged(keys, Author.person(by, by_name))
        write(plan)
    return len(plan.changed_models)


def _lock(providers: list[Provider] | None) -> None:
    """Keeps the transactions of syncs out: they lock their provider's row before they read its offers."""
    rows = Provider.objects.select_for_update().order_by("pk")
    list(rows if providers is None else rows.filter(pk__in=[provider.pk for provider in providers]))


def _set_active(changing: list[ProviderModel], enable: bool, who: Author) -> None:
    now = timezone.now()
    for chunk in batches([row.pk for row in changing]):
        ProviderModel.objects.filter(pk__in=chunk).update(active=enable, updated_at=now)
    plan = _merged((row.model_id for row in changing if row.model_id), who)
    for row in changing:
        subject = row.model.model_id if row.model else row.upstream_id
        change = change_row(who, subject, "active", not enable, enable, offered_by=row.provider.slug)
        change.model_id = row.model_id
        plan.history.append(change)
    write(plan)


def _merged(keys: Iterable[int | None], who: Author) -> Plan:
    plan = Plan(who)
    merge_existing((key for key in keys if key), Merger.now_standing(timezone.now()), plan, lock=True)
    return plan
