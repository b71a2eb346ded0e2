"""The shape of every error: the envelope of the protocol that is spoken, ours under `/api`, pages for people."""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from django.conf import settings
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
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
from django.middleware.csrf import get_token
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error
from rest_framework.views import exception_handler as rest_framework_handler

from config.api import database, protocols, request_id
from config.api.renderers import JSONRenderer

logger = logging.getLogger("modeldex.errors")

# DRF's words for a bad value; a code that says more is answered as it is.
_GENERIC = {
    "invalid", "required", "blank", "null", "max_length", "min_length", "max_value", "min_value", "not_a_list",
    "invalid_choice", "empty", "does_not_exist", "incorrect_type", "max_string_length", "error",
}  # fmt: skip


class Refusal(NamedTuple):
    """How requests are refused with one status, whoever refuses: a view, Django, a middleware or the server."""

    # Stable, for programs.
    code: str
    # What is answered where nothing more is known; "" where whoever refuses always knows more.
    message: str = ""
    # What the OpenAPI document shows instead, where that says more.
    example: str = ""


REFUSALS = {
    400: Refusal(
        "invalid_request",
        "The request was refused as malformed.",
        example="page: A whole number from 1 to 1000000, once.",
    ),
    401: Refusal(
        "not_authenticated",
        example="The API key is not valid.",
    ),
    403: Refusal(
        "permission_denied",
        "You may not do this.",
        example="The key needs the scope models:read.",
    ),
    404: Refusal(
        "not_found",
        "No such address.",
        example="There is no such entry, or you may not see it.",
    ),
    405: Refusal("method_not_allowed"),
    406: Refusal("not_acceptable"),
    408: Refusal("request_timeout"),
    409: Refusal("conflict", example="The key was rotated meanwhile. Read it again."),
    410: Refusal("gone", "What was asked for is no longer kept."),
    412: Refusal("precondition_failed", "It has been changed since you read it. Read it again."),
    413: Refusal("request_too_large", "The body is larger than this server takes."),
    414: Refusal("uri_too_long"),
    415: Refusal("unsupported_media_type", example='Unsupported media type "text/plain" in request.'),
    429: Refusal(
        "rate_limit_exceeded",
        example="This key may make no more than 20 requests a minute. Expected available in 9 seconds.",
    ),
    431: Refusal("headers_too_large"),
    500: Refusal(
        "server_error",
        "Something went wrong on this server. The request id finds it in the log.",
    ),
    503: Refusal("unavailable", database.GONE),
}

# Seconds between two lines of the log on one outage.
_QUIET = 60.0
_last_logged = -_QUIET
# What the addresses begin with that are answered in JSON, besides those of protocols.
_JSON_ROOTS = frozenset({"api", "export", "healthz", "readyz"})
_UNKNOWN = Refusal("error")
# Codes of DRF that the table says better.
_DRF_WORDS = ("error", "throttled", "parse_error", "authentication_failed")


def is_api(request: HttpRequest) -> bool:
    """Whether the caller is answered in JSON."""
    return not protocols.first_words(request.path_info).isdisjoint(_JSON_ROOTS | protocols.roots())


def envelope(
    path: str,
    headers: Mapping[str, Any],
    status: int,
    message: str = "",
    code: str = "",
    errors: dict[str, list[str]] | None = None,
    param: str | None = None,
) -> dict[str, Any]:
    """The body of a refusal of a request to this address, with these headers (named as in `request.META`).

    Where no code or message is given, those of the table.
    """
    known = REFUSALS.get(status, _UNKNOWN)
    code, message = code or known.code, message or known.message
    refused = protocols.RefusalDetails(status, code, message, request_id.current.get(), errors, param)
    protocol = protocols.of(path, headers)
    if protocol is not None:
        return protocol.envelope(refused)
    sent: dict[str, Any] = {
        "code": code,
        "error": HTTPStatus(status).phrase,
        "message": message,
        "request_id": refused.request_id,
    }
    return sent | {"errors": errors} if errors else sent


def response(request: HttpRequest, status: int, message: str = "", code: str = "") -> HttpResponse:
    """The envelope as an answer of its own, for refusals outside of DRF."""
    content = orjson.dumps(envelope(request.path_info, request.META, status, message, code))
    return HttpResponse(content, status=status, content_type="application/json", headers={"Cache-Control": "no-store"})


def refusal(status: int, message: str = "", code: str = "") -> exceptions.APIException:
    """What a view raises to refuse with this status. Where no code or message is given, those of the table."""
    known = REFUSALS[status]
    raised = exceptions.APIException(message or known.message, code or known.code)
    raised.status_code = status
    return raised


