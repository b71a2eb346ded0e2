"""The one door for changes of AI models: writes the row, its pins, its history and the catalog's version together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Field, JSONField, Model
from django.utils import timezone

from catalog import flags
from catalog.fields import SYNCED_FIELDS
from catalog.models import AccessGrant, AIModel, AuditEntry, FieldChange, Tag
from catalog.validation.text import fold

# How many rows one statement of a bulk change names: SQLite takes so many parameters.
BATCH = 500


class NotAsShown(Exception):
    """A change would do something else than its person was shown before they agreed to it; nothing was written."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change: a person (`user`), a sync run (`run_id`) or the curated list."""

    source: str
    user: Any = None
    run_id: int | None = None
    name: str = ""

    @classmethod
    def person(cls, user: Any, name: str = "") -> Author:
        return cls(FieldChange.Source.PERSON, user=user, name=name or (user.get_username() if user else ""))

    @classmethod
    def sync(cls, run_id: int, provider: str) -> Author:
        return cls(FieldChange.Source.SYNC, run_id=run_id, name=provider)

    @classmethod
    def curated(cls) -> Author:
        return cls(FieldChange.Source.CURATED, name="curated list")


def to_json(value: Any) -> Any:
    """`value` as history and `upstream` keep it: JSON, with dates in ISO 8601, decimals as text, rows by name."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Model):
        return str(value)
    return value


def from_json(field: str, value: Any) -> Any:
    """The field's value that `stored` was made from."""
    if not isinstance(value, str):
        return value
    return cast("Field[Any, Any]", AIModel._meta.get_field(field)).to_python(value)


def differs(old: Any, new: Any) -> bool:
    """Whether a field would change: unlike `!=`, JSON's true is not 1 and its false not 0."""
    if old == new and isinstance(old, dict | list):
        return json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True)
    return bool(old != new)


def change_row(
    author: Author, subject: str, field: str, old: Any, new: Any, *, model: AIModel | None = None, offered_by: str = ""
) -> FieldChange:
    """A row of history, not yet written."""
    return FieldChange(
        model=model,
        subject=subject,
        offered_by=offered_by,
        field=field,
        old=to_json(old),
        new=to_json(new),
        source=author.source,
        user=author.user,
        actor=author.name,
        run_id=author.run_id,
    )


def audit(author: Author, subject: Any, action: str, changes: Mapping[str, Any] | None = None) -> None:
    """Writes to the audit log; `changes` is field -> [old, new] and holds no secret."""
    AuditEntry.objects.create(
        subject_type=subject._meta.model_name,
        subject_id=str(subject.pk),
        subject=str(subject)[:255],
        action=action,
        changes={name: [to_json(part) for part in pair] for name, pair in (changes or {}).items()},
        user=author.user,
        actor=author.name[:255],
    )


def edit(model: AIModel, values: Mapping[str, Any], author: Author, *, tags: Iterable[str] | None = None) -> list[str]:
    """Sets `values` by hand on the row as it stands now, and returns the names of the fields that changed.

    The synced fields among those changed are pinned, and only they; the entry is marked as manually updated. Nothing
    is written where nothing differs. Raises ValidationError (by field) and leaves the row as it was.
    """
    with transaction.atomic():
        row = AIModel.objects.select_for_update().get(pk=model.pk)
        changed = [name for name, value in values.items() if differs(getattr(row, name), value)]
        _refuse_wrong_kinds({name: values[name] for name in changed})
        if "requires_feature_flag" in changed:
            flags.require(values["requires_feature_flag"])
        history = [change_row(author, row.model_id, n, getattr(row, n), values[n], model=row) for n in changed]
        for name in changed:
            setattr(row, name, values[name])
        history += _follow(row, changed, author)
        if changed:
            row.full_clean(exclude={"tags"})
        names = list(changed)
        if tags is not None:
            before = sorted(row.tags.values_list("name", flat=True))
            wanted = Tag.named(tags)
            after = sorted(tag.name for tag in wanted)
            if before != after:
                history.append(change_row(author, row.model_id, "tags", before, after, model=row))
                row.tags.set(wanted)
                names.append("tags")
        if names:
            if row.kind == AIModel.Kind.CATALOG:
                row.pinned_fields = sorted({*row.pinned_fields, *(n for n in changed if n in SYNCED_FIELDS)})
                row.manually_updated = True
            row.updated_at = timezone.now()
            row.save()
            FieldChange.objects.bulk_create(history)
    model.refresh_from_db()
    return names


def _refuse_wrong_kinds(values: Mapping[str, Any]) -> None:
    """Raises ValidationError where JSON is not of the field's kind: Django validates nothing that is empty."""
    wrong = {}
    for name, value in values.items():
        field = AIModel._meta.get_field(name)
        if isinstance(field, JSONField) and not isinstance(value, type(field.get_default())):
            wrong[name] = "This is a JSON object." if isinstance(field.get_default(), dict) else "This is a JSON list."
    if wrong:
        raise ValidationError(wrong, code="wrong_kind")


def _follow(row: AIModel, changed: Iterable[str], author: Author) -> list[FieldChange]:
    """Sets what follows at once from a person's word that an entry is available, or no longer."""
    available = row.always_available or bool(row.offered_by)
    if "always_available" not in changed or row.kind != AIModel.Kind.CATALOG or row.is_available == available:
        return []
    row.is_available = available
    return [change_row(author, row.model_id, "is_available", not available, available, model=row)]


