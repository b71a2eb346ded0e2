"""/api/models/openrouter and its siblings."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.base import CallerMixin
from config.api.conditional import ConditionalMixin, etag
from providers.lists import items, lists, upstream
from providers.lists.serializers import EmbeddingListSerializer, LanguageListSerializer, LocalListSerializer


def _operation(name: str, summary: str, description: str, serializer: Any, model: dict[str, Any], source: str) -> Any:
    data = {"models": [model], "source": source, "total": 1, "as_of": 1_764_086_400}
    example = OpenApiExample(summary, {"success": True, "data": data}, response_only=True, status_codes=["200"])
    return extend_schema(
        operation_id=f"provider_lists_{name}",
        tags=["provider lists"],
        summary=summary,
        description=description,
        examples=[example],
        responses=serializer,
    )


class ProviderListViewSet(ConditionalMixin, CallerMixin, viewsets.ViewSet):
    """What an upstream lists, less what the caller may not see."""

    @_operation(
        "openrouter",
        "OpenRouter's language models",
        "A curated list where no key is configured, or where OpenRouter fails and nothing recent is stored.",
        LanguageListSerializer,
        {
            "id": "openai/gpt-4o-mini",
            "name": "GPT-4o Mini",
            "provider": "OpenAI",
            "context": 128000,
            "pricing": {"prompt": "0.00000015", "completion": "0.0000006"},
        },
        "api",
    )
    def openrouter(self, request: Request) -> Response:
        return self._answer(request, "openrouter")

    @_operation(
        "openrouter_embeddings",
        "OpenRouter's embedding models",
        "A curated list where no key is configured, or where OpenRouter fails and nothing recent is stored.",
        EmbeddingListSerializer,
        {
            "id": "openai/text-embedding-3-small",
            "name": "Text Embedding 3 Small",
            "provider": "OpenAI",
            "dimensions": 1536,
            "context": 8192,
            "cost_per_million": "$0.02",
        },
        "api",
    )
    def embeddings(self, request: Request) -> Response:
        return self._answer(request, "embeddings")

    @_operation(
        "ollama",
        "Models of the Ollama server",
        "Those that only embed are left out. An unreachable server is an empty list with the reason.",
        LocalListSerializer,
        {
            "id": "qwen2.5:1.5b",
            "name": "qwen2.5:1.5b",
            "parameter_size": "1.5B",
            "quantization": "Q4_K_M",
            "family": "qwen2",
            "size_mb": 986,
        },
        "ollama",
    )
    def ollama(self, request: Request) -> Response:
        return self._answer(request, "ollama")

    @_operation(
        "openai",
        "OpenAI's models",
        "OpenAI lists bare ids; what else is shown comes from the catalog.",
        LanguageListSerializer,
        {"id": "gpt-4o-mini", "name": "GPT-4o Mini", "provider": "OpenAI", "context": 128000},
        "api",
    )
    def openai(self, request: Request) -> Response:
        return self._answer(request, "openai")

    def _answer(self, request: Request, name: str) -> Response:
        listed = items.LISTS[name]
        state = lists.state_of(listed, upstream.source)
        tag = etag(self.caller.fingerprint, name, state.stamp)
        return self.conditional(tag, lambda: lists.answer(listed, state, self.caller))
