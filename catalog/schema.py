"""What the OpenAPI document says about refusals, for the routes of every app."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers


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
