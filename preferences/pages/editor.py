"""/me/models/new and /me/models/{id}: a custom model, and who will see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from rest_framework.serializers import as_serializer_error

from catalog.access import audience
from catalog.api.serializers.custom_models import CustomModelWriteSerializer
from catalog.api.serializers.items import write_context
from catalog.editing import custom_models
from catalog.editing.history import Author
from catalog.editing.state import grants_of, state
from catalog.formatting import display_name
from catalog.models import AIModel
from catalog.pages.base import Page, see_other
from catalog.pages.picking import picks
from catalog.validation.strict_json import loads

LABELS = {
    "id": "Id",
    "name": "Name",
    "base_model_id": "Built on",
    "description": "Description",
    "params": "Parameters",
    "is_active": "In use",
    "everyone": "Everyone",
    "groups": "Groups",
    "people": "People",
}
_NAMES = {"meta.description": "description"}


class EditorPage(Page):
    """One form for a new custom model and for one that the reader may change."""

    section = "mine"

    def get(self, request: HttpRequest, model_id: str = "") -> HttpResponse:
        if not model_id:
            base = request.GET.get("base", "")[:255]
            return self._shown(None, {"base_model_id": base, "params": "{}", "is_active": True}, {})
        model = self._model(model_id)
        return self._shown(model, self._stored(model), {})

    def post(self, request: HttpRequest, model_id: str = "") -> HttpResponse:
        model = self._model(model_id) if model_id else None
        if model is not None and "delete" in request.POST:
            return self._deleted(model)
        typed = self._typed(model)
        if "search" in request.POST:
            return self._shown(model, typed, {})
        values, mistakes = self._values(typed, model)
        if mistakes:
            return self._shown(model, typed, mistakes)
        seen: dict[str, Any] | None = None
        try:
            with transaction.atomic():
                written = self._write(model, values)
                if "preview" in request.POST:
                    seen = self._audience(written, typed)
                    transaction.set_rollback(True)
        except custom_models.Missing as error:
            raise Http404 from error
        except custom_models.Stale:
            return self._lost(model_id, typed)
        except ValidationError as error:
            return self._shown(model, typed, _mistakes(as_serializer_error(error)))
        if seen is not None:
            return self._shown(model, typed, {}, {"seen": seen})
        messages.success(request, f"Saved: {written.name}.")
        return see_other(reverse("my-models"))

    def _model(self, model_id: str) -> Any:
        try:
            return custom_models.writable(self.caller.viewer, model_id)
        except custom_models.Missing as error:
            raise Http404 from error
        except custom_models.NotWritable as error:
            raise PermissionDenied from error

    def _write(self, model: Any, values: Mapping[str, Any]) -> AIModel:
        viewer, author = self.caller.viewer, Author.person(self.request.user)
        if model is None:
            return custom_models.create(viewer, author, values)
        return custom_models.edit(viewer, author, model.model_id, values, self._expected)

    @property
    def _expected(self) -> custom_models.States:
        """The state that the form was made of. A form without it changes nothing."""
        return frozenset({self.request.POST.get("state", "")})

    def _deleted(self, model: Any) -> HttpResponse:
        try:
            custom_models.delete(self.caller.viewer, Author.person(self.request.user), model.model_id, self._expected)
        except custom_models.Stale:
            return self._lost(model.model_id, self._typed(model))
        messages.success(self.request, f"Deleted: {model.name}.")
        return see_other(reverse("my-models"))

    def _lost(self, model_id: str, typed: dict[str, Any]) -> HttpResponse:
        """What was typed, beside what somebody else has saved meanwhile."""
        model = self._model(model_id)
        stored = self._stored(model)
        theirs = [
            (LABELS[name], _worded(stored[name]), _worded(typed[name]))
            for name in LABELS
            if stored[name] != typed[name]
        ]
        return self._shown(model, typed, {}, {"theirs": theirs, "lost": True}, 409)

    # What the form holds.

    def _stored(self, model: Any) -> dict[str, Any]:
        grants = grants_of(model)
        named = {int(grant["principal_id"]) for grant in grants if grant["principal_type"] == "user"}
        people = get_user_model()._default_manager.filter(pk__in=named).order_by("username")
        return {
            "id": model.model_id,
            "name": model.name,
            "base_model_id": model.shown_base if model.sees_base else "",
            "description": model.description,
            "params": orjson.dumps(model.params, option=orjson.OPT_INDENT_2).decode(),
            "is_active": model.active,
            "everyone": any(grant["principal_type"] == "everyone" for grant in grants),
            "groups": sorted(grant["principal_id"] for grant in grants if grant["principal_type"] == "group"),
            "people": "\n".join(user.get_username() for user in people),
        }

    def _typed(self, model: Any) -> dict[str, Any]:
        sent = self.request.POST
        typed: dict[str, Any] = {
            name: sent.get(name, "").replace("\r\n", "\n").strip()
            for name in ("id", "name", "base_model_id", "description", "params", "people")
        }
        if model is not None:
            typed["id"] = model.model_id
        typed["is_active"], typed["everyone"] = "is_active" in sent, "everyone" in sent
        typed["groups"] = sorted(set(sent.getlist("groups")))
        return typed

    def _values(self, typed: dict[str, Any], model: Any) -> tuple[dict[str, Any], dict[str, list[str]]]:
        """What the API would make of the same, and what is wrong, by field."""
        mistakes: dict[str, list[str]] = {}
        try:
            params = loads(typed["params"].encode() or b"{}", _no_json, max_marks=50_000, max_depth=20, storable=True)
        except ValueError:
            params = {}
            mistakes["params"] = ['This is no JSON object, such as {"temperature": 0.2}.']
        grants, unknown = self._grants(typed, model)
        if unknown:
            mistakes["people"] = [f"There is nobody here by the name {', '.join(unknown)}."]
        data = {
            "name": typed["name"],
            "base_model_id": typed["base_model_id"],
            "meta": {"description": typed["description"]},
            "params": params,
            "is_active": typed["is_active"],
            "access_grants": grants,
        }
        if model is None:
            data["id"] = typed["id"]
        elif not typed["base_model_id"]:
            # A base model out of the writer's sight stays as it is.
            del data["base_model_id"]
        context = write_context(self.caller.viewer, model)
        serializer = CustomModelWriteSerializer(data=data, partial=model is not None, context=context)
        if not serializer.is_valid():
            mistakes = {**_mistakes(serializer.errors), **mistakes}
        return ({}, mistakes) if mistakes else (dict(serializer.validated_data), {})

    def _grants(self, typed: dict[str, Any], model: Any) -> tuple[list[dict[str, str]], list[str]]:
        """As the API takes them. Whoever may write keeps that; who is new may read."""
        present = [] if model is None else grants_of(model)
        before = {(grant["principal_type"], grant["principal_id"]): grant["permission"] for grant in present}
        names = [line.strip() for line in typed["people"].splitlines() if line.strip()]
        people = get_user_model()._default_manager.filter(username__in=names[:200], is_active=True)
        known = {user.get_username(): str(user.pk) for user in people}
        wanted = [("everyone", "")] if typed["everyone"] else []
        wanted += [("group", key) for key in typed["groups"]] + [("user", known[name]) for name in known]
        grants = [
            {"principal_type": kind, "principal_id": key, "permission": before.get((kind, key), "read")}
            for kind, key in wanted
        ]
        return grants, [name for name in names if name not in known]

    def _groups(self, typed: dict[str, Any], model: Any) -> list[tuple[str, str, bool]]:
        """The reader's own groups, and those that it is shared with already."""
        user: Any = self.request.user
        groups = {str(group.pk): group.name for group in user.groups.order_by("name")}
        for grant in [] if model is None else model.grants.filter(group__isnull=False).select_related("group"):
            groups.setdefault(str(grant.group_id), grant.group.name)
        return [(key, name, key in typed.get("groups", [])) for key, name in groups.items()]

    def _audience(self, model: AIModel, typed: dict[str, Any]) -> dict[str, Any]:
        """How many would see it; by name only those whom the form names."""
        found = audience.of([model.pk])
        seeing = {user for user, models in found.seen.items() if model.pk in models} - {audience.ANYBODY}
        named = [line.strip() for line in typed["people"].splitlines() if line.strip()]
        blind = [name for name in named if name not in {found.people.names[user] for user in seeing}]
        own = {self.request.user.pk} if model.owner_id == self.request.user.pk else set()
        return {"number": len(seeing - own), "blind": blind, "is_whole": found.is_whole}

    def _shown(
        self,
        model: Any,
        typed: dict[str, Any],
        mistakes: dict[str, list[str]],
        more: dict[str, Any] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        context = {
            "model": model,
            "typed": typed,
            "mistakes": mistakes,
            "groups": self._groups(typed, model),
            "state": "" if model is None else state(model),
            "owner": "" if model is None or model.owner is None else display_name(model.owner),
            "is_mine": model is None or model.owner_id == self.request.user.pk,
            **picks(self.catalog, self.request.POST, [typed["base_model_id"]], usable=True),
            **(more or {}),
        }
        return self.show("me/model.html", context, 400 if mistakes else status)


def _mistakes(errors: Mapping[str, Any]) -> dict[str, list[str]]:
    """A serializer's errors by the field of the form."""
    found: dict[str, list[str]] = {}
    for name, inner in errors.items():
        nested = inner.items() if isinstance(inner, dict) else [("", inner)]
        for part, texts in nested:
            full = f"{name}.{part}" if part else name
            field = _NAMES.get(full, full if full in LABELS else "groups" if name.startswith("access_") else "name")
            found.setdefault(field, []).extend(_texts(texts))
    return found


def _texts(errors: Any) -> list[str]:
    if isinstance(errors, dict):
        return [text for inner in errors.values() for text in _texts(inner)]
    return [text for inner in errors for text in _texts(inner)] if isinstance(errors, list) else [str(errors)]


def _no_json(code: str, what: str) -> ValueError:
    return ValueError(code)


def _worded(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)
