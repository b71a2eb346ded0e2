"""OpenRouter's dialect, under /openrouter/api/v1. Its SDK refuses a page for one field of the wrong kind."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from catalog.api.serializers.answers import Always, AnswerSerializer
from catalog.api.snapshot import VisibleCatalog
from catalog.dialects.base import Dialect, DialectViewSet, Facts, Rows, answered, error_schema
from config.api.openapi import whole
from config.api.pagination import whole_number
from config.api.pieces import Pieces, listed
from config.api.protocols import Protocol, RefusalDetails

ROOT = "openrouter/api/v1"
MOST = 1_000_000
# OpenRouter's word for a price that nobody can name.
UNKNOWN = "-1"


def envelope(refused: RefusalDetails) -> dict[str, Any]:
    return {"error": {"code": refused.status, "message": refused.message}}


PROTOCOL = Protocol(
    "OpenRouter",
    "openrouter",
    envelope,
    error_schema("OpenRouter", {"code": {"type": "integer"}, "message": {"type": "string"}}),
)


class OpenRouterArchitectureSerializer(AnswerSerializer):
    modality = serializers.CharField(allow_null=True)
    input_modalities = serializers.ListField(child=serializers.CharField(), help_text="Empty: unknown.")
    output_modalities = serializers.ListField(child=serializers.CharField(), help_text="Empty: unknown.")
    tokenizer = serializers.CharField(required=False)
    instruct_type = serializers.CharField(required=False)

    def get_modality(self, facts: Facts) -> Any:
        return (facts.architecture or {}).get("modality")

    def get_tokenizer(self, facts: Facts) -> Any:
        return (facts.architecture or {}).get("tokenizer")

    def get_instruct_type(self, facts: Facts) -> Any:
        return (facts.architecture or {}).get("instruct_type")


class OpenRouterTopProviderSerializer(AnswerSerializer):
    context_length = serializers.IntegerField(allow_null=True)
    max_completion_tokens = serializers.IntegerField(source="max_output_tokens", allow_null=True)
    is_moderated = serializers.BooleanField(help_text="False where it is unknown.")

    def get_is_moderated(self, facts: Facts) -> bool:
        return bool((facts.top_provider or {}).get("is_moderated"))


class OpenRouterLinksSerializer(AnswerSerializer):
    details = serializers.CharField()

    def get_details(self, facts: Facts) -> str:
        return f"/{ROOT}/model/{quote(facts.id)}"


class OpenRouterModelSerializer(AnswerSerializer):
    """A model as OpenRouter's clients read it."""

    id = serializers.CharField()
    canonical_slug = serializers.CharField(source="id")
    name = serializers.CharField()
    created = serializers.IntegerField()
    description = serializers.CharField(allow_blank=True)
    context_length = serializers.IntegerField(allow_null=True)
    architecture = OpenRouterArchitectureSerializer(source="*")
    pricing = serializers.DictField(help_text='USD as decimal text, per token where not said otherwise; "-1": unknown.')
    top_provider = OpenRouterTopProviderSerializer(source="*")
    supported_parameters = serializers.ListField(child=serializers.CharField())
    supported_voices = Always(None)
    default_parameters = Always(None)
    per_request_limits = Always(None)
    links = OpenRouterLinksSerializer(source="*")
    expiration_date = serializers.DateField(source="shutdown_date", allow_null=True)

    def get_pricing(self, facts: Facts) -> dict[str, Any]:
        tariff = facts.tariff
        shown = {kind: price for kind, price in tariff.stored.items() if kind in tariff.known}
        # One window or threshold of the wrong kind would lose the page.
        beside = {"overrides": tariff.overrides} if tariff.overrides else {}
        return {"prompt": UNKNOWN, "completion": UNKNOWN, **shown, **beside}

    def get_supported_parameters(self, facts: Facts) -> list[str]:
        return facts.supported_parameters or []


class OpenRouterListLinksSerializer(serializers.Serializer):
    next = serializers.CharField(allow_null=True)


class OpenRouterModelListSerializer(serializers.Serializer):
    data = OpenRouterModelSerializer(many=True)  # type: ignore[assignment]  # OpenRouter's name, and one of a property of DRF's.
    links = OpenRouterListLinksSerializer()
    total_count = serializers.IntegerField()


class OpenRouterOneModelSerializer(serializers.Serializer):
    data = OpenRouterModelSerializer()  # type: ignore[assignment]


class OpenRouterCountedSerializer(serializers.Serializer):
    count = serializers.IntegerField()


