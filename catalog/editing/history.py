"""The history of what was changed by whom: values as history stores them, its rows, and the audit log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any, cast

from django.db.models import Field, Model

from catalog.db.bulk import batches
from catalog.models import AccessGrant, AIModel, AuditEntry, FieldChange
from catalog.models.history import REASON

# The grants of models by the models' keys, as history stores them.
Grants = dict[int, list[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change: a person (`user`), a sync run (`run_id`) or the curated list; `reason` is a person's why."""

    source: str
    user: Any = None
    run_id: int | None = None
    name: str = ""
    reason: str = ""

    @classmethod
    def person(cls, user: Any, name: str = "", reason: str = "") -> Author:
        """`user` may be None, or a group with its key: then the name is all that there is."""
        known = user if user and user.pk is not None else None
        name = name or (user.get_username() if user else "")
        return cls(FieldChange.Source.PERSON, user=known, name=name, reason=reason)

    @classmethod
    def sync(cls, run_id: int, provider: str) -> Author:
        return cls(FieldChange.Source.SYNC, run_id=run_id, name=provider)

    @classmethod
    def curated(cls) -> Author:
        return cls(FieldChange.Source.CURATED, name="curated list")


def to_json(value: Any) -> Any:
    """`value` as history and `upstream` store it: JSON, with dates in ISO 8601, decimals as text, rows by name."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Model):
        return str(value)
    return value


def from_json(field: str, value: Any) -> Any:
    """The value of a field that `to_json` made `value` from."""
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
    row = FieldChange(
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
    row.reason = author.reason
    return row


def audit(author: Author, subject: Any, action: str, changes: Mapping[str, Any] | None = None) -> None:
    """Writes to the audit log; `changes` is field -> [old, new] and holds no secret."""
    AuditEntry.objects.create(
        subject_type=subject._meta.model_name,
        subject_id=str(subject.pk),
        subject=str(subject)[:255],
        action=action,
        changes={
            **{name: [to_json(part) for part in pair] for name, pair in (changes or {}).items()},
            **({REASON: [None, author.reason]} if author.reason else {}),
        },
        user=author.user,
        actor=author.name[:255],
    )


def audit_by_name(actor: str, subject: Any, action: str, changes: Mapping[str, Any] | None = None) -> None:
    """As `audit`, for an actor who is no user here."""
    audit(Author.person(None, actor), subject, action, changes)


def by_model(keys: Iterable[int], grants: Iterable[AccessGrant]) -> Grants:
    """These grants of the models of these keys, as history stores them."""
    found: Grants = {key: [] for key in keys}
    for grant in grants:
        found[grant.model_id].append(
            {
                "principal_type": grant.principal_type,
                "principal_id": grant.principal_id,
                "permission": grant.permission,
            }
        )
    return {key: sorted(of_model, key=lambda grant: tuple(grant.values())) for key, of_model in found.items()}


def grants_of(keys: Iterable[int]) -> Grants:
    """The grants of each model now, as history stores them."""
    wanted = list(keys)
    found = (AccessGrant.objects.filter(model__in=batch) for batch in batches(wanted))
    return by_model(wanted, chain.from_iterable(found))
