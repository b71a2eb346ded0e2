"""/api/models and /api/settings"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, QueryDict
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.base import INCLUDE, IncludingMixin
from catalog.api.direct import DirectMixin
from catalog.api.examples import answered, sent
from catalog.api.permissions import HasScope, SignedIn, SignedInOrPublic
from catalog.api.rendering import SHAPE, RenderingMixin, catalog_lists, cli_rows, named
from catalog.api.serializers.items import CatalogListsSerializer
from catalog.dialects.cli import CliRowSerializer
from config.api.conditional import etag
from preferences import defaults, writing
from preferences.models import Profile
from preferences.serializers import (
    DoneSerializer,
    SettingsSerializer,
    SettingsWriteSerializer,
    SwitchesSerializer,
    SwitchSerializer,
)

_ITEM = {
    "id": "acme/large",
    "provider": "acme",
    "name": "Large",
    "is_available": True,
    "is_enabled": True,
    "is_default": True,
    "capabilities": ["chat", "tools"],
    "context_length": 128000,
    "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
}
_OTHER = {"id": "acme/small", "provider": "acme", "name": "Small", "is_available": True, "capabilities": ["chat"]}
_CLI = {
    "slug": "acme/large",
    "provider": "acme",
    "displayName": "Large",
    "contextWindow": 128000,
    "inputModalities": ["text"],
    "caps": {"streaming": True, "toolUse": True, "reasoningEffort": False, "parallelToolCalls": False},
    "pricing": {"inputPerMillion": 2.5, "outputPerMillion": 10.0, "currency": "USD"},
    "isDefault": True,
}
_SETTINGS = {
    "default_model": "acme/large",
    "default_model_source": "user",
    "theme": "system",
    "auto_enable_new_models": True,
}


@extend_schema(tags=["models"])
class ModelsViewSet(IncludingMixin, RenderingMixin, DirectMixin, viewsets.ViewSet):
    """The catalog as the caller gets it, and their own switches of it."""

    permission_classes = (SignedInOrPublic, HasScope)
    scopes = {"GET": "models:read", "PATCH": "preferences:write"}
    personal = frozenset({"PATCH"})

    def known_parameters(self) -> frozenset[str]:
        return frozenset({"format", "include"} if self.request.method in ("GET", "HEAD") else ())

    @extend_schema(
        operation_id="models_catalog",
        summary="The visible models, and those that the caller may use",
        description="Signed in, `catalog` is every visible model and `models` the usable ones. Anonymous callers get "
        "the available ones as both. The highest priority first, then by id. With `format=cli`, an array for the "
        "picker of a terminal client: the chat models that are visible, available and not switched off by the caller.",
        parameters=[
            OpenApiParameter("format", str, enum=["cli"], description="For the picker of a terminal client."),
            INCLUDE,
        ],
        examples=[
            answered(
                "Signed in",
                {"catalog": [_ITEM, _OTHER | {"is_enabled": False, "is_default": False}], "models": [_ITEM]},
            ),
            answered("format=cli", [_CLI]),
        ],
        responses={
            200: PolymorphicProxySerializer(
                component_name="CatalogOrCliRows",
                serializers=[CatalogListsSerializer, CliRowSerializer(many=True)],
                resource_type_field_name=None,
                many=False,
            ),
        },
    )
    def list(self, request: Request) -> HttpResponse:
        query: QueryDict = request.query_params
        if "format" not in query:
            return self.rendered_answer("models", lambda view: catalog_lists(view, defaults.resolve(view).pk))
        if query.getlist("format") != ["cli"]:
            raise ValidationError({"format": ["The one other format is cli."]})
        if "include" in query:
            raise ValidationError({"include": ["A picker holds nothing that is hidden or inactive."]})
        return self.rendered_answer("cli", lambda view: cli_rows(view, defaults.resolve(view).pk))

    @extend_schema(
        operation_id="models_switch",
        summary="Switch models on or off for the caller",
        description="One model, or up to 1,000 in `updates`: all of them or none. Fields of the catalog are refused.",
        request=PolymorphicProxySerializer(
            component_name="SwitchOrSwitches",
            serializers=[SwitchSerializer, SwitchesSerializer],
            resource_type_field_name=None,
        ),
        examples=[
            sent("One", {"model_id": "acme/small", "is_enabled": True}),
            sent("Several", {"updates": [{"model_id": "acme/small", "is_enabled": False}]}),
            answered("Done", {"ok": True}),
        ],
        responses={200: DoneSerializer, 404: None},
    )
    def partial_update(self, request: Request) -> Response:
        data = request.data
        if isinstance(data, dict) and "updates" in data:
            updates = self.validated(SwitchesSerializer(data=data))["updates"]
        else:
            updates = [self.validated(SwitchSerializer(data=data))]
        try:
            writing.switch(self.viewer, {update["model_id"]: update["is_enabled"] for update in updates})
        except writing.UnknownModels as unknown:
            raise NotFound(_unknown(unknown.model_ids), "model_not_found") from unknown
        return Response({"ok": True})


def _unknown(model_ids: list[str]) -> str:
    shown = ", ".join(f"'{named(model_id)}'" for model_id in model_ids[:5])
    more = f" and {len(model_ids) - 5} more" if len(model_ids) > 5 else ""
    return f"There is no model {shown}{more}, or you may not see it. Nothing was changed."


@extend_schema(tags=["settings"])
class SettingsViewSet(RenderingMixin, viewsets.ViewSet):
    """The caller's own settings. The key of a group reads the defaults, which hold for it, and changes nothing."""

    permission_classes = (SignedIn, HasScope)
    scopes = {"GET": "models:read", "PATCH": "preferences:write"}
    personal = frozenset({"PATCH"})

    @extend_schema(
        operation_id="settings_retrieve",
        summary="The caller's settings and the default model that holds now",
        description="The default model is the caller's own, else their groups', else the site's, else the first usable "
        "chat model. One that is stored but not usable now stays and is not answered. A group's key has no settings: "
        "it gets the group's default model, and else the defaults.",
        examples=[answered("Settings", _SETTINGS)],
        responses={200: SettingsSerializer},
    )
    def retrieve(self, request: Request) -> Response:
        # The profile is read after the caller: it is never older than the tag says.
        return self.conditional(self._tag(), self._settings)

    @extend_schema(
        operation_id="settings_update",
        summary="Change the caller's settings",
        description="What is not sent stays. `default_model` null clears it.",
        request=SettingsWriteSerializer,
        examples=[sent("A default model", {"default_model": "acme/large"}), answered("Settings", _SETTINGS)],
        responses={200: SettingsSerializer},
    )
    def partial_update(self, request: Request) -> Response:
        writing.change_settings(self.viewer, self.validated(SettingsWriteSerializer(data=request.data)))
        request._caller = self.caller_now()  # type: ignore[attr-defined]
        settings = self._settings()
        return Response(settings, headers={"ETag": self._tag()})

    def _tag(self) -> str:
        return etag(SHAPE, "settings", self.caller.fingerprint)

    def _settings(self) -> dict[str, Any]:
        view = self.visible_catalog()
        user_id = view.caller.viewer.user_id
        profile = (None if user_id is None else Profile.objects.filter(user=user_id).first()) or Profile()
        default = defaults.resolve(view)
        return {
            "default_model": None if default.pk is None else view.rendered.by_pk[default.pk].model_id,
            "default_model_source": default.source,
            **({"default_model_reason": default.reason} if default.reason else {}),
            "theme": profile.theme,
            "auto_enable_new_models": profile.auto_enable_new_models,
        }
