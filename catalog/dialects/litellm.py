"""What clients of LiteLLM's proxy read beside `/v1/models`: /v1/model/info. Refusals have OpenAI's envelope."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from catalog.api.serializers.answers import AnswerSerializer, WhereTrue
from catalog.api.snapshot import VisibleCatalog
from catalog.capabilities import TASKS
from catalog.dialects.base import REQUIRE, Dialect, DialectViewSet, Facts, Rows, answered, required_of
from catalog.dialects.fields import Able, PriceNumber
from config.api.pieces import Pieces, listed

# LiteLLM's words for tasks, where they are not ours.
_MODES = {"embeddings": "embedding", "speech": "audio_speech", "transcription": "audio_transcription"}


def mode_of(facts: Facts) -> str | None:
    """What the model is for, in LiteLLM's word; None where that is unknown."""
    task = next((word for word in facts.capabilities if word in TASKS), None)
    return _MODES.get(task, task) if task else None


class LiteLLMParamsSerializer(AnswerSerializer):
    model = serializers.CharField(source="id")


class LiteLLMModelInfoSerializer(AnswerSerializer):
    """What is unknown is absent; a price is never 0 for that."""

    id = serializers.CharField()
    mode = serializers.CharField(required=False, help_text="Such as `chat` or `embedding`.")
    litellm_provider = serializers.CharField(source="owned_by", help_text="The model's author.")
    max_tokens = serializers.IntegerField(source="max_output_tokens", required=False)
    max_input_tokens = serializers.IntegerField(source="context_length", required=False)
    max_output_tokens = serializers.IntegerField(required=False)
    input_cost_per_token = PriceNumber("prompt", required=False, help_text="USD.")
    output_cost_per_token = PriceNumber("completion", required=False, help_text="USD.")
    cache_read_input_token_cost = PriceNumber("input_cache_read", required=False, help_text="USD.")
    cache_creation_input_token_cost = PriceNumber("input_cache_write", required=False, help_text="USD.")
    cache_creation_input_token_cost_above_1hr = PriceNumber("input_cache_write_1h", required=False, help_text="USD.")
    supports_vision = Able("vision")
    supports_function_calling = Able("tools")
    supports_reasoning = Able("reasoning")
    supports_response_schema = Able("structured_output")
    supports_prompt_caching = WhereTrue()
    deprecation_date = serializers.DateField(source="shutdown_date", required=False)

    def get_mode(self, facts: Facts) -> str | None:
        return mode_of(facts)

    def get_supports_prompt_caching(self, facts: Facts) -> bool:
        return "input_cache_read" in facts.tariff.known


class LiteLLMModelSerializer(AnswerSerializer):
    """A model as clients of LiteLLM's proxy read it."""

    model_name = serializers.CharField(source="id")
    litellm_params = LiteLLMParamsSerializer(source="*")
    model_info = LiteLLMModelInfoSerializer(source="*")


class LiteLLMModelListSerializer(serializers.Serializer):
    data = LiteLLMModelSerializer(many=True)  # type: ignore[assignment]  # LiteLLM's name, and one of a property of DRF's.


ROWS = Rows("litellm", LiteLLMModelSerializer())

_EXAMPLE = {
    "model_name": "acme/large",
    "litellm_params": {"model": "acme/large"},
    "model_info": {
        "id": "acme/large",
        "mode": "chat",
        "litellm_provider": "acme",
        "max_tokens": 16384,
        "max_input_tokens": 128000,
        "max_output_tokens": 16384,
        "input_cost_per_token": 0.0000025,
        "output_cost_per_token": 0.00001,
        "supports_vision": True,
    },
}


def model_info(view: VisibleCatalog, required: tuple[str, ...] = ()) -> bytes | Pieces:
    return listed(b'{"data":[', ROWS.usable(view, required), b"]}")


@extend_schema(tags=["dialects"])
class ModelInfoViewSet(DialectViewSet):
    """The models of `/v1/models` with limits and prices as numbers."""

    @extend_schema(
        operation_id="litellm_model_info",
        summary="The models that the caller may use, as LiteLLM's proxy describes them",
        parameters=[REQUIRE],
        examples=answered({"data": [_EXAMPLE]}),
        responses={200: LiteLLMModelListSerializer},
    )
    def list(self, request: Request) -> HttpResponse:
        required = required_of(request)
        return self.rendered_answer("-".join(("litellm", *required)), lambda view: model_info(view, required))


DIALECT = Dialect.of_one_address("litellm", "/v1/model/info", model_info, ModelInfoViewSet, "litellm-model-info")
