"""What the OpenAPI document says of every operation alike: how it refuses, and the header that all answers bear.

drf-spectacular calls `complete` last. Views describe what is theirs; an error that a view describes stays as it is.
"""

from http import HTTPStatus
from typing import Any

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

TAGS = (
    ("models", "Which models the caller may see and use, and their switches."),
    ("custom models", "Models that people build upon others, and their sharing."),
    ("settings", "The caller's default model, theme and rule for new models."),
    ("provider lists", "What one upstream offers now, or offered last."),
    ("openai", "The dialect that OpenAI clients speak. Errors have OpenAI's envelope."),
    ("keys", "API keys: their policies, scopes and limits."),
    ("operations", "For load balancers and tools."),
)

# status -> (code, code under /v1 where it differs, message of the example)
_REFUSALS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request", None, "page: A whole number from 1 to 1000000, once."),
    401: ("not_authenticated", "invalid_api_key", "The API key is not valid."),
    403: ("permission_denied", "insufficient_permissions", "The key needs the scope models:read."),
    404: ("not_found", "model_not_found", "There is no such entry, or you may not see it."),
    413: ("request_too_large", None, "The body is larger than this server takes."),
    415: ("unsupported_media_type", None, 'Unsupported media type "text/plain" in request.'),
    429: ("rate_limit_exceeded", None, "This key may make no more than 20 requests a minute. Try again in 9 seconds."),
    500: ("server_error", None, "Something went wrong on this server. The request id finds it in the log."),
    503: ("unavailable", None, "The database does not answer. Try again shortly."),
}
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_EXAMPLE_ID = "0d4f6a1e8b5c4f0fa1c2e3d4b5a69788"

# By dialect: the components of the serializers in catalog/api/schema.py.
_ENVELOPES = {"": "Error", "OpenAI": "OpenAIRefusal"}

_TEXT = {"type": "string"}
_WHOLE = {"type": "integer", "minimum": 0}
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
    responses: dict[str, Any] = components.setdefault("responses", {})
    used: set[str] = set()
    for path, item in result["paths"].items():
        dialect = "OpenAI" if path == "/v1" or path.startswith("/v1/") else ""
        for method in METHODS:
            if method in item:
                _complete(path, item[method], dialect, responses)
                used |= set(item[method].get("tags", ()))
    result["tags"] = [tag for tag in result.get("tags", ()) if tag["name"] in used]
    return result


def _complete(path: str, operation: dict[str, Any], dialect: str, responses: dict[str, Any]) -> None:
    answers: dict[str, Any] = operation["responses"]
    for expected in _expected(path, operation):
        if str(expected) not in answers:
            name = f"{dialect}{HTTPStatus(expected).phrase.title().replace(' ', '')}"
            responses[name] = _answer(expected, dialect)
            answers[str(expected)] = {"$ref": f"#/components/responses/{name}"}
    name = f"{dialect}Refusal"
    responses[name] = _answer(None, dialect)
    answers["default"] = {"$ref": f"#/components/responses/{name}"}
    for code, answer in answers.items():
        if "$ref" not in answer:
            more = _HEADERS_OF.get(int(code), {}) if code.isdigit() else {}
            answer["headers"] = _headers(more) | answer.get("headers", {})
    operation["responses"] = dict(sorted(answers.items()))


def _expected(path: str, operation: dict[str, Any]) -> list[int]:
    """The refusals that this operation can answer with, besides those that any can (`default`)."""
    security = operation.get("security", [])
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


def _answer(status: int | None, dialect: str) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{_ENVELOPES[dialect]}"}}
    if status is None:
        description = "Any other refusal, such as 405 and 406, in the same envelope."
    else:
        phrase = HTTPStatus(status).phrase
        description = phrase
        content["examples"] = {phrase.replace(" ", ""): {"value": _example(status, dialect)}}
    return {
        "description": description,
        "headers": _headers(_HEADERS_OF.get(status, {}) if status else {}),
        "content": {"application/json": content},
    }


def _example(status: int, dialect: str) -> dict[str, Any]:
    code, openai_code, message = _REFUSALS[status]
    if dialect:
        kind = "server_error" if status >= 500 else _OPENAI_TYPES.get(status, "invalid_request_error")
        param = "model" if status == 404 else None
        return {"error": {"message": message, "type": kind, "param": param, "code": openai_code or code}}
    example = {"code": code, "error": HTTPStatus(status).phrase, "message": message, "request_id": _EXAMPLE_ID}
    if status == 400:
        name, _, text = message.partition(": ")
        return example | {"errors": {name: [text]}}
    return example
