"""Changes of many AI models at once. Each takes a queryset, returns how many rows changed, and pins nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from catalog import flags
from catalog.db.bulk import BATCH, batches
from catalog.editing.entries import lock, release_locked
from catalog.editing.history import Author, change_row, grants_of
from catalog.fields import SYNCED_FIELDS
from catalog.models import AccessGrant, AIModel, FieldChange, Tag
from catalog.validation.text import fold


def _locked(rows: Any, *fields: str) -> list[AIModel]:
    """The rows, locked, with the columns that a change and its history need: whole rows take long to read."""
    found = AIModel.objects.filter(pk__in=rows.order_by().values("pk")).order_by("pk").select_for_update()
    return list(found.only("pk", "model_id", *fields))


def switch(rows: Any, field: str, value: Any, author: Author) -> int:
    """Sets a field that only people set."""
    if field in SYNCED_FIELDS:
        raise ValueError(f"{field} is synced: edit each entry, so that it is pinned")
    if field == "requires_feature_flag":
        flags.require(value)
    with transaction.atomic():
        changing = [row for row in _locked(rows, field) if getattr(row, field) != value]
        FieldChange.objects.bulk_create(
            [change_row(author, row.model_id, field, getattr(row, field), value, model=row) for row in changing], BATCH
        )
        for batch in batches(changing):
            keys = [row.pk for row in batch]
            AIModel.objects.filter(pk__in=keys).update(**{field: value, "updated_at": timezone.now()})
    return len(changing)


def retag(rows: Any, author: Author, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> int:
    """Adds tags and removes tags."""
    with transaction.atomic():
        adding = Tag.named(add)
        removing = list(Tag.objects.filter(key__in={fold(" ".join(name.split())) for name in remove}))
        changing, history, links, gone = [], [], [], []
        through = AIModel.tags.through
        locked = _locked(rows)
        tagged: dict[int, dict[int, str]] = {row.pk: {} for row in locked}
        for batch in batches(locked):
            of_batch = through.objects.filter(aimodel__in=[row.pk for row in batch])
            for key, tag, name in of_batch.values_list("aimodel_id", "tag_id", "tag__name"):
                tagged[key][tag] = name
        for row in locked:
            before = tagged[row.pk]
            after = {**before, **{added.pk: added.name for added in adding}}
            for taken in removing:
                after.pop(taken.pk, None)
            if before.keys() == after.keys():
                continue
            changing.append(row)
            history.append(
                change_row(author, row.model_id, "tags", sorted(before.values()), sorted(after.values()), model=row)
            )
            links += [through(aimodel_id=row.pk, tag_id=tag) for tag in after.keys() - before.keys()]
            gone += [row.pk] if before.keys() - after.keys() else []
        through.objects.bulk_create(links, batch_size=BATCH)
        for keys in batches(gone):
            through.objects.filter(aimodel__in=keys, tag__in=removing).delete()
        FieldChange.objects.bulk_create(history, BATCH)
        AIModel.objects.touch(row.pk for row in changing)
    return len(changing)


def grant_group(rows: Any, group: Any, permission: str, author: Author) -> int:
    """Grants models to a group. Those that were open to all are then only for those granted."""
    with transaction.atomic():
        locked = _locked(rows, "restricted")
        before = grants_of(row.pk for row in locked)
        for batch in batches(locked):
            keys = [row.pk for row in batch]
            present = AccessGrant.objects.filter(model__in=keys, group=group)
            present.exclude(permission=permission).update(permission=permission)
            missing = set(keys) - set(present.values_list("model", flat=True))
            AccessGrant.objects.bulk_create(
                AccessGrant(model_id=key, principal_type="group", group=group, permission=permission)
                for key in sorted(missing)
            )
        after = grants_of(row.pk for row in locked)
        changing = [row for row in locked if before[row.pk] != after[row.pk] or not row.restricted]
        history = []
        for row in changing:
            history.append(change_row(author, row.model_id, "grants", before[row.pk], after[row.pk], model=row))
            if not row.restricted:
                history.append(change_row(author, row.model_id, "restricted", False, True, model=row))
        for batch in batches(changing):
            # Writing them marks them as restricted, as AccessGrant.save() does, and raises the catalog's version.
            AIModel.objects.filter(pk__in=[row.pk for row in batch]).update(restricted=True, updated_at=timezone.now())
        FieldChange.objects.bulk_create(history, BATCH)
    return len(changing)


def release_all(rows: Any, author: Author) -> int:
    """Releases every pinned field of these entries, their marks and their freeze, so that sync writes them again."""
    with transaction.atomic():
        found = _locked(rows, "pinned_fields", "manually_updated", "frozen")
        keys = [row.pk for row in found if row.pinned_fields or row.manually_updated or row.frozen]
        for key in keys:
            release_locked(lock(key), None, author)
    return len(keys)