class OpenRouterCountSerializer(serializers.Serializer):
    data = OpenRouterCountedSerializer()  # type: ignore[assignment]


ROWS = Rows("openrouter", OpenRouterModelSerializer())

_EXAMPLE: dict[str, Any] = {
    "id": "acme/large",
    "canonical_slug": "acme/large",
    "name": "Large",
    "created": 1767225600,
    "description": "",
    "context_length": 128000,
    "architecture": {
        "modality": "text+image->text",
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
    },
    "pricing": {"prompt": "0.0000025", "completion": "-1"},
    "top_provider": {"context_length": 128000, "max_completion_tokens": 16384, "is_moderated": False},
    "supported_parameters": ["temperature"],
    "supported_voices": None,
    "default_parameters": None,
    "per_request_limits": None,
    "links": {"details": "/openrouter/api/v1/model/acme/large"},
    "expiration_date": None,
}
_PAGE = answered({"data": [_EXAMPLE], "links": {"next": None}, "total_count": 1})
_PARAMETERS = [
    OpenApiParameter("offset", whole(0, MOST), description="Models to leave out at the beginning."),
    OpenApiParameter("limit", whole(1, MOST), description="Models to answer at most; all where it is not sent."),
]


def models(view: VisibleCatalog, offset: int = 0, limit: int = MOST) -> bytes | Pieces:
    rows = ROWS.usable(view)
    # Its SDK goes on by itself, by `offset`, while a page has as many rows as were asked for.
    end = b'],"links":{"next":null},"total_count":' + orjson.dumps(len(rows)) + b"}"
    return listed(b'{"data":[', rows[offset : offset + limit], end)


def count(view: VisibleCatalog) -> bytes:
    return orjson.dumps({"data": {"count": len(ROWS.usable(view))}})


@extend_schema(tags=["dialects"])
class OpenRouterViewSet(DialectViewSet):
    """The models of `/v1/models` for OpenRouter's clients."""

    @extend_schema(
        operation_id="openrouter_models_list",
        summary="The models that the caller may use, for OpenRouter's clients",
        description="In the order of `/v1/models`; by `offset` and `limit` where these are sent.",
        parameters=_PARAMETERS,
        examples=_PAGE,
        responses={200: OpenRouterModelListSerializer},
    )
    def list(self, request: Request) -> HttpResponse:
        offset = whole_number(request, "offset", 0, MOST, least=0)
        limit = whole_number(request, "limit", MOST, MOST)
        if (offset, limit) == (0, MOST):
            return self.rendered_answer("openrouter", models)
        view = self.visible_catalog()
        return self.part_of(view, "openrouter", (offset, limit), lambda: models(view, offset, limit))

    @extend_schema(
        operation_id="openrouter_models_user",
        summary="The same list: it is always the caller's own",
        parameters=_PARAMETERS,
        examples=_PAGE,
        responses={200: OpenRouterModelListSerializer},
    )
    def user(self, request: Request) -> HttpResponse:
        return self.list(request)

    @extend_schema(
        operation_id="openrouter_models_count",
        summary="How many models the caller may use",
        examples=answered({"data": {"count": 1}}),
        responses={200: OpenRouterCountSerializer},
    )
    def count(self, request: Request) -> HttpResponse:
        return self.rendered_answer("openrouter-count", count)

    @extend_schema(
        operation_id="openrouter_models_retrieve",
        summary="One model that the caller may use, for OpenRouter's clients",
        parameters=[
            OpenApiParameter("model_id", str, OpenApiParameter.PATH, description="May hold slashes and colons.")
        ],
        examples=answered({"data": _EXAMPLE}),
        responses={200: OpenRouterOneModelSerializer},
    )
    def retrieve(self, request: Request, model_id: str) -> HttpResponse:
        return self.one_of("openrouter-one", ROWS, model_id, lambda row: b'{"data":' + row + b"}")


DIALECT = Dialect(
    "openrouter",
    f"/{ROOT}/models",
    models,
    (
        path(f"{ROOT}/models", OpenRouterViewSet.as_view({"get": "list"}), name="openrouter-models"),
        path(f"{ROOT}/models/user", OpenRouterViewSet.as_view({"get": "user"}), name="openrouter-models-user"),
        path(f"{ROOT}/models/count", OpenRouterViewSet.as_view({"get": "count"}), name="openrouter-models-count"),
        path(f"{ROOT}/model/<path:model_id>", OpenRouterViewSet.as_view({"get": "retrieve"}), name="openrouter-model"),
    ),
    PROTOCOL,
)
