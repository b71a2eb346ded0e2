"""Google's dialect: /google/v1/models and /google/v1beta/models, by pages whose token is the last model's id."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from catalog.api.serializers.answers import AnswerSerializer
from catalog.api.snapshot import USABLE, VisibleCatalog
from catalog.dialects.base import Dialect, DialectViewSet, Facts, Ordered, Rows, answered, error_schema
from config.api.pagination import whole_number
from config.api.protocols import Protocol, RefusalDetails

PAGE, MOST = 50, 1000

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


def envelope(refused: RefusalDetails) -> dict[str, Any]:
    word = _STATUSES.get(refused.status, "INTERNAL" if refused.status >= 500 else "FAILED_PRECONDITION")
    return {"error": {"code": refused.status, "message": refused.message, "status": word}}


_TEXT = {"type": "string"}
PROTOCOL = Protocol(
    "Google",
    "google",
    envelope,
    error_schema("Google", {"code": {"type": "integer"}, "message": _TEXT, "status": _TEXT}),
    key_header="x-goog-api-key",
)


class GoogleModelSerializer(AnswerSerializer):
    """A model as Google's clients read it; what is unknown is absent."""

    name = serializers.CharField(help_text="`models/` and the id.")
    displayName = serializers.CharField(source="name")
    description = serializers.CharField(required=False)
    inputTokenLimit = serializers.IntegerField(source="context_length", required=False)
    outputTokenLimit = serializers.IntegerField(source="max_output_tokens", required=False)
    supportedGenerationMethods = serializers.ListField(child=serializers.CharField())

    def get_name(self, facts: Facts) -> str:
        return f"models/{facts.id}"

    def get_supportedGenerationMethods(self, facts: Facts) -> list[str]:
        if facts.can("chat", "completion"):
            return ["generateContent"]
        return ["embedContent"] if facts.can("embeddings") else []


class GoogleModelListSerializer(serializers.Serializer):
    models = GoogleModelSerializer(many=True)
    nextPageToken = serializers.CharField(required=False, help_text="Absent on the last page.")


ROWS = Rows("google", GoogleModelSerializer())

_EXAMPLE: dict[str, Any] = {
    "name": "models/acme/large",
    "displayName": "Large",
    "inputTokenLimit": 128000,
    "outputTokenLimit": 16384,
    "supportedGenerationMethods": ["generateContent"],
}


def _ordered(view: VisibleCatalog) -> Ordered:
    return Ordered(view, "google order", lambda view: [pk for pk, model in view.having(USABLE) if ROWS.of(model)])


def _joined(rows: Ordered, start: int, end: int) -> bytes:
    body = b'{"models":[' + b",".join(rows.slice(ROWS, start, end)) + b"]"
    return body + (b',"nextPageToken":' + orjson.dumps(rows.id_at(end - 1)) if end < len(rows.keys) else b"") + b"}"


def whole(view: VisibleCatalog) -> bytes:
    """The list as one page."""
    rows = _ordered(view)
    return _joined(rows, 0, len(rows.keys))


def _views(version: str) -> type[DialectViewSet]:
    """The views of one version of the API: their answers are the same, their names in the OpenAPI document are not."""

    @extend_schema(tags=["dialects"])
    class GoogleViewSet(DialectViewSet):
        """The models of `/v1/models` for Google's clients."""

        @extend_schema(
            operation_id=f"google_{version}_models_list",
            summary="The models that the caller may use, for Google's clients",
            parameters=[
                OpenApiParameter("pageSize", int, description=f"At most {MOST}, by default {PAGE}."),
                OpenApiParameter("pageToken", str, description="The `nextPageToken` of the page before."),
            ],
            examples=answered({"models": [_EXAMPLE]}),
            responses={200: GoogleModelListSerializer},
        )
        def list(self, request: Request) -> HttpResponse:
            # Google answers a larger page than it has with its largest.
            size = min(whole_number(request, "pageSize", PAGE, 1_000_000_000, least=0) or PAGE, MOST)
            token = request.query_params.get("pageToken", "")
            view = self.visible_catalog()
            rows = _ordered(view)
            start = rows.place("pageToken", token) + 1 if token else 0
            return self.part_of(view, "google", (size, token), lambda: _joined(rows, start, start + size))

        @extend_schema(
            operation_id=f"google_{version}_models_retrieve",
            summary="One model that the caller may use, for Google's clients",
            parameters=[OpenApiParameter("model_id", str, OpenApiParameter.PATH, description="May hold slashes.")],
            examples=answered(_EXAMPLE),
            responses={200: GoogleModelSerializer},
        )
        def retrieve(self, request: Request, model_id: str) -> HttpResponse:
            return self.one_of("google-one", ROWS, model_id)

    return GoogleViewSet


DIALECT = Dialect(
    "google",
    f"/google/v1beta/models?pageSize={MOST}",
    whole,
    tuple(
        path(f"google/{version}/models{end}", views.as_view({"get": action}), name=f"google-{version}-{action}")
        for version, views in ((version, _views(version)) for version in ("v1", "v1beta"))
        for end, action in (("", "list"), ("/<path:model_id>", "retrieve"))
    ),
    PROTOCOL,
)
