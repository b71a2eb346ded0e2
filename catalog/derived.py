"""What follows from other fields of an AI model, kept on its row so that lists filter, sort and search without a join.

A custom model has its facts from the model that it is built on; a write of that one writes them here again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models.signals import post_save, pre_delete

from catalog import versions
from catalog.api.serializers.items import render_or_report
from catalog.capabilities import task_of_model
from catalog.db.bulk import update_rows
from catalog.formatting import display_name
from catalog.validation import model_ids
from catalog.validation.text import fold

if TYPE_CHECKING:
    from catalog.models import AIModel

# What a custom model has from its base model.
INHERITED_FIELDS: tuple[str, ...] = (
    "family",
    "task",
    "context_length",
    "max_output_tokens",
    "embedding_dimensions",
    "input_modalities",
    "output_modalities",
    "tokenizer",
    "instruct_type",
    "supports_images",
    "supports_audio",
    "supports_video",
    "supports_tools",
    "supports_browser",
    "supports_reasoning",
    "supports_instruct",
    "supports_embeddings",
    "supports_structured_output",
    "supports_parallel_tool_calls",
    "supports_reasoning_summaries",
    "supports_verbosity",
    "default_verbosity",
    "reasoning_levels",
    "default_reasoning_level",
    "prefer_websockets",
    "minimal_client_version",
    "supported_parameters",
    "is_moderated",
    "retires_at",
    "knowledge_cutoff",
    "pricing",
    "prompt_price",
    "offered_by",
    "is_available",
    "supported_in_api",
    # So that it is judged with what its base stands for; unless staff delegated it.
    "alias_of",
)
DERIVED_FIELDS: tuple[str, ...] = ("author", "search_text", "name_key", "facets")
SOURCES = frozenset(
    {"model_id", "name", "owner", "owner_id", "base_model", "base_model_id", "delegated", *INHERITED_FIELDS}
)
# The batches of what is read again, so that no statement names too many rows.
_BATCH = 2000


def facet(kind: str, word: str) -> str:
    """One line of `facets`, with its ends: what a filter looks for."""
    # A word that is no text was written past every check; it must not stop the writes of others' rows.
    return f"\n{kind}:{fold(str(word))}\n"


def set_derived(model: AIModel) -> None:
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


def _rows() -> Any:
    return apps.get_model("catalog", "AIModel")._default_manager


def _write(rows: Iterable[AIModel]) -> None:
    """Writes those of these rows that differ from what now follows; so a circle of them would come to rest too."""
    changed = []
    for row in rows:
        names = (*DERIVED_FIELDS, *INHERITED_FIELDS)
        before = [getattr(row, name) for name in names]
        set_derived(row)
        if before != [getattr(row, name) for name in names]:
            changed.append(row)
    if changed:
        _rows().bulk_update(changed, DERIVED_FIELDS, batch_size=200)


def refresh(keys: list[int]) -> None:
    """After a bulk write: what follows from it, on these rows."""
    for start in range(0, len(keys), _BATCH):
        _write(_rows().filter(pk__in=keys[start : start + _BATCH]).select_related("base_model", "owner"))


def refresh_dependents(keys: list[int]) -> None:
    """After a write of these rows: what follows from it, on the custom models that are built on them."""
    for start in range(0, len(keys), _BATCH):
        built = _rows().filter(base_model__in=keys[start : start + _BATCH])
        _write(built.select_related("base_model", "owner"))


def fill(state: Any) -> bool:
    """Derives every row anew, for a migration, and returns whether any differed.

    `state` is AIModel as the database has it at that point. Its rows are read into today's class, whose rules these
    are: a field that the database does not have yet is at its default, and is not written.
    """
    names = {field.name for field in state._meta.concrete_fields}
    written = [name for name in (*DERIVED_FIELDS, *INHERITED_FIELDS) if name in names]
    bases = dict(state._base_manager.filter(kind="custom").values_list("pk", "base_model"))
    keys = list(state._base_manager.exclude(kind="custom").values_list("pk", flat=True))
    differed = False
    # Each after its base. A circle, which every way into the product refuses, would be left as it is.
    while keys:
        for start in range(0, len(keys), _BATCH):
            differed |= _fill(state, keys[start : start + _BATCH], written)
        ready = {key for key, base in bases.items() if base not in bases}
        keys = sorted(ready)
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
        # One that cannot be read is named in the log and stays as it is.
        render_or_report(row.model_id, set_derived, row)
        if before != [getattr(row, name) for name in written]:
            changed.append(row)
    update_rows(state, changed, written)
    return bool(changed)


def _of_today(state: Any, keys: Iterable[int]) -> dict[int, Any]:
    today = apps.get_model("catalog", "AIModel")
    known = {field.attname for field in today._meta.concrete_fields}
    names = [field.attname for field in state._meta.concrete_fields if field.attname in known]
    rows = state._base_manager.filter(pk__in=keys).only(*names)
    return {row.pk: today(**{name: getattr(row, name) for name in names}) for row in rows}


def _base_is_going(sender: Any, instance: AIModel, **_: Any) -> None:
    # The database clears the column behind the queryset's back; this way the custom models hear of it.
    _rows().filter(base_model=instance.pk).update(base_model=None)


def _owner_is_going(sender: Any, instance: Any, **_: Any) -> None:
    if _rows().filter(owner=instance.pk).update(owner=None):
        versions.bump()


def _owner_has_changed(sender: Any, instance: Any, created: bool, update_fields: Any = None, **_: Any) -> None:
    # Each sign-in writes `last_login`; only what is shown of an owner counts.
    if created or (update_fields is not None and set(update_fields) <= {"last_login", "password"}):
        return
    keys = list(_rows().filter(owner=instance.pk).values_list("pk", flat=True))
    if keys:
        refresh(keys)
        versions.bump()


def watch() -> None:
    """Follows what happens to base models and owners."""
    model = apps.get_model("catalog", "AIModel")
    pre_delete.connect(_base_is_going, sender=model, dispatch_uid="custom models of a base model")
    pre_delete.connect(_owner_is_going, sender=get_user_model(), dispatch_uid="custom models of an owner who goes")
    post_save.connect(_owner_has_changed, sender=get_user_model(), dispatch_uid="custom models of an owner")
