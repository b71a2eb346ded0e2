"""What the OpenAPI document says about refusals and bodies, for the routes of every app."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers

from catalog.api.fields import StrictSerializer


class ClosedBody(OpenApiSerializerExtension):
    """A body whose unknown fields are refused is described as closed; drf-spectacular finds the class by its import."""

    target_class = StrictSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return schema | {"additionalProperties": False} if direction == "request" else schema


class ErrorSerializer(serializers.Serializer):
    """Every refusal outside of `/v1`."""

    code = serializers.CharField(help_text="Stable, for programs.")
    error = serializers.CharField(help_text="The name of the status.")
    message = serializers.CharField(help_text="What was wrong and what would be right, for people.")
    request_id = serializers.CharField(help_text="As in the header X-Request-Id.")
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="On validation: field -> messages.",
    )


class OpenAIErrorSerializer(serializers.Serializer):
    message = serializers.CharField(help_text="What was wrong, for people.")
    type = serializers.CharField()
    param = serializers.CharField(allow_null=True, help_text="What the refusal is about.")
    code = serializers.CharField(help_text="Stable, for programs.")


class OpenAIRefusalSerializer(serializers.Serializer):
    """Every refusal under `/v1`."""

    error = OpenAIErrorSerializer()


_OPENAI_REFUSALS = {
    401: ("authentication_error", None, "invalid_api_key", "The API key is not valid."),
    403: ("permission_error", None, "insufficient_permissions", "The key needs the scope models:read."),
    404: (
        "invalid_request_error",
        "model",
        "model_not_found",
        "The model 'acme/none' does not exist or you do not have access to it.",
    ),
    429: ("rate_limit_error", None, "rate_limit_exceeded", "This key may make no more than 20 requests a minute."),
    500: ("server_error", None, "server_error", "Something went wrong on this server."),
}

_REFUSALS = {
    400: ("invalid_request", "name: This field is required."),
    401: ("not_authenticated", "Sign in, or send an API key."),
    403: ("permission_denied", "The key needs the scope that this route names."),
    404: ("not_found", "There is no such entry, or you may not see it."),
    409: ("conflict", "Somebody else changed it meanwhile. Read it again."),
    412: ("precondition_failed", "It has another ETag by now. Read it again."),
    429: (
        "rate_limit_exceeded",
        "This key may make no more than 20 requests a minute. Expected available in 9 seconds.",
    ),
}


def refusals(*statuses: int) -> dict[int, Any]:
    """The `responses` of an operation for these statuses, each with an example."""
    return {status: _refusal(status) for status in statuses}


def _refusal(status: int) -> OpenApiResponse:
    code, message = _REFUSALS[status]
    phrase = HTTPStatus(status).phrase
    example: dict[str, Any] = {"code": code, "error": phrase, "message": message, "request_id": "3f0c9a"}
    if status == 400:
        example["errors"] = {"name": ["This field is required."]}
    return OpenApiResponse(
        ErrorSerializer,
        description=phrase,
        examples=[OpenApiExample(phrase, example, status_codes=[str(status)], response_only=True)],
    )


def openai_refusals(*statuses: int) -> dict[int, Any]:
    """The same for operations under `/v1`."""
    return {status: _openai_refusal(status) for status in statuses}


def _openai_refusal(status: int) -> OpenApiResponse:
    kind, param, code, message = _OPENAI_REFUSALS[status]
    phrase = HTTPStatus(status).phrase
    example = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return OpenApiResponse(
        OpenAIRefusalSerializer,
        description=phrase,
        examples=[OpenApiExample(phrase, example, status_codes=[str(status)], response_only=True)],
    )
