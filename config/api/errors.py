"""The shape of every error: one envelope under `/v1` (OpenAI's), one everywhere else under `/api`, pages for people."""

import logging
import posixpath
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    ValidationError,
)
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error
from rest_framework.views import exception_handler as rest_framework_handler

from config.api import database, request_id
from config.api.renderers import JSONRenderer

logger = logging.getLogger("modeldex.errors")

# DRF's words for a bad value; a code that says more stands in the envelope as it is.
_GENERIC = {
    "invalid", "required", "blank", "null", "max_length", "min_length", "max_value", "min_value", "not_a_list",
    "invalid_choice", "empty", "does_not_exist", "incorrect_type", "max_string_length", "error",
}  # fmt: skip

_CODES = {
    400: "invalid_request",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    412: "precondition_failed",
    413: "request_too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    429: "rate_limit_exceeded",
    500: "server_error",
    503: "unavailable",
}

# In words, where nothing more is known.
_MESSAGES = {
    400: "The request was refused as malformed.",
    403: "You may not do this.",
    404: "No such address.",
    500: "Something went wrong on this server. The request id finds it in the log.",
    503: database.GONE,
}

# Seconds between two lines of the log on one outage.
_QUIET = 60.0
_last_told = -_QUIET
# What the addresses begin with that are answered in JSON.
_JSON_ROOTS = frozenset({"v1", "api", "healthz", "readyz"})

TOO_LARGE = "The body is larger than this server takes."

# Under /v1 clients know OpenAI's words.
_OPENAI_CODES = {401: "invalid_api_key", 403: "insufficient_permissions"}
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def _first_words(request: HttpRequest) -> set[str]:
    """The first part of the address as sent and as meant: `//v1/models`, `/./v1`, `/V1/models` are a program's, too."""
    forms = (request.path_info, posixpath.normpath(request.path_info))
    return {next((part.lower() for part in form.split("/") if part), "") for form in forms}


def is_openai(request: HttpRequest) -> bool:
    return "v1" in _first_words(request)


def is_api(request: HttpRequest) -> bool:
    """Whether the caller is answered in JSON."""
    return not _first_words(request).isdisjoint(_JSON_ROOTS)


def body(
    request: HttpRequest,
    status: int,
    code: str,
    message: str,
    errors: dict[str, list[str]] | None = None,
    param: str | None = None,
) -> dict[str, Any]:
    """The envelope of the route's dialect."""
    if is_openai(request):
        if code in ("not_authenticated", "authentication_failed", "permission_denied"):
            code = _OPENAI_CODES.get(status, code)
        kind = "server_error" if status >= 500 else _OPENAI_TYPES.get(status, "invalid_request_error")
        param = param or (next(iter(errors)) if errors else None)
        return {"error": {"message": message, "type": kind, "param": param, "code": code}}
    envelope: dict[str, Any] = {
        "code": code,
        "error": HTTPStatus(status).phrase,
        "message": message,
        "request_id": request_id.current.get(),
    }
    if errors:
        envelope["errors"] = errors
    return envelope


def response(
    request: HttpRequest, status: int, code: str, message: str, errors: dict[str, list[str]] | None = None
) -> HttpResponse:
    """The envelope as an answer of its own, for refusals outside of DRF."""
    answer = HttpResponse(
        orjson.dumps(body(request, status, code, message, errors)), status=status, content_type="application/json"
    )
    answer["Cache-Control"] = "no-store"
    return answer


