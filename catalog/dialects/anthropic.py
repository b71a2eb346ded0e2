"""Anthropic's dialect: /v1/models, newest first and by cursor, where the header `anthropic-version` is sent."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from catalog.api.serializers.answers import Always, AnswerSerializer
from catalog.api.snapshot import USABLE, VisibleCatalog
from catalog.capabilities import CHAT
from catalog.dialects.base import Dialect, DialectViewSet, Facts, Ordered, Rows
from config.api.pagination import whole_number
from config.api.protocols import Protocol, RefusalDetails

PAGE, MOST = 20, 1000
LIFECYCLES = ("active", "deprecated", "retired")

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


def envelope(refused: RefusalDetails) -> dict[str, Any]:
    word = _TYPES.get(refused.status, "api_error" if refused.status >= 500 else "invalid_request_error")
    return {
        "type": "error",
        "error": {"type": word, "message": refused.message},
        "request_id": refused.request_id,
    }


_TEXT = {"type": "string"}
PROTOCOL = Protocol(
    "Anthropic",
    "v1",
    envelope,
    {
        "AnthropicRefusal": {
            "type": "object",
            "description": "Every refusal under `/v1` where `anthropic-version` is sent.",
            "properties": {
                "type": {"const": "error"},
                "error": {
                    "type": "object",
                    "properties": {"type": _TEXT, "message": _TEXT},
                    "required": ["type", "message"],
                },
                "request_id": _TEXT,
            },
            "required": ["type", "error", "request_id"],
        }
    },
    header="anthropic-version",
    key_header="x-api-key",
    id_header="request-id",
)


class AnthropicModelSerializer(AnswerSerializer):
    """A model as Anthropic's clients read it. It has no prices."""

    type = Always("model")
    id = serializers.CharField()
    display_name = serializers.CharField(source="name")
    created_at = serializers.CharField(help_text="RFC 3339: when the model itself was released or added.")
    lifecycle = serializers.CharField(
        help_text="`active`, or `deprecated` where a date of that or of its retirement is known."
    )
    deprecated_at = serializers.CharField(allow_null=True, help_text="RFC 3339.")
    retires_at = serializers.CharField(allow_null=True, help_text="RFC 3339.")
    max_input_tokens = serializers.IntegerField(source="context_length", allow_null=True)
    max_tokens = serializers.IntegerField(source="max_output_tokens", allow_null=True)
    # Of these a client wants all or none, and most of them nobody tells us.
    capabilities = Always(None)
    # The families of Anthropic's own models.
    line = Always(None)

    # What is retired is not usable, and so not listed.

    def get_lifecycle(self, facts: Facts) -> str:
        return "deprecated" if facts.deprecated_at or facts.shutdown_date else "active"

    def get_deprecated_at(self, facts: Facts) -> str | None:
        return facts.deprecated_at and f"{facts.deprecated_at}T00:00:00Z"

    def get_retires_at(self, facts: Facts) -> str | None:
        return facts.shutdown_date and f"{facts.shutdown_date}T00:00:00Z"


class AnthropicPageSerializer(serializers.Serializer):
    data = AnthropicModelSerializer(many=True)  # type: ignore[assignment]  # Anthropic's name, and one of a property of DRF's.
    has_more = serializers.BooleanField(help_text="Whether models follow in the direction that was asked for.")
    first_id = serializers.CharField(allow_null=True)
    last_id = serializers.CharField(allow_null=True)


ROWS = Rows("anthropic", AnthropicModelSerializer(), only=(CHAT,))


def page(view: DialectViewSet) -> HttpResponse:
    """Raises ValidationError, also for a cursor that is not in the caller's list."""
    query = view.request.query_params
    limit = whole_number(view.request, "limit", PAGE, MOST)
    wanted = frozenset([*query.getlist("lifecycle"), *query.getlist("lifecycle[]")]) or frozenset(LIFECYCLES[:2])
    if not wanted <= {*LIFECYCLES}:
        raise ValidationError({"lifecycle": [f"Of {', '.join(LIFECYCLES)}."]})
    after, before = query.get("after_id"), query.get("before_id")
    if after is not None and before is not None:
        raise ValidationError({"before_id": ["Either this or after_id."]})
    catalog = view.visible_catalog()
    rows = _ordered(catalog, wanted)
    if before is not None:
        end = rows.place("before_id", before)
        start = max(0, end - limit)
        has_more = start > 0
    else:
        start = 0 if after is None else rows.place("after_id", after) + 1
        end = min(start + limit, len(rows.keys))
        has_more = end < len(rows.keys)
    asked = (limit, after, before, sorted(wanted))
    return view.part_of(catalog, "anthropic", asked, lambda: _joined(rows, start, end, has_more))


def _ordered(catalog: VisibleCatalog, wanted: frozenset[str]) -> Ordered:
    def choose(catalog: VisibleCatalog) -> list[int]:
        found = []
        for pk, rendered_model in catalog.having(USABLE):
            if (row := ROWS.of(rendered_model)) and (shown := orjson.loads(row))["lifecycle"] in wanted:
                found.append((shown["created_at"], rendered_model.model_id, pk))
        # Those of one moment by id, as everywhere.
        found.sort(key=lambda one: one[1])
        found.sort(key=lambda one: one[0], reverse=True)
        return [pk for *_, pk in found]

    return Ordered(catalog, f"anthropic order {sorted(wanted)}", choose)


def _joined(rows: Ordered, start: int, end: int, has_more: bool) -> bytes:
    ids = (rows.id_at(start), rows.id_at(end - 1)) if start < end else (None, None)
    return (
        b'{"data":[' + b",".join(rows.slice(ROWS, start, end)) + b'],"has_more":' + orjson.dumps(has_more)
        + b',"first_id":' + orjson.dumps(ids[0]) + b',"last_id":' + orjson.dumps(ids[1]) + b"}"
    )  # fmt: skip


def whole(catalog: VisibleCatalog) -> bytes:
    """The list as one page."""
    rows = _ordered(catalog, frozenset(LIFECYCLES[:2]))
    return _joined(rows, 0, len(rows.keys), False)


DIALECT = Dialect(
    "anthropic",
    f"/v1/models?limit={MOST}",
    whole,
    protocol=PROTOCOL,
    headers=(("anthropic-version", "2023-06-01"),),
)
