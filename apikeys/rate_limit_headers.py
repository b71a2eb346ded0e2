"""What every answer to a limited key says about its limits."""

from collections.abc import Callable, Sequence

from django.http import HttpRequest, HttpResponse

from apikeys.limits import Window


def headers(windows: Sequence[Window]) -> dict[str, str]:
    """`RateLimit-Limit`, `-Remaining` and `-Reset` (seconds from now) of the window that will refuse first."""
    if not windows:
        return {}
    window = min(windows, key=lambda window: (window.remaining, -window.reset))
    told = {"Limit": window.limit, "Remaining": window.remaining, "Reset": window.reset}
    return {f"RateLimit-{name}": str(number) for name, number in told.items()}


class RateLimitHeadersMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # Left on the request by the authentication, which counts it; also where the answer is an error.
        for name, value in headers(getattr(request, "rate_windows", ())).items():
            response[name] = value
        return response
