"""The item of the list, of the detail and of custom models: what one caller is shown of one model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from django.urls import reverse

from catalog.access import rules
from catalog.access.digests import keyed
from catalog.access.viewers import Viewer
from catalog.api.serializers.items import catalog_item
from catalog.db.unreadable import render_or_report
from catalog.editing.state import grants_of, state, tags_of
from catalog.formatting import display_name
from catalog.models import AIModel

# An AIModel with the annotations of `shown_to`, which type checkers cannot see.
Row: TypeAlias = Any


def image_url(model_id: str, digest: str) -> str:
    # The digest makes a new address of a new picture, so that browsers may keep the old one.
    return f"{reverse('custom-model-image', args=[model_id])}?v={digest[:16]}"


def present_picture(model: Row) -> str | None:
    """The address of a row's picture as its item shows it."""
    if model.shown_image:
        return image_url(model.model_id, model.shown_image)
    link = model.meta.get("profile_image_url")
    return link if isinstance(link, str) else None


def inherited_capabilities(model: Row) -> dict[str, Any] | None:
    """What a row's `meta` shows where it says nothing of its own; None where it does."""
    if isinstance(model.meta.get("capabilities"), dict):
        return None
    return dict.fromkeys(model.capabilities, True)


def shown_unstored(model: Row) -> dict[str, Any]:
    """What the item of a custom model shows though it says nothing of the kind itself, by the name of what is sent."""
    return {"picture": present_picture(model), "capabilities": inherited_capabilities(model)}


def item(model: Row, viewer: Viewer) -> dict[str, Any]:
    """A row of `shown_to` as this viewer is shown it.

    Without write access nobody sees parameters, other grants, the owner's address or what a delegated one is built on;
    nor, with any, a base model or an alias's target that is out of their sight. Raises ValueError where JSON of the row
    is unreadable.
    """
    mine = model.may_write
    names_base = model.sees_base and (mine or not model.delegated)
    tags = tags_of(model)
    told = catalog_item(model, tags)
    if model.alias_of and model.kind == AIModel.Kind.CATALOG and rules.target_allowed(viewer, model.alias_of):
        told["alias_of"] = model.alias_of
    capabilities = inherited_capabilities(model)
    if capabilities is None:
        capabilities = model.meta["capabilities"]
    owner = None
    if model.owner is not None:
        owner = {
            "id": str(model.owner.pk),
            "name": display_name(model.owner),
            "email": model.owner.email if mine else None,
        }
    told |= {
        "kind": model.kind,
        "user_id": str(model.owner_id or ""),
        "base_model_id": model.shown_base if names_base else None,
        "params": model.params if mine else {},
        "meta": {
            "profile_image_url": present_picture(model),
            "description": model.description,
            "capabilities": capabilities,
            "tags": tags,
        },
        "access_grants": grants_of(model) if mine else [],
        "is_active": model.active,
        "delegated": model.delegated,
        "write_access": mine,
        "user": owner,
        "priority": model.priority,
        "created_at": int(model.created_at.timestamp()),
        "updated_at": int(model.updated_at.timestamp()),
    }
    if viewer.user_id is not None:
        told["is_enabled"] = model.shown_enabled
    return told


@dataclass(frozen=True, slots=True)
class Shown:
    """The item of one row for one viewer, as bytes, and its ETag."""

    body: bytes
    tag: str


def shown(model: Row, viewer: Viewer) -> Shown:
    """The item with its ETag: for those who may change it the state that `If-Match` names, then what it shows.

    A reader's tag depends on nothing that is not shown: it does not even tell that something hidden has changed.
    Raises what `render_or_report` turns into None, where a stored value cannot be rendered.
    """
    body = _body(model, viewer)
    digest = keyed("item", body)
    return Shown(body, f'"{state(model)}.{digest}"' if model.may_write else f'"{digest}"')


def shown_or_none(model: Row, viewer: Viewer) -> Shown | None:
    """The same; None where a stored value cannot be rendered."""
    return render_or_report(model.model_id, shown, model, viewer)


def items(models: Iterable[Row], viewer: Viewer) -> list[orjson.Fragment]:
    """The items of these rows, less those that cannot be rendered."""
    found = (render_or_report(model.model_id, _body, model, viewer) for model in models)
    return [orjson.Fragment(body) for body in found if body is not None]


def _body(model: Row, viewer: Viewer) -> bytes:
    return orjson.dumps(item(model, viewer))
