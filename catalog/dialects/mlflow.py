"""MLflow's catalog, one file a provider: /export/{token}/mlflow/{provider}.json."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from catalog.access.digests import keyed
from catalog.api.serializers.answers import AnswerSerializer, WhereTrue
from catalog.api.snapshot import VisibleCatalog
from catalog.dialects.base import Dialect, Facts, Rows
from catalog.dialects.exports import ExportViewSet, described, placed
from catalog.dialects.fields import Able, PricePerMillion
from catalog.dialects.litellm import mode_of

VERSION = "1.0"


class MLflowContextWindowSerializer(AnswerSerializer):
    max_input = serializers.IntegerField(source="context_length", required=False)
    max_output = serializers.IntegerField(source="max_output_tokens", required=False)


class MLflowPricingSerializer(AnswerSerializer):
    """USD per million tokens."""

    input_per_million_tokens = PricePerMillion("prompt", required=False)
    output_per_million_tokens = PricePerMillion("completion", required=False)
    cache_read_per_million_tokens = PricePerMillion("input_cache_read", required=False)
    cache_write_per_million_tokens = PricePerMillion("input_cache_write", required=False)
    cache_write_1hr_per_million_tokens = PricePerMillion("input_cache_write_1h", required=False)


class MLflowCapabilitiesSerializer(AnswerSerializer):
    function_calling = Able("tools")
    vision = Able("vision")
    reasoning = Able("reasoning")
    prompt_caching = WhereTrue()
    response_schema = Able("structured_output")

    def get_prompt_caching(self, facts: Facts) -> bool:
        return "input_cache_read" in facts.tariff.known


class MLflowModelSerializer(AnswerSerializer):
    """What is unknown is absent; MLflow takes an absent price for 0."""

    mode = serializers.CharField(required=False, help_text="Such as `chat` or `embedding`.")
    context_window = MLflowContextWindowSerializer(source="*", required=False)
    pricing = MLflowPricingSerializer(source="*", required=False)
    capabilities = MLflowCapabilitiesSerializer(source="*", required=False)
    deprecation_date = serializers.DateField(source="shutdown_date", required=False)

    def get_mode(self, facts: Facts) -> str | None:
        return mode_of(facts)


class MLflowCatalogSerializer(serializers.Serializer):
    schema_version = serializers.CharField()
    models = serializers.DictField(child=MLflowModelSerializer(), help_text="By the rest of the id.")


ROWS = Rows("mlflow", MLflowModelSerializer())


def catalog(models: dict[str, Any]) -> bytes:
    return orjson.dumps({"schema_version": VERSION, "models": models})


def document(view: VisibleCatalog, provider: str, required: tuple[str, ...] = ()) -> bytes:
    return catalog(
        {rest: orjson.Fragment(row) for name, rest, _, row in placed(view, ROWS, required) if name == provider}
    )


def whole(view: VisibleCatalog) -> bytes:
    """The files of all providers, each under its name: for staff, as nobody asks for an index."""
    names = dict.fromkeys(name for name, *_ in placed(view, ROWS, ()))
    return orjson.dumps({name: orjson.Fragment(document(view, name)) for name in names})


class CatalogViewSet(ExportViewSet):
    # Also for a provider that nobody knows: a 404 is asked three times more.
    empty = catalog({})

    @described(
        "export_mlflow",
        "The models of one author that the token's key may use, as MLflow's catalog",
        MLflowCatalogSerializer,
        {
            "schema_version": VERSION,
            "models": {
                "large": {
                    "mode": "chat",
                    "context_window": {"max_input": 128000, "max_output": 16384},
                    "pricing": {"input_per_million_tokens": 2.5, "output_per_million_tokens": 10.0},
                    "capabilities": {"function_calling": True},
                }
            },
        },
    )
    @extend_schema(
        parameters=[OpenApiParameter("provider", str, OpenApiParameter.PATH, description="What ids begin with.")]
    )
    def list(self, request: Request, token: str, provider: str) -> HttpResponse:
        name = f"mlflow-{keyed('provider', provider.encode())}"
        return self.exported(name, lambda view, required: document(view, provider, required))


DIALECT = Dialect.of_one_address(
    "MLflow", "/export/{token}/mlflow/{provider}.json", whole, CatalogViewSet, "export-mlflow"
)
