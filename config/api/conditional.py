"""Answers that may be 304 Not Modified, by their ETag (RFC 9110, 13.1.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse, HttpResponseNotModified
from rest_framework.response import Response

from config.api.pieces import Pieces, PiecesResponse

_TAGS = re.compile(r'(?:W/)?"[^"]*"')


def etag(*parts: Any) -> str:
    """A weak tag of what the answer depends on, never of its bytes."""
    return 'W/"' + "-".join(str(part) for part in parts) + '"'


def is_fresh(request: Any, tag: str) -> bool:
    """Whether the caller has the answer of this tag already, by weak comparison."""
    sent = request.META.get("HTTP_IF_NONE_MATCH", "")
    if not sent or len(sent) > 8192:
        return False
    if sent.strip() == "*":
        return True
    wanted = tag.removeprefix("W/")
    return any(part.removeprefix("W/") == wanted for part in _TAGS.findall(sent))


class ConditionalMixin:
    """For DRF views whose answers to GET have an ETag. The OpenAPI document describes their 304."""

    request: Any

    def conditional(self, tag: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, a response, its data or its bytes; 304 without making it where the caller has it."""
        if is_fresh(self.request, tag):
            return HttpResponseNotModified(headers={"ETag": tag})
        made = make()
        response: Any
        if isinstance(made, bytes):
            response = HttpResponse(made, content_type="application/json")
        elif isinstance(made, Pieces):
            response = PiecesResponse(made)
        else:
            response = made if isinstance(made, HttpResponse) else Response(made)
        response["ETag"] = tag
        return response
