"""One id a request: in the answer's header, in error bodies and on each log line."""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.log import log_response

from config.api import protocols
from config.api.logging import current_request_id

HEADER = "X-Request-Id"

# Lives with the log, which names it on each line.
current = current_request_id

# A caller's own id is used where it can be written to a log as it is.
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")


# Of a trace that the request belongs to, the id (W3C Trace Context).
_TRACE = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def of(sent: str, traceparent: str = "") -> str:
    """The id of a request that came with `sent` in its header: that, where it is plain; else its trace's, or new."""
    if _PLAIN.fullmatch(sent):
        return sent
    trace = _TRACE.fullmatch(traceparent[:100])
    return trace[1] if trace else uuid.uuid4().hex


def sent_with(environ: Mapping[str, Any]) -> str:
    """The id of the request of this WSGI environment."""
    return of(environ.get("HTTP_X_REQUEST_ID", ""), environ.get("HTTP_TRACEPARENT", ""))


def headers(path: str, environ: Mapping[str, Any], found: str) -> dict[str, str]:
    """Those that tell a request's id: ours, and that of the protocol which the request speaks."""
    protocol = protocols.of(path, environ)
    return {HEADER: found, protocol.id_header: found} if protocol and protocol.id_header else {HEADER: found}


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = current.set(sent_with(request.META))
        try:
            response = self.get_response(request)
            for name, value in headers(request.path_info, request.META, current.get()).items():
                response[name] = value
            if response.status_code >= 400:
                # Django would log it once more, but outside of here, where the line would name no id.
                log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request)
            return response
        finally:
            current.reset(token)
