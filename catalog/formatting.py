"""Fields and stored values in words, for the pages and commands that show them to people.

Amounts of money: catalog/pricing.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from catalog import pricing

# Field -> the name by which people know it, where that is not the name itself.
_NAMES = {
    "pricing": "price",
    "is_available": "available",
    "is_listed": "listed",
    "supported_in_api": "supported in the API",
    "frozen": "freeze entry",
    "new_models_active": "new models arrive active",
}
_COUNTED = ("context_length", "max_output_tokens", "embedding_dimensions")
_PRICE = "pricing."
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+(\+00:00|Z)$")


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


def counted(number: int, one: str, many: str = "") -> str:
    """`1 entry`, `2 entries`: `many` where it is not `one` with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def label(field: str) -> str:
    """The name of a field for people: `context length`; of one price, written `pricing.prompt`, with its unit."""
    if field.startswith(_PRICE):
        kind = field.removeprefix(_PRICE)
        called = pricing.called(kind)
        return f"{called} price per million" if kind in pricing.BY_TOKEN else f"price {called}"
    return _NAMES.get(field, field.replace("_", " "))


def said(field: str, value: Any, longest: int = 200) -> str:
    """The stored value of a field in words, in the unit that people know it in."""
    if field == "pricing":
        text = pricing.in_words(value)
    elif field.startswith(_PRICE):
        text = pricing.worded(field.removeprefix(_PRICE), value)
    elif field in _COUNTED and isinstance(value, int):
        text = f"{value:,}"
    elif field == "released_at" and isinstance(value, str) and value:
        # History has it as a moment; it is known to the day.
        text = value.partition("T")[0]
    elif field == "pinned_fields" and isinstance(value, list) and value:
        text = ", ".join(map(label, value))
    elif field.endswith("_at") and isinstance(value, str) and _MOMENT.match(value):
        # As in_words has a moment; what is stored is UTC.
        text = value[:16].replace("T", " ")
    else:
        text = in_words(value)
    return _cut(text, longest)


def before_and_after(field: str, old: Any, new: Any, longest: int = 200) -> tuple[str, str]:
    """What a field was and is; of prices those that differ, and by how much."""
    if field == "pricing" and (moved := pricing.moved(old, new)):
        return (
            _cut(", ".join(f"{one.name} {one.old}" for one in moved), longest),
            _cut(", ".join(f"{one.name} {one.new}{one.by}" for one in moved), longest),
        )
    return said(field, old, longest), said(field, new, longest)


def change(field: str, old: Any, new: Any, longest: int = 200) -> str:
    """The change of one field: `completion $0.95 to $1.08 (+14 %)`, `context length: 8,192 to 16,384`."""
    if field == "pricing" and (moved := pricing.moved(old, new)):
        return "; ".join(map(str, moved))
    before, after = before_and_after(field, old, new, longest)
    return f"{label(field)}: {before} to {after}"


def _nested(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else in_words(value)


def describe(changes: Iterable[Any]) -> None:
    """Sets on each FieldChange `label`, the name of its field, and `words`: what was and what is; `told` is all of it.

    Of grants only those that differ, by name.
    """
    rows = list(changes)
    of_grants = {row.pk: _differing(row) for row in rows if row.field == "grants"}
    names = _names(grant for pair in of_grants.values() for side in pair for grant in side)
    for row in rows:
        row.label, row.words = label(row.field), before_and_after(row.field, row.old, row.new)
        row.told = change(row.field, row.old, row.new)
        if row.pk in of_grants:
            row.words = tuple(
                ", ".join(f"{names[_key(grant)]}: {grant.get('permission')}" for grant in side) or "no grant"
                for side in of_grants[row.pk]
            )
            row.told = f"{row.label}: {' to '.join(row.words)}"


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
    found = names_of((kind, int(pk)) for kind, pk in wanted if pk.isdecimal())
    named = {(kind, str(pk)): f"{kind} {name}" for (kind, pk), name in found.items()}
    return {(kind, pk): f"{kind} {pk}".strip() for kind, pk in wanted} | named


def names_of(principals: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """(`user` or `group`, key) -> the name, of those of these that there are."""
    wanted, found = [*principals], {}
    models: dict[str, tuple[Any, str]] = {"user": (get_user_model(), "username"), "group": (Group, "name")}
    for kind, (model, column) in models.items():
        if keys := {pk for of_kind, pk in wanted if of_kind == kind}:
            rows = model._default_manager.filter(pk__in=keys).values_list("pk", column)
            found.update({(kind, pk): name for pk, name in rows})
    return found
