"""What follows from other fields of an AI model, kept on its row so that lists filter, sort and search without a join.

A custom model has its facts from the model that it is built on; a write of that one writes them here again.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Model, QuerySet

from catalog.capabilities import task_of_model
from catalog.db.bulk import batches
from catalog.fields import DERIVED_FIELDS, INHERITED_FIELDS
from catalog.formatting import display_name
from catalog.validation import model_ids
from catalog.validation.text import fold


def facet(kind: str, word: str) -> str:
    """One line of `facets`, with its ends: what a filter looks for."""
    # A word that is no text was written past every check; it must not stop the writes of others' rows.
    return f"\n{kind}:{fold(str(word))}\n"


def set_derived(model: Any) -> None:
    """Sets what follows from other fields of this row and from its base model."""
    words = [model.model_id, model.name]
    if model.kind == "custom":
        base = model.base_model
        for field in INHERITED_FIELDS if base is not None else ():
            setattr(model, field, getattr(base, field))
        if model.delegated:
            model.alias_of = ""
        if base is None:
            model.is_available = False
        else:
            # Where the base model's own name decides, a custom model has the outcome.
            model.task = task_of_model(base)
            if not model.delegated:
                # Who may use a delegated one need not know what it is built on.
                words.append(base.model_id)
        if model.owner is not None:
            words.append(display_name(model.owner))
    else:
        model.author = model_ids.author_of(model.model_id)
    model.search_text = fold("\n".join([*words, model.family]))
    model.name_key = fold(model.name)[:255]
    lines = [
        *(("capability", word) for word in model.capabilities),
        *(("input", word) for word in model.input_modalities),
        *(("output", word) for word in model.output_modalities),
        *(("by", word) for word in model.offered_by),
        *([("family", model.family)] if model.family else []),
    ]
    model.facets = "".join(facet(kind, word) for kind, word in lines)


def _write(rows: QuerySet[Any]) -> None:
    """Writes those of these rows that differ from what now follows; so a circle of them would come to rest too."""
    changed = []
    for row in rows.select_related("base_model", "owner"):
        names = (*DERIVED_FIELDS, *INHERITED_FIELDS)
        before = [getattr(row, name) for name in names]
        set_derived(row)
        if before != [getattr(row, name) for name in names]:
            changed.append(row)
    if changed:
        rows.model._default_manager.bulk_update(changed, DERIVED_FIELDS, batch_size=200)


def refresh(model_class: type[Model], keys: list[int]) -> None:
    """After a bulk write: what follows from it, on these rows of AIModel."""
    for batch in batches(keys):
        _write(model_class._default_manager.filter(pk__in=batch))


def refresh_dependents(model_class: type[Model], keys: list[int]) -> None:
    """After a write of these rows: what follows from it, on the custom models that are built on them."""
    for batch in batches(keys):
        _write(model_class._default_manager.filter(base_model__in=batch))