def _flat(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """DRF's nested messages as `field.inner -> messages`."""
    if isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        detail = dict(enumerate(detail))
    if isinstance(detail, dict):
        flat: dict[str, list[str]] = {}
        for key, inner in detail.items():
            for name, messages in _flat(inner, f"{prefix}.{key}" if prefix else str(key)).items():
                flat.setdefault(name, []).extend(messages)
        return flat
    messages = [str(item) for item in (detail if isinstance(detail, list) else [detail])]
    return {prefix or "non_field_errors": messages} if messages else {}


def _words(codes: Any) -> set[str]:
    if isinstance(codes, dict | list):
        return set().union(*map(_words, codes.values() if isinstance(codes, dict) else codes))
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
        return refusal(413)
    if isinstance(exc, UnreadablePostError):
        return refusal(400, "The body ended before it was whole.")
    if isinstance(exc, SuspiciousOperation | MultiPartParserError | BadRequest):
        return refusal(400)
    if sentence := database.trouble(exc):
        _log_outage(exc)
        return refusal(503, sentence)
    return None


def _log_outage(exc: Exception) -> None:
    """One line a minute: an outage that fills the log hides everything else."""
    global _last_logged
    now = time.monotonic()
    if now - _last_logged >= _QUIET:
        _last_logged = now
        logger.error("The database is unavailable: %s", " ".join(str(exc).split()) or type(exc).__name__)


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
        # Without a code the envelope has that of the table.
        code = codes if isinstance(codes, str) and codes not in _DRF_WORDS else ""
        message = str(translated.detail)
    # A refusal may say which parameter of the request it is about, as OpenAI's clients show it.
    param = getattr(translated, "param", None)
    answer.data = envelope(request.path_info, request.META, answer.status_code, message, code, errors, param)
    # For the metrics.
    answer.refusal = code or REFUSALS.get(answer.status_code, _UNKNOWN).code  # type: ignore[attr-defined]
    answer["Cache-Control"] = "no-store"
    if database.trouble(exc):
        _silence(answer)
    if answer.status_code == 503:
        answer.headers.setdefault("Retry-After", str(database.RETRY_AFTER))
    return answer


def _silence(answer: HttpResponse) -> HttpResponse:
    """Stops Django from logging a line for this answer: the outage has one."""
    answer._has_been_logged = True  # type: ignore[attr-defined]
    return answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return answer(request, 413)
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
    _log_outage(exception)
    return _silence(answer(request, 503, sentence))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if is_api(request):
        return response(request, 403, "A write with the session cookie needs its CSRF token.", "csrf_failed")
    return answer(request, 403, "The form could not be checked. Allow cookies of this site, reload it and try again.")


def answer(request: HttpRequest, status: int, message: str = "", retry_after: int = 0) -> HttpResponse:
    """A refusal outside of DRF, for programs or for people as the address says; `retry_after` is in seconds."""
    refused = response(request, status, message) if is_api(request) else _page(request, status, message)
    if retry_after or status == 503:
        refused["Retry-After"] = str(retry_after or database.RETRY_AFTER)
    return refused


def _page(request: HttpRequest, status: int, message: str) -> HttpResponse:
    phrase, message = HTTPStatus(status).phrase, message or REFUSALS[status].message
    context: dict[str, Any] = {"status": status, "phrase": phrase, "message": message}
    context["request_id"] = request_id.current.get()
    # Who is signed in, if that was read before: an error page asks the database nothing.
    if user := getattr(request, "_cached_user", None):
        context |= {"user": user, "csrf_token": get_token(request)}
    try:
        page = render(None, "error.html", context, status=status)
    except Exception:
        # Where even the page fails, as with static files that were never collected, plain words are left.
        logger.exception("The error page cannot be shown.")
        words = f"{status} {phrase}\n\n{message}\n"
        page = HttpResponse(words, status=status, content_type="text/plain; charset=utf-8")
    page["Cache-Control"] = "no-store"
    return page


# What Django raises where text of an address is taken for a date or a number; of an initial date it reads the zone.
_NOT_PARSED = (AttributeError, ValueError, OverflowError)


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
            has_words = status in REFUSALS and REFUSALS[status].message
            response = answer(request, status if has_words else 400 if status < 500 else 500)
        if status == 503:
            response.headers.setdefault("Retry-After", str(database.RETRY_AFTER))
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if sentence := database.trouble(exception):
            return database_refusal(request, exception, sentence)
        if isinstance(exception, DisallowedModelAdminLookup):
            # Somebody else's choice of an address, and no error of ours that a traceback would help to find.
            logger.warning("Refused a filter of the admin: %s", exception)
            return _silence(answer(request, 400))
        # The admin's lists and forms take their address and hidden inputs as they are, also years and keys that cannot
        # be; and on any page PostgreSQL refuses NUL. What a form wrote until then is rolled back.
        sent = request.POST if request.method == "POST" else request.GET
        kinds: tuple[type[Exception], ...] = (DataError,)
        if request.path_info.startswith("/admin/"):
            kinds += (ValueError, OverflowError) if request.method == "POST" else _NOT_PARSED
        if sent and isinstance(exception, kinds):
            logger.warning("Refused what was sent to a page: %s", type(exception).__name__, exc_info=exception)
            where = "form" if request.method == "POST" else "address"
            return answer(request, 400, f"The {where} holds a value that cannot be. Nothing was changed.")
        return None
