"""Changes of one AI model by hand: the row, its pins, its history and the catalog's version are written together.

A change is made on a row that was read and locked in the same transaction, so that it is compared with what is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import JSONField
from django.utils import timezone

from catalog import extensions, flags
from catalog.editing.history import Author, change_row, differs, from_json
from catalog.fields import SYNCED_FIELDS
from catalog.models import AIModel, CatalogVersion, FieldChange, Tag


class NotAsShown(Exception):
    """A change would do something else than its person was shown before they agreed to it; nothing was written."""


def lock(key: int) -> AIModel:
    """The row, locked until the transaction ends. Raises AIModel.DoesNotExist."""
    # No key: a model that is being built on this one, which names its key, need not wait.
    return AIModel.objects.select_for_update(no_key=True).get(pk=key)


def _settle_base(row: AIModel, base: AIModel) -> None:
    """Lets one transaction at a time build a model on another, and reads the base as the ones before have left it.

    Of two that build their models on each other's, each would find nothing wrong with the chain that it reads.
    """
    CatalogVersion.objects.hold()
    row.base_model = AIModel.objects.filter(pk=base.pk).first()


def copy_of(row: AIModel) -> AIModel:
    """The same row as an instance of its own, which a form that is bound to the other one does not write into."""
    names = [field.attname for field in AIModel._meta.concrete_fields]
    return AIModel.from_db(row._state.db, names, [getattr(row, name) for name in names])


def _bring_up_to_date(model: AIModel, row: AIModel) -> None:
    for field in AIModel._meta.concrete_fields:
        setattr(model, field.attname, getattr(row, field.attname))
    vars(model).pop("_prefetched_objects_cache", None)


def edit(model: AIModel, values: Mapping[str, Any], author: Author, *, tags: Iterable[str] | None = None) -> list[str]:
    """As `edit_locked`, for a model that is not locked; it is brought up to date where the change is made."""
    with transaction.atomic():
        row = lock(model.pk)
        names = edit_locked(row, values, author, tags=tags)
    _bring_up_to_date(model, row)
    return names


def pin(model: AIModel, values: Mapping[str, Any], author: Author) -> None:
    """Sets synced fields by hand, and pins also those that have these values already: no sync changes them then."""
    with transaction.atomic():
        row = lock(model.pk)
        edit_locked(row, values, author)
        pinned = sorted({*row.pinned_fields, *values})
        if pinned != row.pinned_fields:
            history = [change_row(author, row.model_id, "pinned_fields", row.pinned_fields, pinned, model=row)]
            row.pinned_fields, row.manually_updated = pinned, True
            _save(row, [], history)


def edit_locked(
    row: AIModel, values: Mapping[str, Any], author: Author, *, tags: Iterable[str] | None = None
) -> list[str]:
    """Sets `values` by hand on a locked row, and returns the names of the fields that changed.

    The synced fields among those changed are pinned, and only they; the entry is marked as manually updated. Nothing
    is written where nothing differs. Raises ValidationError (by field), and `row` is not to be used then.
    """
    changed = [name for name, value in values.items() if differs(getattr(row, name), value)]
    _refuse_wrong_kinds({name: values[name] for name in changed})
    if "requires_feature_flag" in changed:
        flags.require(values["requires_feature_flag"])
    history = [change_row(author, row.model_id, n, getattr(row, n), values[n], model=row) for n in changed]
    for name in changed:
        setattr(row, name, values[name])
    if "base_model" in changed and row.base_model is not None:
        _settle_base(row, row.base_model)
    written = [*changed, *_set_availability(row, changed)]
    history += [
        change_row(author, row.model_id, name, not row.is_available, row.is_available, model=row)
        for name in written[len(changed) :]
    ]
    if changed:
        # The id does not change, and to check that it is unique would be one more read of the table.
        row.full_clean(exclude={"tags", "model_id"} - {*changed})
    names = list(changed)
    if tags is not None and (tagged := _set_tags(row, tags, author)):
        history.append(tagged)
        names.append("tags")
    if names:
        if row.kind == AIModel.Kind.CATALOG:
            row.pinned_fields = sorted({*row.pinned_fields, *(n for n in changed if n in SYNCED_FIELDS)})
            row.manually_updated = True
        _save(row, written, history)
    return names


def _save(row: AIModel, names: Iterable[str], history: list[FieldChange]) -> None:
    row.updated_at = timezone.now()
    row.save(update_fields=[*names, "pinned_fields", "manually_updated", "frozen", "updated_at"])
    FieldChange.objects.bulk_create(history)


def _set_tags(row: AIModel, names: Iterable[str], author: Author) -> FieldChange | None:
    """Sets the tags, and returns the row of history; None where they are these already."""
    before = sorted(row.tags.values_list("name", flat=True))
    wanted = Tag.named(names)
    after = sorted(tag.name for tag in wanted)
    if before == after:
        return None
    row.tags.set(wanted)
    return change_row(author, row.model_id, "tags", before, after, model=row)


def _refuse_wrong_kinds(values: Mapping[str, Any]) -> None:
    """Raises ValidationError where JSON is not of the field's kind: Django validates nothing that is empty."""
    wrong = {}
    for name, value in values.items():
        field = AIModel._meta.get_field(name)
        if isinstance(field, JSONField) and not isinstance(value, type(field.get_default())):
            wrong[name] = "This is a JSON object." if isinstance(field.get_default(), dict) else "This is a JSON list."
    if wrong:
        raise ValidationError(wrong, code="wrong_kind")


