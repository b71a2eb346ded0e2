"""Stored values in words, for the pages and commands that show them to people. Amounts of money: catalog/pricing.py."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group


def display_name(user: Any) -> str:
    """A person's full name, else the user name; of one that is an address only the part before `@`: it is private."""
    return user.get_full_name() or user.get_username().partition("@")[0]


def in_words(value: Any) -> str:
    """A stored value: "unknown", "yes", "no", "empty", the words of a list, `name: value` of an object.

    What is nested is JSON: in words it could be taken for something else.
    """
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value in ("", [], {}):
        return "empty"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return ", ".join(value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_nested(part)}" for name, part in value.items())
    return _nested(value) if isinstance(value, list) else str(value)


def short(value: Any, longest: int = 200) -> str:
    """The same, cut where it is longer."""
    text = in_words(value)
    return text if len(text) <= longest else f"{text[:longest]}…"


def _nested(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else in_words(value)


def describe(changes: Iterable[Any]) -> None:
    """Sets `words` on each FieldChange: what was and what is; of grants only those that differ, by name."""
    rows = list(changes)
    of_grants = {row.pk: _differing(row) for row in rows if row.field == "grants"}
    names = _names(grant for pair in of_grants.values() for side in pair for grant in side)
    for row in rows:
        row.words = (in_words(row.old), in_words(row.new))
        if row.pk in of_grants:
            row.words = tuple(
                ", ".join(f"{names[_key(grant)]}: {grant.get('permission')}" for grant in side) or "no grant"
                for side in of_grants[row.pk]
            )


def _differing(row: Any) -> tuple[list[Any], list[Any]]:
    old, new = (
        [grant for grant in side if isinstance(grant, dict)] if isinstance(side, list) else []
        for side in (row.old, row.new)
    )
    same = {json.dumps(grant, sort_keys=True) for grant in old} & {json.dumps(grant, sort_keys=True) for grant in new}
    gone, come = ([grant for grant in side if json.dumps(grant, sort_keys=True) not in same] for side in (old, new))
    return gone, come


def _key(grant: dict[str, Any]) -> tuple[str, str]:
    return str(grant.get("principal_type")), str(grant.get("principal_id"))


def _names(grants: Iterable[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Whom each grant names; a user or group that has been deleted, by number."""
    wanted = {_key(grant) for grant in grants}
    names = {(kind, pk): f"{kind} {pk}".strip() for kind, pk in wanted}
    models: tuple[tuple[str, Any, str], ...] = (("user", get_user_model(), "username"), ("group", Group, "name"))
    for kind, model, column in models:
        keys = [int(pk) for found, pk in wanted if found == kind and pk.isdecimal()]
        if keys:
            for pk, name in model._default_manager.filter(pk__in=keys).values_list("pk", column):
                names[kind, str(pk)] = f"{kind} {name}"
    return names
