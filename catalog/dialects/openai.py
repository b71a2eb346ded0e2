"""An AI model as OpenAI's clients read it, with what other clients of that dialect look for beside it.

Refusals under /v1 have OpenAI's envelope, unless a header chooses another protocol.
"""

from __future__ import annotations

from operator import methodcaller
from typing import Any

from rest_framework import serializers

from catalog.api.serializers.answers import AnswerSerializer, UnixSeconds
from catalog.capabilities import CAPABILITIES
from config.api.protocols import Protocol, RefusalDetails

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
}
# OpenAI's words for codes of ours.
_CODES = {
    "not_authenticated": "invalid_api_key",
    "authentication_failed": "invalid_api_key",
    "permission_denied": "insufficient_permissions",
}
_TEXT = {"type": "string"}


def envelope(refused: RefusalDetails) -> dict[str, Any]:
    error = {
        "message": refused.message,
        "type": _TYPES.get(refused.status, "invalid_request_error"),
        "param": refused.param or next(iter(refused.errors or ()), None),
        "code": _CODES.get(refused.code, refused.code) if refused.status in (401, 403) else refused.code,
    }
    return {"error": error}


PROTOCOL = Protocol(
    "OpenAI",
    "v1",
    envelope,
    {
        "OpenAIRefusal": {
            "type": "object",
            "description": "Every refusal under `/v1`, unless a header chooses another dialect.",
            "properties": {"error": {"$ref": "#/components/schemas/OpenAIError"}},
            "required": ["error"],
        },
        "OpenAIError": {
            "type": "object",
            "properties": {
                "message": _TEXT | {"description": "What was wrong, for people."},
                "type": _TEXT,
                "param": {"type": ["string", "null"], "description": "What the refusal is about."},
                "code": _TEXT | {"description": "Stable, for programs."},
            },
            "required": ["message", "type", "param", "code"],
        },
    },
)

# Of a custom model, which no author made.
OWNED_BY_A_USER = "user"


class OpenAILevelSerializer(AnswerSerializer):
    """A level of reasoning that the model knows."""

    effort = serializers.CharField()
    description = serializers.CharField(allow_blank=True)

    def reader(self, source: str) -> Any:
        return methodcaller("get", source)


class OpenAIMetadataSerializer(AnswerSerializer):
    """Every field is there; null is unknown."""

    display_name = serializers.CharField(source="name")
    description = serializers.CharField(allow_null=True)
    context_window = serializers.IntegerField(source="context_length", allow_null=True, help_text="Tokens.")
    max_output_tokens = serializers.IntegerField(allow_null=True)
    input_modalities = serializers.ListField(child=serializers.CharField(), help_text="Empty: unknown.")
    output_modalities = serializers.ListField(child=serializers.CharField(), help_text="Empty: unknown.")
    supported_reasoning_levels = OpenAILevelSerializer(many=True, source="reasoning_levels")
    default_reasoning_level = serializers.CharField(allow_null=True)
    supports_reasoning_summaries = serializers.BooleanField(allow_null=True)
    support_verbosity = serializers.BooleanField(source="supports_verbosity", allow_null=True)
    default_verbosity = serializers.CharField(allow_null=True)
    prefer_websockets = serializers.BooleanField(allow_null=True)
    supports_parallel_tool_calls = serializers.BooleanField(allow_null=True)
    supported_in_api = serializers.BooleanField()
    minimal_client_version = serializers.CharField(allow_null=True)
    priority = serializers.IntegerField(help_text="Higher first.")
    capabilities = serializers.ListField(child=serializers.ChoiceField(CAPABILITIES))
    pricing = serializers.DictField(allow_null=True, help_text="USD per token, as decimal text.")


class ArchitectureSerializer(AnswerSerializer):
    """As OpenRouter's clients read it; what is unknown is absent."""

    modality = serializers.CharField(required=False, help_text="Such as text+image->text.")
    input_modalities = serializers.ListField(child=serializers.CharField(), required=False)
    output_modalities = serializers.ListField(child=serializers.CharField(), required=False)
    tokenizer = serializers.CharField(required=False)
    instruct_type = serializers.CharField(required=False)

    def get_modality(self, model: Any) -> str | None:
        into, out = model.input_modalities, model.output_modalities
        return f"{'+'.join(into)}->{'+'.join(out)}" if into and out else None


class TopProviderSerializer(AnswerSerializer):
    """As OpenRouter's clients read it; what is unknown is absent."""

    context_length = serializers.IntegerField(required=False)
    max_completion_tokens = serializers.IntegerField(source="max_output_tokens", required=False)
    is_moderated = serializers.BooleanField(required=False)


class OpenAIModelSerializer(AnswerSerializer):
    """A model as OpenAI's clients read it; at the top, what is unknown is absent."""

    # At the top stand OpenAI's own fields and the names by which Open WebUI, LibreChat, vLLM's and OpenRouter's clients
    # look for limits and prices. An unknown price is never "0".

    id = serializers.CharField(source="model_id")
    object = serializers.ChoiceField(choices=("model",))
    created = UnixSeconds(help_text="Unix seconds: when the model itself was released or added.")
    owned_by = serializers.CharField(help_text="Its author; `user` for a custom model.")
    name = serializers.CharField()
    description = serializers.CharField(required=False)
    context_length = serializers.IntegerField(required=False, help_text="Tokens.")
    context_window = serializers.IntegerField(source="context_length", required=False)
    max_model_len = serializers.IntegerField(source="context_length", required=False)
    max_output_tokens = serializers.IntegerField(required=False)
    pricing = serializers.DictField(required=False, help_text="USD per token, as decimal text.")
    architecture = ArchitectureSerializer(source="*", required=False)
    supported_parameters = serializers.ListField(child=serializers.CharField(), required=False)
    top_provider = TopProviderSerializer(source="*", required=False)
    deprecated_at = serializers.DateField(required=False)
    shutdown_date = serializers.DateField(source="retires_at", required=False)
    capabilities = serializers.ListField(child=serializers.ChoiceField(CAPABILITIES))
    metadata = OpenAIMetadataSerializer(source="*")

    def get_object(self, model: Any) -> str:
        return "model"

    def get_created(self, model: Any) -> Any:
        return model.released_at or model.created_at

    def get_owned_by(self, model: Any) -> str:
        return model.author or OWNED_BY_A_USER

    def get_supported_parameters(self, model: Any) -> list[str] | None:
        return model.supported_parameters.get("names")


class OpenAIModelListSerializer(serializers.Serializer):
    object = serializers.ChoiceField(choices=("list",))
    data = OpenAIModelSerializer(many=True)  # type: ignore[assignment]  # OpenAI's name, and one of a property of DRF's.
