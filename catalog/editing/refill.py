"""Derived fields of every row, for migrations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model

from catalog import derived
from catalog.db.bulk import batches, update_rows
from catalog.db.unreadable import render_or_report
from catalog.fields import DERIVED_FIELDS, INHERITED_FIELDS
from catalog.models import AIModel
from catalog.pricing import prompt_per_million


def fill(state: Any) -> bool:
    """Derives the fields of every row, and the prices of entries, for a migration; returns whether any differed.

    `state` is AIModel as the database has it at that point. Its rows are read into today's class, whose rules these
    are: a field that the database does not have yet is at its default, and is not written.
    """
    names = {field.name for field in state._meta.concrete_fields}
    # Only what may differ: each field more makes the upgrade of a large catalog longer.
    written = [name for name in (*DERIVED_FIELDS, "prompt_price") if name in names]
    bases = dict(state._base_manager.filter(kind="custom").values_list("pk", "base_model"))
    keys = list(state._base_manager.exclude(kind="custom").values_list("pk", flat=True))
    differed = False
    # Each after its base. A circle, which every way into the product refuses, would be left as it is.
    while keys:
        for batch in batches(keys):
            differed |= _fill(state, batch, written)
        ready = {key for key, base in bases.items() if base not in bases}
        keys = sorted(ready)
        written = [name for name in (*DERIVED_FIELDS, *INHERITED_FIELDS) if name in names]
        bases = {key: base for key, base in bases.items() if key not in ready}
    return differed


def _fill(state: Any, keys: list[int], written: list[str]) -> bool:
    rows = _of_today(state, keys)
    bases = _of_today(state, {row.base_model_id for row in rows.values()} - {None})
    owners = get_user_model()._default_manager.in_bulk({row.owner_id for row in rows.values()} - {None})
    changed = []
    for row in rows.values():
        row.base_model, row.owner = bases.get(row.base_model_id), owners.get(row.owner_id)
        before = [getattr(row, name) for name in written]
        if row.kind != "custom":
            row.prompt_price = prompt_per_million(row.pricing if isinstance(row.pricing, dict) else {})
        # One that cannot be read is named in the log and stays as it is.
        render_or_report(row.model_id, derived.set_derived, row)
        if before != [getattr(row, name) for name in written]:
            changed.append(row)
    update_rows(state, changed, written)
    return bool(changed)


def _of_today(state: Any, keys: Iterable[int]) -> dict[int, Any]:
    known = {field.attname for field in AIModel._meta.concrete_fields}
    names = [field.attname for field in state._meta.concrete_fields if field.attname in known]
    rows = state._base_manager.filter(pk__in=keys).only(*names)
    return {row.pk: AIModel(**{name: getattr(row, name) for name in names}) for row in rows}
