"""Changes of one provider model by hand: fields that upstream sends too are pinned, and the entry is merged at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from catalog.editing.entries import NotAsShown
from catalog.editing.history import Author
from providers.models import Provider, ProviderModel
from providers.sync.diff import OFFER_FIELDS
from providers.sync.merge import Merger
from providers.sync.plan import Change, Plan, change, merge_entries
from providers.sync.write import write


def edit(offer: ProviderModel, values: Mapping[str, Any], author: Author) -> None:
    """Sets `values` on the row as it is stored; those of OFFER_FIELDS that change are pinned.

    Writes nothing where nothing differs. Raises ValidationError by field.
    """
    with transaction.atomic():
        row = _locked(offer)
        changed = [name for name, value in values.items() if getattr(row, name) != value]
        history = [_change(row, name, getattr(row, name), values[name]) for name in changed]
        upstream = dict(row.upstream)
        for name in changed:
            if name in OFFER_FIELDS:
                upstream.setdefault(name, getattr(row, name))
            setattr(row, name, values[name])
        if changed:
            row.full_clean()
            row.upstream = upstream
            row.pinned_fields = sorted({*row.pinned_fields, *(name for name in changed if name in OFFER_FIELDS)})
            _save(row, history, author)
    offer.refresh_from_db()


def release(offer: ProviderModel, field: str, author: Author, agreed: Callable[[ProviderModel], bool]) -> None:
    """Releases a pinned field: it takes upstream's value at once.

    Raises ValidationError where it is not pinned, and NotAsShown where `agreed` is false of the stored row, because it
    is not what was shown.
    """
    with transaction.atomic():
        row = _locked(offer)
        if not agreed(row):
            raise NotAsShown
        if field not in row.pinned_fields:
            raise ValidationError(f"Not pinned: {field}.", code="not_pinned")
        history, upstream = [], dict(row.upstream)
        ours = getattr(row, field)
        value = upstream.pop(field, ours)
        if value != ours:
            history.append(_change(row, field, ours, value))
            setattr(row, field, value)
        pinned = [name for name in row.pinned_fields if name != field]
        history.append(_change(row, "pinned_fields", row.pinned_fields, pinned))
        row.pinned_fields, row.upstream = pinned, upstream
        _save(row, history, author)
    offer.refresh_from_db()


def _locked(offer: ProviderModel) -> ProviderModel:
    """The row, with its provider's locked first, as every writer of offers locks them."""
    Provider.objects.select_for_update().get(pk=offer.provider_id)
    return ProviderModel.objects.select_for_update(of=("self",)).select_related("provider", "model").get(pk=offer.pk)


def _save(row: ProviderModel, history: list[Change], author: Author) -> None:
    row.updated_at = timezone.now()
    row.save()
    merged = merge_entries([row.model_id] if row.model_id else [], Merger.from_database(row.updated_at))
    write(Plan(author, changed_entries=merged.entries, history=[*history, *merged.history]))


def _change(row: ProviderModel, field: str, old: Any, new: Any) -> Change:
    subject = row.model.model_id if row.model else row.upstream_id
    return change(subject, field, old, new, row.model_id, row.provider.slug)
