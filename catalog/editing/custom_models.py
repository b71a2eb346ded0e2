"""Custom models: making, changing, sharing and deleting them, and what becomes of them when their base model goes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from catalog.access import rules
from catalog.access.viewers import Viewer
from catalog.editing import bulk, entries, grants
from catalog.editing.history import Author, change_row
from catalog.editing.state import state
from catalog.models import AIModel, FieldChange, ModelImage
from catalog.validation import images, model_ids

# The paths below /api/models/, which no custom model has as its id.
ROUTE_WORDS = frozenset({"access", "custom", "list", "new", "ollama", "openai", "openrouter", "tags", "embeddings"})
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")

UNKNOWN_BASE = "There is no such model, or you may not use it."


# Of `state`, those in which the caller would have a model changed; None: any.
States: TypeAlias = frozenset[str] | None


class Missing(Exception):
    """No such custom model, for this caller."""


class NotWritable(Exception):
    """The caller may read it but not change it."""


class Stale(Exception):
    """It is in none of the states that the caller expects."""


def problem_of_id(text: str) -> str | None:
    """A sentence on why a new custom model cannot have this id, or None where the text itself is in order."""
    if not _ID.fullmatch(text):
        return "The id of a custom model has letters, digits and . _ : - only, and begins with a letter or digit."
    if len(text) > model_ids.MAX_LENGTH:
        return f"At most {model_ids.MAX_LENGTH} characters."
    if text.lower() in ROUTE_WORDS:
        return "This word is part of the API's own addresses."
    return None


def _check_id(viewer: Viewer, model_id: str) -> None:
    if problem := problem_of_id(model_id):
        raise ValidationError({"id": problem}, code="invalid_model_id")
    if viewer.policy is not None and not viewer.policy.allows(model_id):
        raise ValidationError({"id": "The policy of the key in use does not allow this id."}, code="not_allowed")
    taken = ValidationError({"id": "This id is taken."}, code="id_taken")
    if AIModel.objects.filter(model_id=model_id).exists():
        raise taken
    # Keys and programs may still name the deleted model, so nobody but its owner and staff may use its id again.
    last = FieldChange.objects.filter(subject=model_id, offered_by="", field="deleted").first()
    if last is not None and not viewer.is_staff:
        owner = last.old.get("owner") if isinstance(last.old, dict) else None
        if owner is None or owner != viewer.user_id:
            raise taken


def _base(viewer: Viewer, model_id: str) -> AIModel:
    """The base model of this id, locked. Raises ValidationError, with the same words for what does not exist."""
    # Two steps: PostgreSQL locks no rows of a query with subqueries that it has to make distinct.
    base = AIModel.objects.usable_by(viewer).filter(model_id=model_id).first()
    if base is None:
        raise ValidationError({"base_model_id": UNKNOWN_BASE}, code="unknown_base_model")
    return base


def _lock(*models: AIModel | None) -> None:
    """Locks the rows in the order of their keys, so that two changes never wait for each other."""
    keys = sorted({model.pk for model in models if model is not None})
    list(AIModel.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk").values_list("pk"))


def create(viewer: Viewer, author: Author, sent: Mapping[str, Any]) -> AIModel:
    """A new custom model of the caller's. `sent` is what the serializer made of the body. Raises ValidationError."""
    _check_id(viewer, sent["id"])
    with transaction.atomic():
        base = _base(viewer, sent["base_model_id"])
        _lock(base)
        values = _values(sent, {})
        model = AIModel(
            model_id=sent["id"],
            kind=AIModel.Kind.CUSTOM,
            owner_id=viewer.user_id,
            base_model=_base(viewer, sent["base_model_id"]),
            **values,
        )
        _cleaned(model)
        try:
            with transaction.atomic():
                model.save()
        except IntegrityError as error:
            raise ValidationError({"id": "This id is taken."}, code="id_taken") from error
        FieldChange.objects.bulk_create(
            [change_row(author, model.model_id, "created", None, {"base_model": base.model_id}, model=model)]
        )
        _set_rest(model, sent, author)
    return model


def _cleaned(model: AIModel) -> None:
    """Raises ValidationError under the names of the API."""
    try:
        model.full_clean(exclude={"tags", "owner", "base_model"})
    except ValidationError as error:
        raise _renamed(error) from error


_API_NAMES = {
    "model_id": "id",
    "base_model": "base_model_id",
    "description": "meta.description",
    "active": "is_active",
}


def _renamed(error: ValidationError) -> ValidationError:
    if not hasattr(error, "error_dict"):
        return error
    return ValidationError({_API_NAMES.get(name, name): errors for name, errors in error.error_dict.items()})


