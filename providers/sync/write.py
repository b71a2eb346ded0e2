"""Writes what a comparison and its merges come to: models, offers, grants and history, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.db import models

from catalog.db.bulk import insert_rows, update_rows
from catalog.editing.entries import Author, change_row
from catalog.fields import SYNCED_FIELDS
from catalog.models import AccessGrant, AIModel, CatalogVersion, FieldChange
from providers.models import Provider, ProviderModel
from providers.reading.namespaces import ENRICHERS
from providers.sync.diff import OFFER_FIELDS, Comparison
from providers.sync.merge import Merger

# Rows that one statement names by key, and that stand in memory besides.
BATCH = 800
WRITTEN_OFFER_FIELDS = (
    *OFFER_FIELDS,
    "facts",
    "upstream",
    "listing",
    "model",
    "is_listed",
    "unlisted_at",
    "updated_at",
)
Row = TypeVar("Row", bound=models.Model)
READ_OF_OFFERS = ("provider", "model", "upstream_id", "order", "is_listed", "active", "pricing", "facts")
# What price and availability, and what a list is searched by, depend on.
READ_FOR_OFFERS = (
    "model_id",
    "kind",
    "author",
    "name",
    "family",
    "task",
    "input_modalities",
    "output_modalities",
    *(name for name in SYNCED_FIELDS if name.startswith("supports_")),
    "always_available",
    "frozen",
    "upstream",
    "pricing",
    "prompt_price",
    "offered_by",
    "is_available",
)


@dataclass(slots=True)
class Plan:
    """Rows to write, and the history that explains them."""

    author: Author
    new_models: list[AIModel] = field(default_factory=list)
    changed_models: list[AIModel] = field(default_factory=list)
    # The names of the fields that at least one of those changes.
    fields: set[str] = field(default_factory=set)
    new_offers: list[ProviderModel] = field(default_factory=list)
    changed_offers: list[ProviderModel] = field(default_factory=list)
    history: list[FieldChange] = field(default_factory=list)
    # Offers, and the new entries that were made for them.
    made: list[tuple[ProviderModel, AIModel]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new_models or self.changed_models or self.new_offers or self.changed_offers or self.history)


def batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    rows = list(items)
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def plan_for(
    provider: Provider,
    comparison: Comparison,
    merger: Merger,
    author: Author,
    *,
    also: Iterable[int] = (),
    lock: bool = True,
) -> Plan:
    """What a comparison comes to. `also` are keys of models that must be merged anew for another reason."""
    plan = Plan(author)
    linked = _link(provider, comparison, plan, merger.now)
    offers = comparison.offers
    touched = {o.model_id for o in (offers[key] for key in comparison.changed) if o.model_id}
    touched |= {o.model_id for o in comparison.added if o.model_id}
    subjects = merge_existing(touched | set(also), merger, plan, lock=lock, instead=(provider.pk, offers.values()))
    by_model: dict[str, list[ProviderModel]] = {}
    for upstream_id, model_id in comparison.wanted.items():
        by_model.setdefault(model_id, []).append(offers[upstream_id])
    for model in plan.new_models:
        merger.merge(model, by_model[model.model_id])
        model.updated_at = model.created_at
        plan.history.append(change_row(author, model.model_id, "created", None, model.model_id, model=model))
    plan.new_offers += [offer for offer in comparison.added if offer.upstream_id in linked]
    plan.changed_offers += [offers[upstream_id] for upstream_id in comparison.changed]
    for offer in (*plan.new_offers, *plan.changed_offers):
        changes = comparison.changed[offer.upstream_id] if offer.pk else [("is_listed", None, True)]
        subject = comparison.wanted.get(offer.upstream_id) or subjects.get(offer.model_id or 0) or offer.upstream_id
        for name, old, new in changes:
            row = change_row(author, subject, name, old, new, offered_by=provider.slug)
            if offer.model_id:
                row.model_id = offer.model_id
            else:
                row.model = linked.get(offer.upstream_id)
            plan.history.append(row)
    return plan


def _link(provider: Provider, comparison: Comparison, plan: Plan, now: datetime) -> dict[str, AIModel | None]:
    """Gives each offer without a model the entry of its id, made where there is none.

    Returns, by upstream id, the entry made, or None for one that was there. An enricher makes none.
    """
    known: dict[str, int] = {}
    for ids in batches(sorted(set(comparison.wanted.values()))):
        known |= dict(AIModel.objects.filter(model_id__in=ids).values_list("model_id", "pk"))
    made: dict[str, AIModel] = {}
    linked: dict[str, AIModel | None] = {}
    for upstream_id, model_id in comparison.wanted.items():
        offer = comparison.offers[upstream_id]
        if model_id in known:
            offer.model_id = known[model_id]
            linked[upstream_id] = None
        elif provider.kind not in ENRICHERS:
            if model_id not in made:
                made[model_id] = AIModel(
                    model_id=model_id, active=provider.new_models_active, created_at=now, updated_at=now
                )
            offer.model = linked[upstream_id] = made[model_id]
            plan.made.append((offer, made[model_id]))
        if offer.pk:
            comparison.changed.setdefault(upstream_id, [])
    plan.new_models = list(made.values())
    return linked


def merge_existing(
    keys: Iterable[int],
    merger: Merger,
    plan: Plan,
    *,
    lock: bool,
    instead: tuple[int, Iterable[ProviderModel]] | None = None,
    facts: bool = True,
) -> dict[int, str]:
    """Merges these models anew into `plan` (without `facts`: price and availability), and returns key -> id of each.

    `instead` are a provider's key and its offers as they will be, where they are not in the database yet. All rows are
    locked, in the order of their keys, before any is read or written: whoever edits one holds it while waiting for the
    catalog's version, which the first write here takes.
    """
    wanted = sorted(set(keys))
    if lock:
        for chunk in batches(wanted):
            list(AIModel.objects.select_for_update().filter(pk__in=chunk).order_by("pk").values_list("pk", flat=True))
    pending: dict[int, list[ProviderModel]] = {}
    for offer in instead[1] if instead else ():
        if offer.model_id:
            pending.setdefault(offer.model_id, []).append(offer)
    subjects: dict[int, str] = {}
    for chunk in batches(wanted):
        offers: dict[int, list[ProviderModel]] = {}
        rows = ProviderModel.objects.filter(model__in=chunk).only(*READ_OF_OFFERS)
        for offer in rows.exclude(provider=instead[0]) if instead else rows:
            offers.setdefault(offer.model_id or 0, []).append(offer)
        entries = AIModel.objects.filter(pk__in=chunk, kind=AIModel.Kind.CATALOG).order_by("pk")
        for model in entries if facts else entries.only(*READ_FOR_OFFERS):
            subjects[model.pk] = model.model_id
            outcome = merger.merge(model, [*offers.get(model.pk, ()), *pending.get(model.pk, ())], facts=facts)
            if outcome.fields:
                plan.changed_models.append(model)
                plan.fields |= outcome.fields
            for name, old, new in outcome.changes:
                plan.history.append(change_row(plan.author, model.model_id, name, old, new, model=model))
    return subjects


def write(plan: Plan, provider: Provider | None = None) -> None:
    """Writes the plan. `provider` is whose offers they are: it says for whom new models arrive."""
    if not plan:
        return
    if plan.new_models:
        groups = list(provider.new_models_groups.order_by("pk")) if provider else []
        for model in plan.new_models:
            model.restricted = bool(groups)
        AIModel.objects.bulk_create(plan.new_models)
        AccessGrant.objects.bulk_create(
            AccessGrant(model=model, principal_type=AccessGrant.Principal.GROUP, group=group)
            for model in plan.new_models
            for group in groups
        )
    if plan.changed_models:
        AIModel.objects.bulk_update(plan.changed_models, sorted(plan.fields))
    # What was linked to a model that had no key takes the key that it has by now.
    for offer, model in plan.made:
        offer.model = model
    for row in plan.history:
        if row.model_id is None and row.model is not None:
            row.model = row.model
    insert_rows(ProviderModel, plan.new_offers)
    update_rows(ProviderModel, plan.changed_offers, WRITTEN_OFFER_FIELDS)
    insert_rows(FieldChange, plan.history)
    CatalogVersion.objects.bump()
