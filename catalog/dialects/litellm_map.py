"""LiteLLM's map of prices and limits, for LiteLLM, aider and Bifrost: model_prices_and_context_window.json.

One value of it that is no object makes `import litellm` fail, so it holds nothing but models.
"""

from __future__ import annotations

from pathlib import Path

import orjson
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from catalog.api.snapshot import VisibleCatalog
from catalog.dialects.base import Dialect, Facts, Rows, usable
from catalog.dialects.exports import ExportViewSet, FileSerializer, described
from catalog.dialects.litellm import LiteLLMModelInfoSerializer

# What LiteLLM (1.110.2) takes for a provider where an id begins with it. `make acceptance` compares.
PROVIDERS = frozenset(Path(__file__).with_name("litellm_providers.txt").read_text().split())
# How a gateway is called with these ids: the beginning, and the provider that the entry must then name.
PREFIXES = ("openai", "litellm_proxy")


class LiteLLMMapEntrySerializer(LiteLLMModelInfoSerializer):
    """What is unknown is absent; LiteLLM takes an absent price for 0."""

    id = None  # type: ignore[assignment]  # The name of the entry.
    litellm_provider = serializers.CharField(help_text="What the id begins with where LiteLLM knows it, else `openai`.")
    # Bifrost's.
    provider = serializers.CharField(source="owned_by", help_text="The model's author.")
    base_model = serializers.CharField(source="id")

    def get_litellm_provider(self, facts: Facts) -> str:
        # Of an alias too: its author is none of LiteLLM's with the mark before it.
        beginning = facts.id.partition("/")[0]
        return beginning if beginning in PROVIDERS else "openai"


class LiteLLMMapSerializer(FileSerializer):
    """The models by id, and by each name under which LiteLLM calls a gateway for one."""

    child = LiteLLMMapEntrySerializer


ROWS = Rows("litellm-map", LiteLLMMapEntrySerializer())


def document(view: VisibleCatalog, required: tuple[str, ...] = ()) -> bytes:
    rows = {model.model_id: orjson.loads(ROWS.of(model)) for model in usable(view, required)}
    prefixed = {
        f"{prefix}/{model_id}": row | {"litellm_provider": prefix}
        for model_id, row in rows.items()
        for prefix in PREFIXES
    }
    # A model of its own goes before another one's further name.
    return orjson.dumps(prefixed | rows)


class MapViewSet(ExportViewSet):
    @described(
        "export_litellm_map",
        "The models that the token's key may use, as LiteLLM's map of prices",
        LiteLLMMapSerializer,
        {
            "acme/large": {
                "mode": "chat",
                "litellm_provider": "openai",
                "provider": "acme",
                "base_model": "acme/large",
                "max_input_tokens": 128000,
                "input_cost_per_token": 0.0000025,
                "output_cost_per_token": 0.00001,
            }
        },
    )
    def list(self, request: Request, token: str) -> HttpResponse:
        return self.exported("litellm-map", document)


DIALECT = Dialect.of_one_address(
    "LiteLLM's map",
    "/export/{token}/model_prices_and_context_window.json",
    document,
    MapViewSet,
    "export-litellm-map",
)