def _set_availability(row: AIModel, changed: Iterable[str]) -> list[str]:
    """Sets what follows from a change of `always_available`, and returns the names of the fields set."""
    if "always_available" not in changed or row.kind != AIModel.Kind.CATALOG:
        return []
    before, row.is_available = row.is_available, extensions.is_available(row)
    return ["is_available"] if row.is_available != before else []


def create(values: Mapping[str, Any], author: Author, *, tags: Iterable[str] = ()) -> AIModel:
    """Adds an entry by hand. The synced fields that were given a value are pinned: a sync fills only the others."""
    _refuse_wrong_kinds(values)
    row = AIModel(**values)
    if row.requires_feature_flag:
        flags.require(row.requires_feature_flag)
    with transaction.atomic():
        if row.base_model is not None:
            _settle_base(row, row.base_model)
        if row.kind == AIModel.Kind.CATALOG:
            blank = AIModel(model_id=row.model_id)
            row.pinned_fields = sorted(
                name for name in SYNCED_FIELDS if differs(getattr(blank, name), getattr(row, name))
            )
            row.manually_updated = True
            row.is_available = extensions.is_available(row)
        row.full_clean(exclude={"tags"})
        row.save()
        row.tags.set(Tag.named(tags))
        history = [change_row(author, row.model_id, "created", None, row.model_id, model=row)]
        history += [
            change_row(author, row.model_id, name, None, getattr(row, name), model=row) for name in row.pinned_fields
        ]
        FieldChange.objects.bulk_create(history)
    return row


def release(model: AIModel, fields: Iterable[str] | None, author: Author) -> list[str]:
    """As `release_locked`, for a model that is not locked; it is brought up to date where the change is made."""
    with transaction.atomic():
        row = lock(model.pk)
        names = release_locked(row, fields, author)
    _bring_up_to_date(model, row)
    return names


def release_locked(row: AIModel, fields: Iterable[str] | None, author: Author) -> list[str]:
    """Lets sync write pinned fields of a locked row again (all, and the entry's mark, where `fields` is None).

    Each takes at once the value that upstream has for it. Returns the names released. Raises ValidationError for a
    field that is not pinned.
    """
    whole = fields is None
    wanted = list(row.pinned_fields) if fields is None else list(fields)
    if strangers := [name for name in wanted if name not in row.pinned_fields]:
        raise ValidationError(f"Not pinned: {', '.join(strangers)}.", code="not_pinned")
    if not wanted and not (whole and (row.manually_updated or row.frozen)):
        return wanted
    changed, history = [], []
    for name in wanted:
        said = row.upstream.get(name)
        if said is not None and (value := from_json(name, said["value"])) != getattr(row, name):
            history.append(change_row(author, row.model_id, name, getattr(row, name), value, model=row))
            setattr(row, name, value)
            changed.append(name)
    pinned = sorted(set(row.pinned_fields) - set(wanted))
    history.append(change_row(author, row.model_id, "pinned_fields", row.pinned_fields, pinned, model=row))
    row.pinned_fields = pinned
    if whole:
        row.manually_updated = row.frozen = False
    row.full_clean(exclude={"tags", "model_id"})
    _save(row, changed, history)
    return wanted
