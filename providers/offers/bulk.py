"""Switches provider models on and off in bulk, and merges entries again after a change of a provider's settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from catalog.db.bulk import batches
from catalog.editing.entries import NotAsShown
from catalog.editing.history import Author, audit
from catalog.models import AIModel
from providers.models import Provider, ProviderModel
from providers.sync.merge import Merger
from providers.sync.plan import Plan, change, merge_entries
from providers.sync.write import write

MOST_COMPARED = 5


class UnknownIds(Exception):
    """Ids to be excepted that no provider model in question has; a mistyped one would be switched with the rest."""

    def __init__(self, ids: list[str], known: Iterable[str] = ()) -> None:
        self.ids = ids
        names = sorted(known)
        # To compare one with thousands takes a while.
        self.near = {one: get_close_matches(one, names) for one in ids[:MOST_COMPARED]}
        named = ", ".join(map(self.worded, ids[:20]))
        super().__init__(f"No such provider model: {named}{' ...' if len(ids) > 20 else ''}.")

    def worded(self, one: str) -> str:
        near = self.near.get(one)
        return f"{one} (is {' or '.join(near)} meant?)" if near else one


@dataclass(frozen=True, slots=True)
class Counts:
    """`checked` are all in question: those `updated`, and those `skipped` because excepted or as wanted already."""

    checked: int
    updated: int

    @property
    def skipped(self) -> int:
        return self.checked - self.updated


class Entry(NamedTuple):
    pk: int
    model_id: str


class Offer(NamedTuple):
    """A provider model as far as a switch needs it: thousands are quickly read. `provider` is the slug."""

    pk: int
    active: bool
    upstream_id: str
    provider: str
    model: Entry | None


# Asked before anything is written, with the rows locked: whether these counts and these changes are what was shown.
Agreed = Callable[[Counts, list[Offer]], bool]


def preview(
    enable: bool, *, provider: Provider | None = None, exclude: Iterable[str] = (), ignore_unknown: bool = False
) -> tuple[Counts, list[Offer]]:
    """The counts of a switch and the provider models that it would change. Writes nothing. Raises UnknownIds.

    `exclude` are catalog ids or upstream ids, exactly as written; those stay as they are.
    """
    rows = ProviderModel.objects.order_by("provider_id", "upstream_id")
    if provider is not None:
        rows = rows.filter(provider=provider)
    excluded = set(exclude)
    offers = _offers(rows)
    changing, met = [], set()
    for offer in offers:
        names = {offer.upstream_id, offer.model.model_id if offer.model else ""} & excluded
        met |= names
        if not names and offer.active != enable:
            changing.append(offer)
    if (unknown := sorted(excluded - met)) and not ignore_unknown:
        known = {name for offer in offers for name in (offer.upstream_id, offer.model and offer.model.model_id) if name}
        raise UnknownIds(unknown, known)
    return Counts(len(offers), len(changing)), changing


def _offers(rows: QuerySet[ProviderModel]) -> list[Offer]:
    names = ("pk", "active", "upstream_id", "provider__slug", "model_id", "model__model_id")
    return [
        Offer(pk, active, upstream_id, slug, Entry(entry, model_id) if entry else None)
        for pk, active, upstream_id, slug, entry, model_id in rows.values_list(*names)
    ]


def switch(
    enable: bool,
    author: Author,
    *,
    provider: Provider | None = None,
    exclude: Iterable[str] = (),
    ignore_unknown: bool = False,
    agreed: Agreed | None = None,
) -> Counts:
    """Switches every provider model (of one provider) on or off but those excepted, in one transaction.

    Raises UnknownIds, and NotAsShown where `agreed` is false.
    """
    excluded = list(exclude)
    with transaction.atomic():
        _lock(provider)
        counts, changing = preview(enable, provider=provider, exclude=excluded, ignore_unknown=ignore_unknown)
        _set_active(counts, changing, enable, author, agreed)
        audit(
            author,
            provider or Provider(slug="all"),
            "enable provider models" if enable else "disable provider models",
            {"provider": [None, provider.slug if provider else None], "updated": [None, counts.updated],
             "except": [None, excluded[:100]]},
        )  # fmt: skip
    return counts


def preview_these(keys: Iterable[int], enable: bool) -> tuple[Counts, list[Offer]]:
    """The counts of a switch of these provider models, and those that it would change. Writes nothing."""
    rows = ProviderModel.objects.order_by("provider_id", "upstream_id")
    found = [offer for chunk in batches(keys) for offer in _offers(rows.filter(pk__in=chunk))]
    changing = [offer for offer in found if offer.active != enable]
    return Counts(len(found), len(changing)), changing


def switch_these(keys: Iterable[int], enable: bool, author: Author, *, agreed: Agreed | None = None) -> Counts:
    """Switches these provider models, in one transaction. Raises NotAsShown where `agreed` is false."""
    with transaction.atomic():
        _lock()
        counts, changing = preview_these(keys, enable)
        _set_active(counts, changing, enable, author, agreed)
        if changing:
            audit(
                author,
                Provider.objects.get(slug=changing[0].provider),
                "enable provider models" if enable else "disable provider models",
                {
                    "updated": [None, len(changing)],
                    "models": [None, [f"{offer.provider}: {offer.upstream_id}" for offer in changing[:100]]],
                },
            )
    return counts


def recompute(provider: Provider, author: Author) -> int:
    """Merges the models that a provider offers again, and returns how many changed.

    Called after its precedence or `is_active` has changed.
    """
    with transaction.atomic():
        _lock()
        models = AIModel.objects.filter(offers__provider=provider)
        merged = merge_entries(models.values_list("pk", flat=True), Merger.from_database(timezone.now()))
        write(Plan(author, changed_entries=merged.entries, history=merged.history))
    return len(merged.entries)


def _lock(provider: Provider | None = None) -> None:
    """Locks the rows of all providers, or of one, as each sync does before it reads offers."""
    rows = Provider.objects.select_for_update().order_by("pk")
    list(rows.filter(pk=provider.pk) if provider else rows)


def _set_active(counts: Counts, changing: list[Offer], enable: bool, author: Author, agreed: Agreed | None) -> None:
    """Raises NotAsShown where `agreed` is false of them."""
    if agreed is not None and not agreed(counts, changing):
        raise NotAsShown
    now = timezone.now()
    for chunk in batches([offer.pk for offer in changing]):
        ProviderModel.objects.filter(pk__in=chunk).update(active=enable, updated_at=now)
    keys = (offer.model.pk for offer in changing if offer.model)
    merged = merge_entries(keys, Merger.from_database(now), facts=False)
    switched = [
        change(
            offer.model.model_id if offer.model else offer.upstream_id,
            "active",
            not enable,
            enable,
            offer.model.pk if offer.model else None,
            offer.provider,
        )
        for offer in changing
    ]
    write(Plan(author, changed_entries=merged.entries, history=[*merged.history, *switched]))
