"""What every answer to a limited key says about its limits."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from apikeys.limits import tightest


class RateLimitHeadersMiddleware:
    """`RateLimit-Limit`, `-Remaining` and `-Reset` (seconds from now) of the window that will refuse first."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # Left on the request by the authentication, which counts it; also where the answer is an error.
        if windows := getattr(request, "rate_windows", None):
            window = tightest(windows)
            response["RateLimit-Limit"] = str(window.limit)
            response["RateLimit-Remaining"] = str(window.remaining)
            response["RateLimit-Reset"] = str(window.reset)
        return response
