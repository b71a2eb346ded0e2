"""Writes a plan: entries, offers, grants and history, in the caller's transaction. What it is given stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from catalog.db.bulk import BATCH, update_rows
from catalog.editing.history import change_row
from catalog.models import AccessGrant, AIModel, CatalogVersion, FieldChange
from providers.models import Provider, ProviderModel
from providers.sync.diff import OFFER_FIELDS, replaced
from providers.sync.plan import Plan

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


def write(plan: Plan, provider: Provider | None = None) -> None:
    """Writes the plan. `provider` is whose offers they are: it decides for whom new entries arrive."""
    if not plan:
        return
    keys = _create_entries(plan.new_entries, provider)
    if plan.changed_entries:
        rows = [replaced(row, **values, last_synced_at=timezone.now()) for row, values in plan.changed_entries]
        written = {name for _, values in plan.changed_entries for name in values}
        AIModel.objects.bulk_update(rows, written | {"last_synced_at"})
    ProviderModel.objects.bulk_create([_linked(offer, plan, keys) for offer in plan.new_offers], BATCH)
    changed = [_linked(offer, plan, keys) for offer in plan.changed_offers]
    update_rows(ProviderModel, changed, WRITTEN_OFFER_FIELDS)
    history = []
    for change in plan.history:
        row = change_row(
            plan.author, change.subject, change.field, change.old, change.new, offered_by=change.offered_by
        )
        row.model_id = keys[change.entry] if isinstance(change.entry, str) else change.entry
        history.append(row)
    FieldChange.objects.bulk_create(history, BATCH)
    CatalogVersion.objects.bump([])


def _create_entries(entries: Mapping[str, Mapping[str, Any]], provider: Provider | None) -> dict[str, int]:
    """Inserts the entries with the provider's grants, and returns their keys by id."""
    if not entries:
        return {}
    groups = list(provider.new_models_groups.order_by("pk")) if provider else []
    rows = AIModel.objects.bulk_create(
        AIModel(model_id=model_id, restricted=bool(groups), last_synced_at=timezone.now(), **values)
        for model_id, values in entries.items()
    )
    AccessGrant.objects.bulk_create(
        AccessGrant(model=row, principal_type=AccessGrant.Principal.GROUP, group=group)
        for row in rows
        for group in groups
    )
    return {row.model_id: row.pk for row in rows}


def _linked(offer: ProviderModel, plan: Plan, keys: Mapping[str, int]) -> ProviderModel:
    """A copy of the offer, with the key of its entry where the plan makes that."""
    entry = plan.links.get(offer.upstream_id)
    return replaced(offer, model_id=keys[entry] if entry else offer.model_id)
