"""Numbered pages: `{"items", "total"}` with Link headers."""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

MAX_PAGE = 1_000_000
MAX_PAGE_SIZE = 200
PAGE_SIZE = 30


def whole_number(request: Request, name: str, default: int, most: int, least: int = 1) -> int:
    """What the query says under this name, `default` where it says nothing. Raises ValidationError."""
    sent = request.query_params.getlist(name)
    if not sent:
        return default
    text = sent[0]
    if len(sent) > 1 or not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most):
        raise ValidationError({name: [f"A whole number from {least} to {most}, once."]})
    return int(text)


class NumberedPages(BasePagination):
    """A page past the end is empty and has the true total. `Link` names first, prev, next and last."""

    def read(self, request: Request) -> None:
        """Takes the page's number and size from the query. Raises ValidationError."""
        self.request = request
        self.page = whole_number(request, "page", 1, MAX_PAGE)
        self.page_size = whole_number(request, "page_size", PAGE_SIZE, MAX_PAGE_SIZE)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.read(request)
        rows, self.total = self.cut(queryset, (self.page - 1) * self.page_size, view)
        return rows

    def cut(self, queryset: Any, start: int, view: Any) -> tuple[list[Any], int]:
        """The rows of the page that begins at `start`, and the number of all."""
        total = queryset.count()
        return (list(queryset[start : start + self.page_size]) if start < total else []), total

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"items": data, "total": self.total}, headers={"Link": self.links()})

    def links(self) -> str:
        last = max(1, -(-self.total // self.page_size))
        pages = {"first": 1, "prev": min(self.page - 1, last), "next": self.page + 1, "last": last}
        if self.page <= 1:
            del pages["prev"]
        if self.page >= last:
            del pages["next"]
        # Relative references: no Host header decides where a client goes next.
        path = self.request.get_full_path()
        return ", ".join(f'<{replace_query_param(path, "page", n)}>; rel="{rel}"' for rel, n in pages.items())

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["items", "total"],
            "properties": {"items": schema, "total": {"type": "integer", "example": 123}},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "required": False,
                "in": "query",
                "description": text,
                "schema": {"type": "integer", "minimum": 1, "maximum": most, "default": default},
            }
            for name, text, most, default in (
                ("page", "From 1; past the end the items are empty.", MAX_PAGE, 1),
                ("page_size", "Items a page.", MAX_PAGE_SIZE, PAGE_SIZE),
            )
        ]
