"""/api/models/custom"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.base import CallerMixin
from catalog.api.examples import ITEM, SENT, answered, sent
from catalog.api.serializers import item_bytes
from catalog.api.serializers.custom_models import AccessWriteSerializer, CustomModelWriteSerializer
from catalog.api.serializers.items import ItemSerializer, write_context
from catalog.api.views.detail import NoSuchModel
from catalog.editing import custom_models
from catalog.editing.history import Author
from catalog.models import AIModel
from config.api.conditional import ConditionalMixin

_IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag of what you have read; 412 where it has changed."
)
_TAGS = ["custom models"]
_OUT_OF_SIGHT = {204: OpenApiResponse(description="Done; it is out of the caller's sight by that.")}


class CustomModelViewSet(ConditionalMixin, CallerMixin, viewsets.ViewSet):
    """A person's own presets, and those that others let them change. A group's key changes those alone, as a member."""

    refusals = {custom_models.Missing: 404, custom_models.NotWritable: 403, custom_models.Stale: 412}
    scopes = {
        "GET": "models:read",
        "POST": "custom_models:write",
        "PATCH": "custom_models:write",
        "PUT": "custom_models:write",
        "DELETE": "custom_models:write",
    }

    personal = frozenset({"POST"})

    @property
    def author(self) -> Author:
        key: Any = getattr(self.request.auth, "key", None)
        name = self.request.user.get_username()
        return Author.person(self.request.user, f"{name} with key {key.hint}" if key is not None else name)

    @extend_schema(
        operation_id="custom_models_create",
        summary="Make a custom model",
        description="The base model must be one that the caller may use.",
        tags=_TAGS,
        request=CustomModelWriteSerializer,
        examples=[sent("A preset for a group", SENT), answered("A custom model", ITEM, 201)],
        responses={201: ItemSerializer},
    )
    def create(self, request: Request) -> Response:
        values = self.validated(CustomModelWriteSerializer(data=request.data, context=write_context(self.viewer)))
        return self._written(201, lambda: custom_models.create(self.viewer, self.author, values))

    @extend_schema(
        operation_id="custom_models_retrieve",
        summary="One custom model, to change it",
        tags=_TAGS,
        examples=[answered("A custom model", ITEM)],
        responses={200: ItemSerializer},
    )
    def retrieve(self, request: Request, model_id: str) -> Response:
        model = custom_models.writable(self.viewer, model_id)
        shown = item_bytes.shown_or_none(model, self.viewer)
        if shown is None:
            raise NoSuchModel
        return self.conditional(shown.tag, lambda: shown.body)

    @extend_schema(
        operation_id="custom_models_update",
        summary="Change a custom model",
        description="What is absent stays, null clears, an empty value is stored.",
        tags=_TAGS,
        parameters=[_IF_MATCH],
        request=CustomModelWriteSerializer(partial=True),
        examples=[sent("Another parameter", {"params": {"temperature": 1}}), answered("A custom model", ITEM)],
        responses={200: ItemSerializer, **_OUT_OF_SIGHT, 412: None},
    )
    def partial_update(self, request: Request, model_id: str) -> Response:
        present = custom_models.writable(self.viewer, model_id)
        context = write_context(self.viewer, present)
        values = self.validated(CustomModelWriteSerializer(data=request.data, partial=True, context=context))
        return self._changed(model_id, values)

    @extend_schema(
        operation_id="custom_models_delete",
        summary="Delete a custom model",
        tags=_TAGS,
        parameters=[_IF_MATCH],
        responses={204: OpenApiResponse(description="Deleted"), 412: None},
    )
    def destroy(self, request: Request, model_id: str) -> Response:
        custom_models.delete(self.viewer, self.author, model_id, self._expected)
        return Response(status=204)

    @extend_schema(
        operation_id="custom_models_share",
        summary="Say who may read or change a custom model",
        description="The grants sent take the place of all that were there. People and groups are named by id.",
        tags=_TAGS,
        parameters=[_IF_MATCH],
        request=AccessWriteSerializer,
        examples=[
            sent(
                "For everyone to read",
                {"access_grants": [{"principal_type": "everyone", "principal_id": "", "permission": "read"}]},
            ),
            answered("A custom model", ITEM),
        ],
        responses={200: ItemSerializer, **_OUT_OF_SIGHT, 412: None},
    )
    def share(self, request: Request, model_id: str) -> Response:
        custom_models.writable(self.viewer, model_id)
        return self._changed(model_id, self.validated(AccessWriteSerializer(data=request.data)))

    @property
    def _expected(self) -> custom_models.States:
        """The states that `If-Match` names (RFC 9110, 13.1.1); each is the first part of a writer's ETag."""
        sent = self.request.META.get("HTTP_IF_MATCH")
        tags = [] if sent is None else [tag.strip().removeprefix("W/").strip('"') for tag in sent.split(",")]
        return None if sent is None or "*" in tags else frozenset(tag.partition(".")[0] for tag in tags)

    def _changed(self, model_id: str, values: dict[str, Any]) -> Response:
        return self._written(
            200, lambda: custom_models.edit(self.viewer, self.author, model_id, values, self._expected)
        )

    def _written(self, status: int, write: Callable[[], AIModel]) -> Response:
        """The model that `write` returns, rendered before the commit: an answer of 500 has written nothing."""
        with transaction.atomic():
            model = AIModel.objects.find(self.viewer, write().model_id)
            if model is None:
                # A caller who has just given it away, or built it upon something out of sight, learns that by silence.
                return Response(status=204)
            shown = item_bytes.shown(model, self.viewer)
        return Response(shown.body, status=status, headers={"ETag": shown.tag})
