"""Stored values and changes as people read them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from catalog.models import FieldChange


def shown(value: Any) -> str:
    """A stored value as people read it."""
    if value is None:
        return "unknown"
    if value is True:
        return "yes"
    if value is False:
        return "no"
    if value in ("", [], {}):
        return "empty"
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return ", ".join(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def tell(rows: Iterable[FieldChange]) -> None:
    """Sets `told` on each change: what was and what is, in words. Of grants only those that differ, by name."""
    rows = list(rows)
    of_grants = {row.pk: _differing(row) for row in rows if row.field == "grants"}
    names = _names(grant for pair in of_grants.values() for side in pair for grant in side)
    for row in rows:
        pair: Any = (shown(row.old), shown(row.new))
        if row.pk in of_grants:
            pair = tuple(
                ", ".join(f"{names[_key(grant)]}: {grant.get('permission')}" for grant in side) or "no grant"
                for side in of_grants[row.pk]
            )
        row.told = pair  # type: ignore[attr-defined]


def _differing(row: FieldChange) -> tuple[list[Any], list[Any]]:
    old, new = (side if isinstance(side, list) else [] for side in (row.old, row.new))
    kept = {json.dumps(grant, sort_keys=True) for grant in old} & {json.dumps(grant, sort_keys=True) for grant in new}
    gone, come = ([grant for grant in side if json.dumps(grant, sort_keys=True) not in kept] for side in (old, new))
    return gone, come


def _key(grant: dict[str, Any]) -> tuple[str, str]:
    return str(grant.get("principal_type")), str(grant.get("principal_id"))


def _names(grants: Iterable[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Whom each grant names; who is gone by now, by number."""
    wanted = {_key(grant) for grant in grants}
    names = {(kind, pk): f"{kind} {pk}".strip() for kind, pk in wanted}
    models: tuple[tuple[str, Any, str], ...] = (("user", get_user_model(), "username"), ("group", Group, "name"))
    for kind, model, name in models:
        keys = [int(pk) for found, pk in wanted if found == kind and pk.isdecimal()]
        if keys:
            for pk, told in model._default_manager.filter(pk__in=keys).values_list("pk", name):
                names[kind, str(pk)] = f"{kind} {told}"
    return names
