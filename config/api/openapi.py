"""What the OpenAPI document says of every operation alike: how it refuses, and the header that all answers bear.

drf-spectacular calls `complete` last. The refusals are those of the table in config/api/errors.py. A view names only
those that its address does not show, each by its status alone.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from config.api import protocols
from config.api.errors import REFUSALS
from config.api.protocols import Protocol, RefusalDetails

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

TAGS = (
    ("models", "Which models the caller may see and use, and their switches."),
    ("custom models", "Models that people build upon others, and their sharing."),
    ("settings", "The caller's default model, theme and rule for new models."),
    ("provider lists", "What one upstream offers now, or offered last."),
    ("openai", "The dialect that OpenAI clients speak. Errors have OpenAI's envelope."),
    ("dialects", "The same catalog in the words of other clients, with their envelopes of errors."),
    ("exports", "Files for clients that send no header: what one key may use, by a token in the address."),
    ("keys", "API keys: their policies, scopes and limits."),
    ("operations", "For load balancers and tools."),
)

_EXAMPLE_ID = "0d4f6a1e8b5c4f0fa1c2e3d4b5a69788"

_TEXT = {"type": "string"}
_WHOLE = {"type": "integer", "minimum": 0}


def whole(least: int, most: int) -> dict[str, Any]:
    """The schema of a parameter that `pagination.whole_number` reads."""
    return {"type": "integer", "minimum": least, "maximum": most}


def some_of(words: Iterable[str]) -> dict[str, Any]:
    """The schema of a parameter that holds one or more of these words, with a comma between."""
    one = f"({'|'.join(words)})"
    return {"type": "string", "pattern": f"^{one}(,{one})*$"}


HEADERS: dict[str, Any] = {
    "XRequestId": {
        "description": "The caller's X-Request-Id where it is plain text of at most 64 characters, else a new one.",
        "schema": _TEXT,
        "example": _EXAMPLE_ID,
    },
    "RetryAfter": {"description": "Seconds until the next try.", "schema": _WHOLE, "example": 9},
    "RateLimitLimit": {"description": "Requests in the window that refuses first.", "schema": _WHOLE, "example": 20},
    "RateLimitRemaining": {"description": "Requests left in it.", "schema": _WHOLE, "example": 0},
    "RateLimitReset": {"description": "Seconds until it ends.", "schema": _WHOLE, "example": 9},
    "WWWAuthenticate": {"description": "The scheme that would be accepted.", "schema": _TEXT, "example": "Bearer"},
}
# What refusals answer: `Error`, and where a client's protocol is spoken its own, which each protocol describes.
SCHEMAS: dict[str, dict[str, Any]] = {
    "Error": {
        "type": "object",
        "description": "Every refusal but those of clients' protocols, which have their own.",
        "properties": {
            "code": _TEXT | {"description": "Stable, for programs."},
            "error": _TEXT | {"description": "The name of the status."},
            "message": _TEXT | {"description": "What was wrong and what would be right, for people."},
            "request_id": _TEXT | {"description": "As in the header X-Request-Id."},
            "errors": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": _TEXT},
                "description": "On validation: field -> messages.",
            },
        },
        "required": ["code", "error", "message", "request_id"],
    },
}
_HEADERS_OF = {
    401: {"WWW-Authenticate": "WWWAuthenticate"},
    429: {
        "Retry-After": "RetryAfter",
        "RateLimit-Limit": "RateLimitLimit",
        "RateLimit-Remaining": "RateLimitRemaining",
        "RateLimit-Reset": "RateLimitReset",
    },
}


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """The hook."""
    components = result.setdefault("components", {})
    components["headers"] = HEADERS
    components["schemas"] = dict(sorted({**components["schemas"], **_schemas()}.items()))
    responses: dict[str, Any] = components.setdefault("responses", {})
    used: set[str] = set()
    for path, item in result["paths"].items():
        protocol = protocols.of(path, {})
        for method in METHODS:
            if method in item:
                _complete(path, item[method], protocol, responses)
                used |= set(item[method].get("tags", ()))
    result["tags"] = [{"name": name, "description": text} for name, text in TAGS if name in used]
    return result


def _schemas() -> dict[str, Any]:
    spoken = protocols.registered()
    return SCHEMAS | {name: schema for protocol in spoken for name, schema in protocol.schemas.items()}


def _complete(path: str, operation: dict[str, Any], protocol: Protocol | None, responses: dict[str, Any]) -> None:
    answers: dict[str, Any] = operation["responses"]
    dialect = protocol.name if protocol else ""
    # What a view declares with a status alone, as `409: None`, is described here; what it describes itself stays.
    declared = {int(status) for status, answer in answers.items() if int(status) >= 400 and "content" not in answer}
    for status in {*_expected(path, operation), *declared}:
        if status in declared or str(status) not in answers:
            name = f"{dialect}{HTTPStatus(status).phrase.title().replace(' ', '')}"
            responses[name] = _answer(status, protocol)
            answers[str(status)] = {"$ref": f"#/components/responses/{name}"}
    name = f"{dialect}Refusal"
    responses[name] = _answer(None, protocol)
    answers["default"] = {"$ref": f"#/components/responses/{name}"}
    for code, answer in answers.items():
        # What a header or parameter chooses in place of the answer: OpenAPI has no words for that.
        for media in [media for media in answer.get("content", {}) if "; dialect=" in media]:
            answer.setdefault("x-dialects", {})[media.partition("=")[2]] = answer["content"].pop(media)["schema"]
        if "$ref" not in answer:
            more = _HEADERS_OF.get(int(code), {}) if code.isdigit() else {}
            answer["headers"] = _headers(more) | answer.get("headers", {})
    operation["responses"] = dict(sorted(answers.items()))


def _expected(path: str, operation: dict[str, Any]) -> list[int]:
    """The refusals that this operation can answer with, besides those that any can (`default`)."""
    security = operation.get("security", [])
    if path.startswith("/export/"):
        return [400, 403, 404, 429, 500, 503]
    if not any(security):
        # Without authentication there is nothing to refuse but what any operation may.
        return [500] if path in ("/healthz", "/readyz") else [400, 401, 429, 500, 503]
    statuses = [400, 401, 403, 429, 500, 503]
    if "{" in path:
        statuses.append(404)
    if "requestBody" in operation:
        statuses += [413, 415]
    return statuses


def _headers(more: dict[str, str]) -> dict[str, Any]:
    return {
        name: {"$ref": f"#/components/headers/{component}"}
        for name, component in {"X-Request-Id": "XRequestId", **more}.items()
    }


def _answer(status: int | None, protocol: Protocol | None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": protocol.schema if protocol else {"$ref": "#/components/schemas/Error"}}
    if status is None:
        description = "Any other refusal, such as 405 and 406, in the same envelope."
    else:
        phrase = HTTPStatus(status).phrase
        description = phrase
        content["examples"] = {phrase.replace(" ", ""): {"value": _example(status, protocol)}}
    return {
        "description": description,
        "headers": _headers(_HEADERS_OF.get(status, {}) if status else {}),
        "content": {"application/json": content},
    }


def _example(status: int, protocol: Protocol | None) -> dict[str, Any]:
    refusal = REFUSALS[status]
    message = refusal.example or refusal.message
    if protocol:
        # Under these addresses what is not found is a model.
        code, param = ("model_not_found", "model") if status == 404 else (refusal.code, None)
        return protocol.envelope(RefusalDetails(status, code, message, _EXAMPLE_ID, None, param))
    example = {"code": refusal.code, "error": HTTPStatus(status).phrase, "message": message, "request_id": _EXAMPLE_ID}
    if status == 400:
        name, _, text = message.partition(": ")
        return example | {"errors": {name: [text]}}
    return example
