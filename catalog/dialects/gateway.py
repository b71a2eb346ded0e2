"""What Vercel's AI SDK reads of a gateway: /gateway/v3/ai/config. The number is that of its specification."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from catalog.api.serializers.answers import Always, AnswerSerializer
from catalog.api.snapshot import VisibleCatalog
from catalog.dialects.base import Dialect, DialectViewSet, Facts, Rows, answered, error_schema
from catalog.dialects.fields import PriceText
from config.api.pieces import Pieces, listed
from config.api.protocols import Protocol, RefusalDetails

# The tasks that the SDK has a type for; it leaves out others.
_TYPES = {
    "chat": "language",
    "completion": "language",
    "embeddings": "embedding",
    "image_generation": "image",
    "video_generation": "video",
    "rerank": "reranking",
    "speech": "speech",
    "transcription": "transcription",
}
_WORDS = {401: "authentication_error", 403: "forbidden", 429: "rate_limit_exceeded"}


def envelope(refused: RefusalDetails) -> dict[str, Any]:
    word = _WORDS.get(refused.status, "internal_server_error" if refused.status >= 500 else "invalid_request_error")
    return {"error": {"message": refused.message, "type": word, "param": refused.param, "code": refused.code}}


_TEXT = {"type": "string"}
PROTOCOL = Protocol(
    "Gateway",
    "gateway",
    envelope,
    error_schema("Gateway", {"message": _TEXT, "type": _TEXT, "param": {"type": ["string", "null"]}, "code": _TEXT}),
)


class GatewaySpecificationSerializer(AnswerSerializer):
    specificationVersion = Always("v3")
    provider = serializers.CharField(source="owned_by")
    modelId = serializers.CharField(source="id")


class GatewayPricingSerializer(AnswerSerializer):
    """USD per token, as decimal text."""

    input = PriceText("prompt")
    output = PriceText("completion")
    input_cache_read = PriceText("input_cache_read", required=False)
    input_cache_write = PriceText("input_cache_write", required=False)


class GatewayModelSerializer(AnswerSerializer):
    """A model as the AI SDK reads it; what is unknown is absent."""

    id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(required=False)
    specification = GatewaySpecificationSerializer(source="*")
    pricing = GatewayPricingSerializer(required=False, help_text="Where both prices are known.")
    modelType = serializers.CharField()

    def get_pricing(self, facts: Facts) -> Facts | None:
        return facts if facts.knows("pricing") else None

    def get_modelType(self, facts: Facts) -> str:
        return next(_TYPES[word] for word in facts.capabilities if word in _TYPES)


class GatewayConfigSerializer(serializers.Serializer):
    models = GatewayModelSerializer(many=True)


ROWS = Rows("gateway", GatewayModelSerializer(), only=tuple(_TYPES))

_EXAMPLE: dict[str, Any] = {
    "id": "acme/large",
    "name": "Large",
    "specification": {"specificationVersion": "v3", "provider": "acme", "modelId": "acme/large"},
    "pricing": {"input": "0.0000025", "output": "0.00001"},
    "modelType": "language",
}


def config(view: VisibleCatalog) -> bytes | Pieces:
    return listed(b'{"models":[', ROWS.usable(view), b"]}")


@extend_schema(tags=["dialects"])
class GatewayViewSet(DialectViewSet):
    """The models of `/v1/models` for Vercel's AI SDK."""

    @extend_schema(
        operation_id="gateway_config",
        summary="The models that the caller may use, for Vercel's AI SDK",
        examples=answered({"models": [_EXAMPLE]}),
        responses={200: GatewayConfigSerializer},
    )
    def list(self, request: Request) -> HttpResponse:
        return self.rendered_answer("gateway", config)


DIALECT = Dialect.of_one_address("gateway", "/gateway/v3/ai/config", config, GatewayViewSet, "gateway-config", PROTOCOL)
