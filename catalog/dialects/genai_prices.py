"""Prices as genai-prices reads them, for Pydantic AI and Logfire: /export/{token}/genai-prices.json."""

from __future__ import annotations

import re
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from catalog.access.digests import keyed
from catalog.api.serializers.answers import AnswerSerializer
from catalog.api.snapshot import VisibleCatalog
from catalog.dialects.base import Dialect, Facts, Rows
from catalog.dialects.exports import ExportViewSet, described, placed
from catalog.dialects.fields import PricePerMillion

# The provider that is the address which a deployment calls: it has what all the others have.
GATEWAY = "modeldex"
_NO_ADDRESS = "(?!)"


class GenAIPricesOfModelSerializer(AnswerSerializer):
    """USD per million tokens."""

    input_mtok = PricePerMillion("prompt")
    output_mtok = PricePerMillion("completion")
    cache_read_mtok = PricePerMillion("input_cache_read", required=False)
    cache_write_mtok = PricePerMillion("input_cache_write", required=False)


class GenAIPricesModelSerializer(AnswerSerializer):
    id = serializers.CharField()
    name = serializers.CharField()
    match = serializers.DictField(help_text="The names that it is called by: its id, with the author or without.")
    context_window = serializers.IntegerField(source="context_length", required=False)
    prices = GenAIPricesOfModelSerializer(source="*")

    def get_match(self, facts: Facts) -> dict[str, Any]:
        names = dict.fromkeys((facts.id, facts.id.partition("/")[2] or facts.id))
        return {"or": [{"equals": name} for name in names]}


class GenAIPricesProviderSerializer(serializers.Serializer):
    id = serializers.CharField(help_text="What ids begin with.")
    name = serializers.CharField()
    api_pattern = serializers.CharField(help_text="What the address of its API matches.")
    provider_match = serializers.DictField(required=False)
    model_match = serializers.DictField(required=False)
    fallback_model_providers = serializers.ListField(child=serializers.CharField(), required=False)
    models = GenAIPricesModelSerializer(many=True)


ROWS = Rows("genai-prices", GenAIPricesModelSerializer())


def document(view: VisibleCatalog, required: tuple[str, ...] = ()) -> bytes:
    """Always without models that have no known price: of those the client then says that it knows none."""
    providers: dict[str, Any] = {}
    for name, _, model_id, row in placed(view, ROWS, ("pricing",)):
        new = {
            "id": name,
            "name": name,
            "api_pattern": _NO_ADDRESS,
            "provider_match": {"equals": name},
            # So that the id alone finds it. A custom model's begins with no provider.
            **({"model_match": {"starts_with": f"{name}/"}} if "/" in model_id else {}),
            "models": [],
        }
        providers.setdefault(name, new)["models"].append(orjson.Fragment(row))
    found = [*providers.values()]
    if settings.EXPORT_API_URL and found:
        pattern = re.escape(settings.EXPORT_API_URL)
        gateway = {"id": GATEWAY, "name": GATEWAY, "api_pattern": pattern, "models": []}
        found.append(gateway | {"fallback_model_providers": [*providers]})
    return orjson.dumps(found)


class GenAIPricesViewSet(ExportViewSet):
    empty = b"[]"

    @described(
        "export_genai_prices",
        "The prices of the models that the token's key may use, as genai-prices reads them",
        GenAIPricesProviderSerializer(many=True),
        {
            "id": "acme",
            "name": "acme",
            "api_pattern": _NO_ADDRESS,
            "provider_match": {"equals": "acme"},
            "model_match": {"starts_with": "acme/"},
            "models": [
                {
                    "id": "acme/large",
                    "name": "Large",
                    "match": {"or": [{"equals": "acme/large"}, {"equals": "large"}]},
                    "context_window": 128000,
                    "prices": {"input_mtok": 2.5, "output_mtok": 10.0},
                }
            ],
        },
    )
    def list(self, request: Request, token: str) -> HttpResponse:
        called = keyed("export", settings.EXPORT_API_URL.encode())
        return self.exported(f"genai-prices-{called}", document)


DIALECT = Dialect.of_one_address(
    "genai-prices", "/export/{token}/genai-prices.json", document, GenAIPricesViewSet, "export-genai-prices"
)