def _values(sent: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of the row from what was sent; `meta` is the one that is stored."""
    values = {name: sent[name] for name in ("name", "params", "delegated", "description") if name in sent}
    if "is_active" in sent:
        values["active"] = sent["is_active"]
    merged = dict(meta)
    if "capabilities" in sent:
        merged["capabilities"] = sent["capabilities"]
    if "picture" in sent:
        merged["profile_image_url"] = sent["picture"] if isinstance(sent["picture"], str) else None
    merged = {name: value for name, value in merged.items() if value is not None}
    if merged != meta:
        values["meta"] = merged
    return values


def _set_rest(model: AIModel, sent: Mapping[str, Any], author: Author) -> bool:
    """What other tables hold: tags (of a new one), grants, the picture. Returns whether anything differed."""
    changed = False
    if "picture" in sent:
        changed |= _set_picture(model, sent["picture"], author)
    if "tags" in sent:
        changed |= bool(entries.edit(model, {}, author, tags=sent["tags"]))
    if "access_grants" in sent:
        try:
            changed |= grants.replace(model, sent["access_grants"], author)
        except ValidationError as error:
            raise ValidationError(
                {f"access_grants.{position}": errors for position, errors in error.error_dict.items()}
            ) from error
    return changed


def _set_picture(model: AIModel, picture: str | images.Picture | None, author: Author) -> bool:
    before = ModelImage.objects.filter(model=model).values_list("digest", flat=True).first()
    after = picture.digest if isinstance(picture, images.Picture) else None
    if before == after:
        return False
    ModelImage.objects.filter(model=model).delete()
    if isinstance(picture, images.Picture):
        ModelImage.objects.create(
            model=model, content_type=picture.content_type, data=picture.data, digest=picture.digest
        )
    FieldChange.objects.bulk_create([change_row(author, model.model_id, "image", before, after, model=model)])
    return True


def writable(viewer: Viewer, model_id: str) -> Any:
    """A custom model that the caller may change, as a row of `shown_to`. Raises Missing, NotWritable."""
    model = AIModel.objects.find(viewer, model_id)
    if model is None or model.kind != AIModel.Kind.CUSTOM:
        raise Missing("There is no such model, or you may not see it.")
    if not model.may_write:
        raise NotWritable("You may read this custom model but not change it.")
    return model


def _locked(viewer: Viewer, model_id: str, expected: States, *others: AIModel | None) -> Any:
    """The same with the row locked, in one of the states that the caller expects. Raises Stale besides."""
    _lock(writable(viewer, model_id), *others)
    # Read again: before the lock was free it may have been changed, deleted or taken from the caller.
    model = writable(viewer, model_id)
    if expected is not None and state(model) not in expected:
        raise Stale("It has been changed since you read it. Read it again.")
    return model


def edit(viewer: Viewer, author: Author, model_id: str, sent: Mapping[str, Any], expected: States = None) -> AIModel:
    """Changes what was sent, and leaves the rest. Raises ValidationError, Missing, NotWritable, Stale."""
    with transaction.atomic():
        base = None
        if "base_model_id" in sent:
            now = writable(viewer, model_id)
            # A base model that the caller does not see is unknown to them, also the present one.
            if not (now.sees_base and sent["base_model_id"] == now.shown_base):
                base = _base(viewer, sent["base_model_id"])
        model = _locked(viewer, model_id, expected, base)
        values = _values(sent, model.meta)
        if base is not None:
            values["base_model"] = _base(viewer, sent["base_model_id"])
        try:
            changed = bool(entries.edit(model, values, author, tags=sent.get("tags")))
        except ValidationError as error:
            raise _renamed(error) from error
        if base is not None and not viewer.is_staff:
            _withdraw_delegation(model, author)
        rest = {name: value for name, value in sent.items() if name != "tags"}
        if _set_rest(model, rest, author) and not changed:
            AIModel.objects.touch([model.pk])
    return model


def delegated_upon(model: AIModel) -> QuerySet[AIModel]:
    """The delegated custom models that are built upon this one, on any level."""
    upon = Q(*((f"{link}pk", model.pk) for link in rules.CHAIN[1:]), _connector=Q.OR)
    return AIModel.objects.filter(upon, delegated=True).order_by("model_id")


def _withdraw_delegation(model: AIModel, author: Author) -> None:
    """Ends the delegation of a custom model and of those built on it: staff allowed it for the former base model."""
    keys = [*delegated_upon(model).values_list("pk", flat=True), *([model.pk] if model.delegated else [])]
    if keys:
        bulk.switch(AIModel.objects.filter(pk__in=keys), "delegated", False, author)


def delete(viewer: Viewer, author: Author, model_id: str, expected: States = None) -> None:
    """Raises Missing, NotWritable, Stale."""
    with transaction.atomic():
        remove(_locked(viewer, model_id, expected), author)


def remove(model: AIModel, author: Author) -> None:
    """Deletes a custom model. Those upon it stay, without a base and so out of sight, until somebody gives them one."""
    with transaction.atomic():
        for upon in AIModel.objects.filter(base_model=model.pk):
            entries.edit(upon, {"base_model": None}, author)
        FieldChange.objects.bulk_create(
            [change_row(author, model.model_id, "deleted", {"owner": model.owner_id, "name": model.name}, None)]
        )
        AIModel.objects.get(pk=model.pk).delete()


# What staff do.


def baseless() -> QuerySet[AIModel]:
    """Custom models that nobody can use: their base model is gone, inactive, hidden or no longer offered."""
    gone = Q(base_model=None) | Q(base_model__active=False) | Q(base_model__hidden=True) | Q(is_available=False)
    below = Q(base_model__kind="custom") & (
        Q(base_model__base_model=None)
        | Q(base_model__base_model__active=False)
        | Q(base_model__base_model__hidden=True)
    )
    return AIModel.objects.filter(gone | below, kind="custom").order_by("model_id")


def repoint(models: Iterable[AIModel], base: AIModel, author: Author) -> int:
    """Builds these custom models on another base, all or none, and returns how many changed. Raises ValidationError.

    None of them stays delegated: that was decided for the base it had.
    """
    changed = 0
    with transaction.atomic():
        models = list(models)
        _lock(base, *models)
        for model in models:
            if model.kind != AIModel.Kind.CUSTOM:
                raise ValidationError(f"{model.model_id} is no custom model.", code="not_custom")
            _withdraw_delegation(model, author)
            changed += bool(entries.edit(model, {"base_model": base}, author))
    return changed
