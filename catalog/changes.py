"""The one door for changes of AI models: writes the row, its pins, its history and the catalog's version together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Field, Model
from django.utils import timezone

from catalog.models import SYNCED_FIELDS, AIModel, AuditEntry, FieldChange, Tag


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


def stored(value: Any) -> Any:
    """`value` as history and `upstream` keep it: JSON, with dates in ISO 8601, decimals as text, rows by name."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Model):
        return str(value)
    return value


def restored(field: str, value: Any) -> Any:
    """The field's value that `stored` was made from."""
    if not isinstance(value, str):
        return value
    return cast("Field[Any, Any]", AIModel._meta.get_field(field)).to_python(value)


def change_row(
    author: Author, subject: str, field: str, old: Any, new: Any, *, model: AIModel | None = None, offered_by: str = ""
) -> FieldChange:
    """A row of history, not yet written."""
    return FieldChange(
        model=model,
        subject=subject,
        offered_by=offered_by,
        field=field,
        old=stored(old),
        new=stored(new),
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
        changes={name: [stored(part) for part in pair] for name, pair in (changes or {}).items()},
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
        changed = [name for name, value in values.items() if getattr(row, name) != value]
        history = [change_row(author, row.model_id, n, getattr(row, n), values[n], model=row) for n in changed]
        for name in changed:
            setattr(row, name, values[name])
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
            if said is not None and (value := restored(name, said["value"])) != getattr(row, name):
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


def switch(rows: Any, field: str, value: Any, author: Author) -> int:
    """Sets a field that only people set on every row of a queryset, and returns how many changed. Pins nothing."""
    if field in SYNCED_FIELDS:
        raise ValueError(f"{field} is synced: edit each entry, so that it is pinned")
    with transaction.atomic():
        changing = list(rows.exclude(**{field: value}).select_for_update())
        FieldChange.objects.bulk_create(
            [change_row(author, row.model_id, field, getattr(row, field), value, model=row) for row in changing],
            batch_size=500,
        )
        for start in range(0, len(changing), 500):
            keys = [row.pk for row in changing[start : start + 500]]
            AIModel.objects.filter(pk__in=keys).update(**{field: value, "updated_at": timezone.now()})
    return len(changing)
