"""/v1/models: the catalog in OpenAI's dialect, and in those of two other clients that ask at the same address."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request

from catalog.api.snapshot import RenderedModel, VisibleCatalog
from catalog.dialects import anthropic, codex
from catalog.dialects.base import REQUIRE, Dialect, DialectViewSet, Rows, required_of, usable
from catalog.dialects.openai import PROTOCOL, OpenAIModelListSerializer, OpenAIModelSerializer
from config.api import protocols
from config.api.pieces import Pieces, listed


class OpenAIRows(Rows):
    """OpenAI's own, which the models are rendered with."""

    def of(self, rendered_model: RenderedModel) -> bytes:
        return rendered_model.openai or b""


ROWS = OpenAIRows("v1", OpenAIModelSerializer())


def openai_list(view: VisibleCatalog, required: tuple[str, ...] = ()) -> bytes | Pieces:
    """What is usable and for the API."""
    rows = (rendered_model.openai or b"" for rendered_model in usable(view, required))
    return listed(b'{"object":"list","data":[', rows, b"]}")


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
class OpenAIModelViewSet(DialectViewSet):
    """The models that the caller may use, for clients of OpenAI's API. Clients' own query parameters are ignored."""

    @extend_schema(
        operation_id="openai_models_list",
        summary="The models that the caller may use",
        # What chooses another answer is no parameter of this operation: a client made of the document would have the
        # type of one answer and read the other.
        description="Usable models that are supported in the API, the highest priority first, then by id. Two other "
        "clients ask here too, and are answered in their own words (`x-dialects`). With the header "
        "`anthropic-version`, of any value, it is Anthropic's list, an `AnthropicPage`: the newest first, by `limit` "
        "(1 to 1000, by default 20), `after_id`, `before_id` and `lifecycle` (`active`, `deprecated`, `retired`), with "
        "Anthropic's errors. With the parameter `client_version` it is a `CodexCatalog`.",
        parameters=[REQUIRE],
        examples=[OpenApiExample("One model", {"object": "list", "data": [_ITEM]}, status_codes=["200"])],
        responses={
            200: OpenAIModelListSerializer,
            (200, "application/json; dialect=anthropic"): anthropic.AnthropicPageSerializer,
            (200, "application/json; dialect=codex"): codex.CodexCatalogSerializer,
        },
    )
    def list(self, request: Request) -> HttpResponse:
        if self.speaks_anthropic():
            return anthropic.page(self)
        if "client_version" in request.query_params:
            return self.rendered_answer("codex", codex.catalog)
        required = required_of(request)
        return self.rendered_answer("-".join(("v1", *required)), lambda view: openai_list(view, required))

    @extend_schema(
        operation_id="openai_models_retrieve",
        summary="One model that the caller may use",
        description="With the header `anthropic-version`, as an item of Anthropic's list, an `AnthropicModel` "
        "(`x-dialects`).",
        parameters=[
            OpenApiParameter(
                "model_id", str, OpenApiParameter.PATH, description="May hold slashes, raw or as %2F, and colons."
            )
        ],
        examples=[OpenApiExample("One model", _ITEM, status_codes=["200"])],
        responses={
            200: OpenAIModelSerializer,
            (200, "application/json; dialect=anthropic"): anthropic.AnthropicModelSerializer,
        },
    )
    def retrieve(self, request: Request, model_id: str) -> HttpResponse:
        if self.speaks_anthropic():
            return self.one_of("anthropic-one", anthropic.ROWS, model_id)
        return self.one_of("v1-one", ROWS, model_id)

    def speaks_anthropic(self) -> bool:
        return protocols.of(self.request.path_info, self.request.META) is anthropic.PROTOCOL


DIALECT = Dialect(
    "openai",
    "/v1/models",
    openai_list,
    (
        path("v1/models", OpenAIModelViewSet.as_view({"get": "list"}), name="openai-models"),
        # As one client asks; in the OpenAPI document it stands once.
        path("v1/models/", OpenAIModelViewSet.as_view({"get": "list"}, schema=None), name="openai-models-slash"),
        path("v1/models/<path:model_id>", OpenAIModelViewSet.as_view({"get": "retrieve"}), name="openai-model"),
    ),
    PROTOCOL,
)
