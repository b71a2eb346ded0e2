"""Headers that keep a page's powers small, and refusals of what no route takes: odd URLs, and too large a body."""

from collections.abc import Callable, Sequence
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from config.api import errors


def policy(style: Sequence[str] = (), img: Sequence[str] = ("data:", "https:"), worker: Sequence[str] = ()) -> str:
    """A Content-Security-Policy: everything from here, no script in the page, and the sources that a page adds."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            " ".join(("style-src 'self'", *style)),
            " ".join(("img-src 'self'", *img)),
            "font-src 'self'",
            "connect-src 'self'",
            *((" ".join(("worker-src", *worker)),) if worker else ()),
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


# Images of custom models may be links to any host.
POLICY = policy()


class SecurityHeadersMiddleware:
    """Adds a Content-Security-Policy where the view set none, and refuses what no route takes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.refusal(request) or self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    def refusal(self, request: HttpRequest) -> HttpResponse | None:
        if too_large := request.META.get("modeldex.too_large"):
            return errors.response(request, 431, f"{too_large} is larger than this server takes.")
        # Before anything reads it. Django itself takes a form with files of any length, as slowly as it comes.
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return errors.answer(request, 413)
        if "\x00" in request.path_info:
            return errors.response(request, 404)
        query = unquote_to_bytes(request.META.get("QUERY_STRING", ""))
        try:
            odd = "\x00" in query.decode()
        except UnicodeDecodeError:
            odd = True
        if odd:
            return errors.response(request, 400, "The query string is not UTF-8 text without NUL.", "invalid_query")
        return None
