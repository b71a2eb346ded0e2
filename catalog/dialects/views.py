"""/v1/models: the catalog in OpenAI's dialect."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from catalog.api.direct import DirectMixin
from catalog.api.rendering import SHAPE, RenderingMixin, named, openai_list
from catalog.dialects.openai import OpenAIModelListSerializer, OpenAIModelSerializer
from config.api.conditional import etag


class ModelNotFound(NotFound):
    """Unknown, out of the caller's sight, or not for them to use: nobody learns which."""

    default_code = "model_not_found"
    param = "model"

    def __init__(self, model_id: str) -> None:
        super().__init__(f"The model '{named(model_id)}' does not exist or you do not have access to it.")


_ITEM: dict[str, Any] = {
    "id": "acme/large",
    "object": "model",
    "created": 1767225600,
    "owned_by": "acme",
    "name": "Large",
    "context_length": 128000,
    "context_window": 128000,
    "max_model_len": 128000,
    "max_output_tokens": 16384,
    "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
    "architecture": {
        "modality": "text+image->text",
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
    },
    "capabilities": ["chat", "vision", "tools"],
    "metadata": {
        "display_name": "Large",
        "description": None,
        "context_window": 128000,
        "max_output_tokens": 16384,
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "supported_reasoning_levels": [{"effort": "low", "description": "Answers sooner."}],
        "default_reasoning_level": "low",
        "supports_reasoning_summaries": True,
        "support_verbosity": None,
        "default_verbosity": None,
        "prefer_websockets": None,
        "supports_parallel_tool_calls": True,
        "supported_in_api": True,
        "minimal_client_version": None,
        "priority": 10,
        "capabilities": ["chat", "vision", "tools"],
        "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
    },
}


@extend_schema(tags=["openai"])
class OpenAIModelViewSet(RenderingMixin, DirectMixin, viewsets.ViewSet):
    """The models that the caller may use, for clients of OpenAI's API. Clients' own query parameters are ignored."""

    query_parameters = None

    @extend_schema(
        operation_id="openai_models_list",
        summary="The models that the caller may use",
        description="Usable models that are supported in the API, the highest priority first, then by id.",
        examples=[OpenApiExample("One model", {"object": "list", "data": [_ITEM]}, status_codes=["200"])],
        responses={
            200: OpenAIModelListSerializer,
        },
    )
    def list(self, request: Request) -> HttpResponse:
        return self.rendered_answer("v1", openai_list)

    @extend_schema(
        operation_id="openai_models_retrieve",
        summary="One model that the caller may use",
        parameters=[
            OpenApiParameter(
                "model_id", str, OpenApiParameter.PATH, description="May hold slashes, raw or as %2F, and colons."
            )
        ],
        examples=[OpenApiExample("One model", _ITEM, status_codes=["200"])],
        responses={
            200: OpenAIModelSerializer,
        },
    )
    def retrieve(self, request: Request, model_id: str) -> HttpResponse:
        # Before any 304: what the caller may not use has no tag of its own.
        view = self.visible_catalog()
        rendered_model = view.usable(model_id)
        body = rendered_model.openai if rendered_model is not None else None
        if body is None:
            raise ModelNotFound(model_id)
        return self.conditional(etag(SHAPE, "v1-one", view.caller.fingerprint), lambda: body)
