"""Ollama's dialect, under /ollama: tags, show and version. It says which models there are; nothing runs here."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from catalog.api.serializers.answers import Always, AnswerSerializer
from catalog.api.snapshot import VisibleCatalog
from catalog.dialects.base import Dialect, DialectViewSet, Facts, Rows, answered
from config.api.pieces import Pieces, listed
from config.api.protocols import Protocol, RefusalDetails

# The version whose answers these are.
VERSION = "0.12.0"
# Limits have the name of an architecture before them, and nobody tells us that.
ARCHITECTURE = "unknown"
_ABILITIES = {
    "chat": "completion",
    "completion": "completion",
    "embeddings": "embedding",
    "tools": "tools",
    "vision": "vision",
    "reasoning": "thinking",
}
_DETAILS = {"format": "", "family": "", "families": [], "parameter_size": "", "quantization_level": ""}


def envelope(refused: RefusalDetails) -> dict[str, Any]:
    return {"error": refused.message}


PROTOCOL = Protocol(
    "Ollama",
    "ollama",
    envelope,
    {
        "OllamaRefusal": {
            "type": "object",
            "description": "Every refusal in the dialect of Ollama.",
            "properties": {"error": {"type": "string"}},
            "required": ["error"],
        }
    },
)


class ChangedSerializer(AnswerSerializer):
    modified_at = serializers.CharField(
        source="created_at", help_text="RFC 3339: when the model itself was released or added."
    )
    details = Always(_DETAILS)


class OllamaModelSerializer(ChangedSerializer):
    """A model as `ollama list` shows it. Sizes are unknown."""

    name = serializers.CharField(source="id")
    model = serializers.CharField(source="id")
    size = Always(0)
    digest = serializers.CharField(help_text="Of the id: there are no weights here.")

    def get_digest(self, facts: Facts) -> str:
        return sha256(facts.id.encode()).hexdigest()


class OllamaModelInfoSerializer(ChangedSerializer):
    """A model as `ollama show` reads it."""

    model_info = serializers.DictField(help_text="`<architecture>.context_length` where it is known.")
    capabilities = serializers.ListField(child=serializers.CharField())

    def get_model_info(self, facts: Facts) -> dict[str, Any]:
        known = {f"{ARCHITECTURE}.context_length": facts.context_length} if facts.context_length else {}
        return {"general.architecture": ARCHITECTURE, **known}

    def get_capabilities(self, facts: Facts) -> list[str]:
        return [_ABILITIES[word] for word in facts.capabilities if word in _ABILITIES]


class OllamaModelListSerializer(serializers.Serializer):
    models = OllamaModelSerializer(many=True)


class OllamaVersionSerializer(serializers.Serializer):
    version = serializers.CharField()


class OllamaShowSerializer(serializers.Serializer):
    """Other fields are ignored, as clients bring their own."""

    model = serializers.CharField(trim_whitespace=False)


_ONLY = ("chat", "completion", "embeddings")
ROWS = Rows("ollama", OllamaModelSerializer(), only=_ONLY)
SHOWN = Rows("ollama-show", OllamaModelInfoSerializer(), only=_ONLY)

_MODIFIED = {"modified_at": "2026-01-01T00:00:00Z", "details": _DETAILS}
_TAG = {
    **_MODIFIED,
    "name": "acme/large",
    "model": "acme/large",
    "size": 0,
    "digest": sha256(b"acme/large").hexdigest(),
}
_SHOWN = {
    **_MODIFIED,
    "model_info": {"general.architecture": ARCHITECTURE, f"{ARCHITECTURE}.context_length": 128000},
    "capabilities": ["completion", "vision", "tools"],
}


def tags(view: VisibleCatalog) -> bytes | Pieces:
    return listed(b'{"models":[', ROWS.usable(view), b"]}")


@extend_schema(tags=["dialects"])
class OllamaViewSet(DialectViewSet):
    """The models of `/v1/models` for Ollama's clients."""

    scopes = {"GET": "models:read", "POST": "models:read"}

    @extend_schema(
        operation_id="ollama_tags",
        summary="The models that the caller may use, for Ollama's clients",
        examples=answered({"models": [_TAG]}),
        responses={200: OllamaModelListSerializer},
    )
    def list(self, request: Request) -> HttpResponse:
        return self.rendered_answer("ollama", tags)

    @extend_schema(
        operation_id="ollama_show",
        summary="One model that the caller may use, for Ollama's clients",
        request=OllamaShowSerializer,
        examples=[*answered(_SHOWN), OpenApiExample("By id", {"model": "acme/large"}, request_only=True)],
        responses={200: OllamaModelInfoSerializer, 404: None},
    )
    def show(self, request: Request) -> HttpResponse:
        sent: Any = request.data
        model_id = sent.get("model", sent.get("name")) if isinstance(sent, dict) else None
        if not isinstance(model_id, str) or not model_id:
            raise ValidationError({"model": ["The id of a model is needed."]})
        return HttpResponse(SHOWN.one(self.visible_catalog(), model_id), content_type="application/json")

    @extend_schema(
        operation_id="ollama_version",
        summary="The version of Ollama whose answers these are",
        examples=answered({"version": VERSION}),
        responses={200: OllamaVersionSerializer},
    )
    def version(self, request: Request) -> HttpResponse:
        return HttpResponse(orjson.dumps({"version": VERSION}), content_type="application/json")


DIALECT = Dialect(
    "ollama",
    "/ollama/api/tags",
    tags,
    (
        path("ollama/api/tags", OllamaViewSet.as_view({"get": "list"}), name="ollama-tags"),
        path("ollama/api/show", OllamaViewSet.as_view({"post": "show"}), name="ollama-show"),
        path("ollama/api/version", OllamaViewSet.as_view({"get": "version"}), name="ollama-version"),
    ),
    PROTOCOL,
)
