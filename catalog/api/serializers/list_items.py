"""The item of the list, of the detail and of custom models: what one caller is shown of one model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from django.db.models import BooleanField, Case, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import JSONObject
from django.urls import reverse

from catalog.access import rules
from catalog.access.callers import JSONArray
from catalog.access.viewers import Viewer
from catalog.api.digests import keyed
from catalog.api.serializers.items import catalog_item, render_or_report
from catalog.formatting import display_name
from catalog.models import AccessGrant, AIModel, AIModelQuerySet, Tag

# An AIModel with the annotations of `rows`, which type checkers cannot see.
Row: TypeAlias = Any

# Wide columns that no item shows.
_UNSHOWN = (
    "upstream",
    "extras",
    "notes",
    "reasoning_levels",
    "supported_parameters",
    "pinned_fields",
    "search_text",
    "facets",
)


def _as_bool(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())


def rows(viewer: Viewer) -> AIModelQuerySet:
    """Every model, with all that its item for this viewer needs, in one statement. Filter before use."""
    tags = Tag.objects.filter(ai_models=OuterRef("pk")).order_by()
    grants = AccessGrant.objects.filter(model=OuterRef("pk")).order_by()
    return (
        AIModel.objects.select_related("owner")
        .defer(*_UNSHOWN)
        .annotate(
            shown_base=F("base_model__model_id"),
            shown_image=F("image__digest"),
            shown_tags=Subquery(tags.annotate(names=JSONArray("name")).values("names")),
            shown_grants=Subquery(grants.annotate(all=JSONArray(_grant())).values("all")),
            may_write=_as_bool(rules.writable(AIModel, viewer)),
            sees_base=_as_bool(rules.base_visible(AIModel, viewer)),
            shown_enabled=_as_bool(rules.enabled(viewer)),
        )
    )


def _grant() -> JSONObject:
    return JSONObject(
        id="pk", principal_type="principal_type", user="user_id", group="group_id", permission="permission"
    )


def read(viewer: Viewer, keys: list[int]) -> list[Row]:
    return list(rows(viewer).filter(pk__in=keys))


def find(viewer: Viewer, model_id: str) -> Row | None:
    """The one model of this id that the viewer finds, or None."""
    return rows(viewer).findable_by(viewer).filter(model_id=model_id).first()


def image_url(model_id: str, digest: str) -> str:
    # The digest makes a new address of a new picture, so that browsers may keep the old one.
    return f"{reverse('custom-model-image', args=[model_id])}?v={digest[:16]}"


def grants_of(model: Row) -> list[dict[str, Any]]:
    """The grants of a row of `rows`, in the order in which they were given."""
    return [
        {
            "id": str(grant["id"]),
            "principal_type": grant["principal_type"],
            "principal_id": str(grant["user"] or grant["group"] or ""),
            "permission": grant["permission"],
        }
        for grant in sorted(json.loads(model.shown_grants or "[]"), key=lambda grant: grant["id"])
    ]


def tags_of(model: Row) -> list[str]:
    return sorted(json.loads(model.shown_tags or "[]"), key=str.casefold)


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


def item(model: Row, viewer: Viewer) -> dict[str, Any]:
    """A row of `rows` as this viewer is shown it.

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


def state(model: Row) -> str:
    """A digest of what a writer of a row of `rows` may change, its grants and tags too."""
    written = [
        model.pk,
        model.model_id,
        model.name,
        model.shown_base,
        model.params,
        model.meta,
        model.description,
        model.active,
        model.delegated,
        model.owner_id,
        model.shown_image,
        tags_of(model),
        sorted((grant["principal_type"], grant["principal_id"], grant["permission"]) for grant in grants_of(model)),
    ]
    return keyed("state", orjson.dumps(written, option=orjson.OPT_SORT_KEYS))


@dataclass(frozen=True, slots=True)
class Shown:
    """The item of one row for one viewer, as bytes, and its ETag."""

    body: bytes
    tag: str


def shown(model: Row, viewer: Viewer) -> Shown:
    """The item with its ETag: for those who may change it the state that `If-Match` names, then what it shows.

    A reader's tag depends on nothing that is not shown: it does not even tell that something hidden has changed.
    Raises what `rendered` of catalog/api/serializers/items.py turns into None, where a stored value cannot be rendered.
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


def is_of(tag: str, model: Row) -> bool:
    """Whether an `If-Match` names this state of the row, whatever else of the answer has changed since."""
    now = state(model)
    parts = [part.strip().removeprefix("W/").strip('"') for part in tag.split(",")]
    return any(part == "*" or part.partition(".")[0] == now for part in parts)
