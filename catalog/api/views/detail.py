"""/api/models/{id}"""

from __future__ import annotations

import orjson
from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from catalog.api import lifecycle
from catalog.api.base import CallerMixin
from catalog.api.direct import DirectMixin
from catalog.api.examples import ITEM, answered
from catalog.api.permissions import HasScope, SignedInOrPublic
from catalog.api.serializers import item_bytes
from catalog.api.serializers.items import ItemSerializer
from catalog.api.snapshot import snapshot
from catalog.models import AIModel
from config.api.conditional import ConditionalMixin


class NoSuchModel(NotFound):
    """The same for an unknown id and for one out of the caller's sight."""

    default_detail = "There is no such model, or you may not see it."


class ModelViewSet(ConditionalMixin, DirectMixin, CallerMixin, viewsets.ViewSet):
    """One model."""

    permission_classes = (SignedInOrPublic, HasScope)

    @extend_schema(
        operation_id="models_retrieve",
        summary="One model",
        description="An id that is one of the API's own words is reached by `GET /api/models/list?id=`.",
        tags=["models"],
        parameters=[
            OpenApiParameter(
                "model_id",
                str,
                OpenApiParameter.PATH,
                description="May hold slashes and colons, raw or percent-encoded.",
            )
        ],
        examples=[answered("A custom model", ITEM)],
        responses={200: ItemSerializer},
    )
    def retrieve(self, request: Request, model_id: str) -> HttpResponse:
        stored = snapshot.stored(f"item {model_id}", self.caller.fingerprint, lambda: self._item(model_id))
        tag, end, body = stored.split(b"\n", 2)
        response: HttpResponse = self.conditional(tag.decode(), lambda: body)
        for header, value in orjson.loads(end).items():
            response[header] = value
        return response

    def _item(self, model_id: str) -> bytes:
        """The ETag, the headers on the model's end, and the body, a line each. Raises NoSuchModel."""
        model = AIModel.objects.find(self.viewer, model_id)
        shown = None if model is None else item_bytes.shown_or_none(model, self.viewer)
        if shown is None:
            raise NoSuchModel
        successor = reverse("model", args=[model.successor]) if model.sees_successor else ""
        end = lifecycle.headers(model.deprecated_at, model.retires_at, successor)
        return b"\n".join((shown.tag.encode(), orjson.dumps(end), shown.body))