def _flat(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """DRF's nested messages as `field.inner -> messages`."""
    if isinstance(detail, dict):
        flat: dict[str, list[str]] = {}
        for key, inner in detail.items():
            for name, messages in _flat(inner, f"{prefix}.{key}" if prefix else str(key)).items():
                flat.setdefault(name, []).extend(messages)
        return flat
    if isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        flat = {}
        for position, item in enumerate(detail):
            for name, messages in _flat(item, f"{prefix}.{position}" if prefix else str(position)).items():
                flat.setdefault(name, []).extend(messages)
        return flat
    messages = [str(item) for item in (detail if isinstance(detail, list) else [detail])]
    return {prefix or "non_field_errors": messages} if messages else {}


def _words(codes: Any) -> set[str]:
    if isinstance(codes, dict):
        return set().union(*map(_words, codes.values())) if codes else set()
    if isinstance(codes, list):
        return set().union(*map(_words, codes)) if codes else set()
    return {str(codes)}


def _validation(exc: exceptions.ValidationError) -> tuple[str, str, dict[str, list[str]]]:
    errors = _flat(exc.detail)
    words = _words(exc.get_codes())
    code = words.pop() if len(words) == 1 and not words & _GENERIC else "invalid_request"
    parts = [
        text if name == "non_field_errors" else f"{name}: {text}" for name, texts in errors.items() for text in texts
    ]
    return code, " ".join(parts[:5]), errors


def _translated(exc: Exception) -> exceptions.APIException | None:
    """Django's exceptions as DRF's."""
    if isinstance(exc, exceptions.APIException):
        return exc
    if isinstance(exc, Http404):
        return exceptions.NotFound("No such address or entry.")
    if isinstance(exc, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(exc, ValidationError):
        return exceptions.ValidationError(as_serializer_error(exc))
    if isinstance(exc, RequestDataTooBig):
        return _refusal(413, TOO_LARGE)
    if isinstance(exc, UnreadablePostError):
        return _refusal(400, "The body ended before it was whole.")
    if isinstance(exc, SuspiciousOperation | MultiPartParserError | BadRequest):
        return _refusal(400, "The request was refused as malformed.")
    if sentence := database.trouble(exc):
        _tell(exc)
        return _refusal(503, sentence)
    return None


def _tell(exc: Exception) -> None:
    """One line a minute: an outage that fills the log hides everything else."""
    global _last_told
    now = time.monotonic()
    if now - _last_told >= _QUIET:
        _last_told = now
        logger.error("The database is unavailable: %s", " ".join(str(exc).split()) or type(exc).__name__)


def _refusal(status: int, message: str) -> exceptions.APIException:
    refusal = exceptions.APIException(message, code=_CODES[status])
    refusal.status_code = status
    return refusal


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler: the same statuses and headers, in our envelope. None (and so a 500) for what nobody foresaw."""
    translated = _translated(exc)
    if translated is None:
        return None
    answer = rest_framework_handler(translated, context)
    if answer is None:
        return None
    request = context["request"]._request
    # Whatever the view renders (a page, YAML), its errors are JSON.
    context["request"].accepted_renderer = JSONRenderer()
    context["request"].accepted_media_type = JSONRenderer.media_type
    errors = None
    if isinstance(translated, exceptions.ValidationError):
        code, message, errors = _validation(translated)
    else:
        codes = translated.get_codes()
        code = codes if isinstance(codes, str) else _CODES.get(answer.status_code, "error")
        if code in ("error", "throttled", "parse_error", "authentication_failed") or answer.status_code in (405, 406):
            code = _CODES.get(answer.status_code, code)
        message = str(translated.detail)
    # A refusal may say which parameter of the request it is about, as OpenAI's clients show it.
    param = getattr(translated, "param", None)
    answer.data = body(request, answer.status_code, code, message, errors, param)
    answer["Cache-Control"] = "no-store"
    if database.trouble(exc):
        _silence(answer)
    if answer.status_code == 503:
        answer.headers.setdefault("Retry-After", str(database.RETRY_AFTER))
    return answer


def _silence(answer: HttpResponse) -> HttpResponse:
    """Keeps Django from writing a line for this answer: the outage has one."""
    answer._has_been_logged = True  # type: ignore[attr-defined]
    return answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return answer(request, 413, TOO_LARGE)
    if isinstance(exception, TooManyFieldsSent):
        most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
        return answer(request, 400, f"The form has more than {most:,} fields. Send fewer at once; nothing was changed.")
    return answer(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    # Django calls this while it handles the exception. Middleware may meet a database that is gone, too.
    exception = sys.exc_info()[1]
    if isinstance(exception, Exception) and (sentence := database.trouble(exception)):
        return database_refusal(request, exception, sentence)
    return answer(request, 500)


def database_refusal(request: HttpRequest, exception: Exception, sentence: str) -> HttpResponse:
    _tell(exception)
    return _silence(answer(request, 503, sentence))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if is_api(request):
        return response(request, 403, "csrf_failed", "A write with the session cookie needs its CSRF token.")
    return answer(request, 403, "The form could not be checked. Allow cookies of this site, reload it and try again.")


def answer(request: HttpRequest, status: int, message: str = "") -> HttpResponse:
    """A refusal outside of DRF, for programs or for people as the address says."""
    message = message or _MESSAGES[status]
    refusal = response(request, status, _CODES[status], message) if is_api(request) else _page(request, status, message)
    if status == 503:
        refusal["Retry-After"] = str(database.RETRY_AFTER)
    return refusal


def _page(request: HttpRequest, status: int, message: str) -> HttpResponse:
    phrase = HTTPStatus(status).phrase
    context = {"status": status, "phrase": phrase, "message": message, "request_id": request_id.current.get()}
    try:
        page = render(None, "error.html", context, status=status)
    except Exception:
        # Where even the page fails, as with static files that were never collected, plain words are left.
        logger.exception("The error page cannot be shown.")
        words = f"{status} {phrase}\n\n{message}\n"
        page = HttpResponse(words, status=status, content_type="text/plain; charset=utf-8")
    page["Cache-Control"] = "no-store"
    return page


class ErrorsMiddleware:
    """Sees that a refusal is what its address promises, whoever made it: Django, a middleware, a page, the admin."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        status = response.status_code
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        if status >= 400 and not is_json and is_api(request):
            # With DEBUG, Django explains itself in HTML, and DRF in plain text, with the stack.
            response = answer(request, status if status in _MESSAGES else 400 if status < 500 else 500)
        if status == 503:
            response.headers.setdefault("Retry-After", str(database.RETRY_AFTER))
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if sentence := database.trouble(exception):
            return database_refusal(request, exception, sentence)
        # The admin's lists and forms take what stands in their address as it is, also years and keys that none is.
        typed = request.path_info.startswith("/admin/") and request.method in ("GET", "HEAD") and request.GET
        if typed and isinstance(exception, ValueError | OverflowError | DataError):
            logger.warning("Refused an address of the admin: %s", type(exception).__name__, exc_info=exception)
            return answer(request, 400, "The address holds a value that cannot be.")
        return None