def create(values: Mapping[str, Any], author: Author, *, tags: Iterable[str] = ()) -> AIModel:
    """Adds an entry by hand. The synced fields that were given a value are pinned: a sync fills only the others."""
    _refuse_wrong_kinds(values)
    row = AIModel(**values)
    if row.requires_feature_flag:
        flags.require(row.requires_feature_flag)
    with transaction.atomic():
        if row.kind == AIModel.Kind.CATALOG:
            blank = AIModel(model_id=row.model_id)
            row.pinned_fields = sorted(
                name for name in SYNCED_FIELDS if differs(getattr(blank, name), getattr(row, name))
            )
            row.manually_updated = True
            row.is_available = row.always_available
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
    """Hands pinned fields back to sync (all of them, and the entry's mark, where `fields` is None).

    Each takes at once what upstream says meanwhile. Returns the names released. Raises ValidationError for a field
    that is not pinned.
    """
    with transaction.atomic():
        row = AIModel.objects.select_for_update().get(pk=model.pk)
        whole = fields is None
        wanted = list(row.pinned_fields) if fields is None else list(fields)
        if strangers := [name for name in wanted if name not in row.pinned_fields]:
            raise ValidationError(f"Not pinned: {', '.join(strangers)}.", code="not_pinned")
        history = []
        for name in wanted:
            said = row.upstream.get(name)
            if said is not None and (value := from_json(name, said["value"])) != getattr(row, name):
                history.append(change_row(author, row.model_id, name, getattr(row, name), value, model=row))
                setattr(row, name, value)
        if wanted or (whole and (row.manually_updated or row.frozen)):
            history.append(
                change_row(
                    author,
                    row.model_id,
                    "pinned_fields",
                    row.pinned_fields,
                    sorted(set(row.pinned_fields) - set(wanted)),
                    model=row,
                )
            )
            row.pinned_fields = sorted(set(row.pinned_fields) - set(wanted))
            if whole:
                row.manually_updated = row.frozen = False
            row.updated_at = timezone.now()
            row.full_clean(exclude={"tags"})
            row.save()
            FieldChange.objects.bulk_create(history)
    model.refresh_from_db()
    return wanted


# Changes of many rows at once. Each takes a queryset, returns how many rows changed, and pins nothing.


def _batches(rows: list[AIModel]) -> Iterable[list[AIModel]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def _locked(rows: Any, *fields: str) -> list[AIModel]:
    """The rows with what the change and its history need; reading all of thousands takes longer than changing them."""
    found = AIModel.objects.filter(pk__in=rows.order_by().values("pk")).order_by("pk").select_for_update()
    return list(found.only("pk", "model_id", *fields))


def _touch(rows: list[AIModel]) -> None:
    for batch in _batches(rows):
        AIModel.objects.filter(pk__in=[row.pk for row in batch]).update(updated_at=timezone.now())


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
        for batch in _batches(changing):
            keys = [row.pk for row in batch]
            AIModel.objects.filter(pk__in=keys).update(**{field: value, "updated_at": timezone.now()})
    return len(changing)


def retag(rows: Any, author: Author, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> int:
    """Puts tags on and takes tags off."""
    with transaction.atomic():
        adding = Tag.named(add)
        removing = list(Tag.objects.filter(key__in={fold(" ".join(name.split())) for name in remove}))
        changing, history, links, gone = [], [], [], []
        through = AIModel.tags.through
        locked = _locked(rows)
        held: dict[int, dict[int, str]] = {row.pk: {} for row in locked}
        for batch in _batches(locked):
            of_batch = through.objects.filter(aimodel__in=[row.pk for row in batch])
            for key, tag, name in of_batch.values_list("aimodel_id", "tag_id", "tag__name"):
                held[key][tag] = name
        for row in locked:
            before = held[row.pk]
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
        for start in range(0, len(gone), BATCH):
            through.objects.filter(aimodel__in=gone[start : start + BATCH], tag__in=removing).delete()
        FieldChange.objects.bulk_create(history, BATCH)
        _touch(changing)
    return len(changing)


def grants_of(keys: Iterable[int]) -> dict[int, list[dict[str, str]]]:
    """The grants of each model, as history keeps them."""
    told: dict[int, list[dict[str, str]]] = {key: [] for key in keys}
    wanted = list(told)
    for start in range(0, len(wanted), BATCH):
        for grant in AccessGrant.objects.filter(model__in=wanted[start : start + BATCH]):
            told[grant.model_id].append(
                {
                    "principal_type": grant.principal_type,
                    "principal_id": grant.principal_id,
                    "permission": grant.permission,
                }
            )
    return {key: sorted(grants, key=lambda grant: tuple(grant.values())) for key, grants in told.items()}


def grant_group(rows: Any, group: Any, permission: str, author: Author) -> int:
    """Grants models to a group. Those that were open to all are then only for those granted."""
    with transaction.atomic():
        locked = _locked(rows, "restricted")
        before = grants_of(row.pk for row in locked)
        for batch in _batches(locked):
            keys = [row.pk for row in batch]
            held = AccessGrant.objects.filter(model__in=keys, group=group)
            held.exclude(permission=permission).update(permission=permission)
            missing = set(keys) - set(held.values_list("model", flat=True))
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
        for batch in _batches(changing):
            # Writing them marks them as restricted, as AccessGrant.save() does, and raises the catalog's version.
            AIModel.objects.filter(pk__in=[row.pk for row in batch]).update(restricted=True, updated_at=timezone.now())
        FieldChange.objects.bulk_create(history, BATCH)
    return len(changing)


def release_all(rows: Any, author: Author) -> int:
    """Hands every pinned field of these entries back to sync."""
    held = [
        row
        for row in _locked(rows, "pinned_fields", "manually_updated", "frozen")
        if row.pinned_fields or row.manually_updated or row.frozen
    ]
    with transaction.atomic():
        for row in held:
            release(row, None, author)
    return len(held)
