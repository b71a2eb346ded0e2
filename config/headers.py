"""What a request's header fields may cost: some that no browser sends take Django or Python quadratic time to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

# Characters of one field, the address included. Servers have bounds of their own, and some are large.
MAX_FIELD = 8_190
# Longer ones have no use, and Django reads their parameters in quadratic time.
MAX_MEDIA = 1_024
# A cookie's escapes are undone one by one, each by a copy of the cookie (CVE-2024-7592, in Python before 3.11.10).
MAX_ESCAPES = 512


def problem_of(environ: dict[str, Any]) -> str:
    """The name of the first field that is too large; "" where none is."""
    for name, value in environ.items():
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "QUERY_STRING", "PATH_INFO"):
            most = MAX_MEDIA if name in ("CONTENT_TYPE", "HTTP_ACCEPT") else MAX_FIELD
            if len(value) > most or (name == "HTTP_COOKIE" and value.count("\\") > MAX_ESCAPES):
                return name.removeprefix("HTTP_").replace("_", "-").title()
    return ""


class BoundedHeaders:
    """Empties such fields before Django reads them, and leaves a word for the middleware that refuses the request."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if too_large := problem_of(environ):
            environ["modeldex.too_large"] = too_large
            for name in ("CONTENT_TYPE", "HTTP_ACCEPT", "HTTP_COOKIE", "QUERY_STRING"):
                environ.pop(name, None)
        return self.application(environ, start_response)
