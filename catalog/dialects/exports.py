"""What all exports share: files for clients that send no header, so that a token in the address says who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from catalog import extensions
from catalog.api.permissions import HasScope
from catalog.api.rendering import SHAPE
from catalog.api.snapshot import VisibleCatalog
from catalog.dialects.base import DialectViewSet, Rows, answered, usable
from catalog.dialects.openai import OWNED_BY_A_USER
from config.api.conditional import etag


class ExportViewSet(DialectViewSet):
    """One format. A token that has ended gets `empty`, which is a valid file without models.

    Of a refusal most clients say nothing, and show the catalog that they brought along.
    """

    authentication_classes = ()
    permission_classes = (HasScope,)
    query_parameters = frozenset({"priced"})
    empty = b"{}"

    def credential_of(self, request: HttpRequest) -> Any:
        return extensions.credential_of_export(request, self.kwargs["token"])

    def perform_authentication(self, request: Request) -> None:
        credential = self.credential_of(request._request)
        if credential is not None:
            request.user, request.auth = credential.user, credential

    def exported(self, name: str, make: Callable[[VisibleCatalog, tuple[str, ...]], bytes]) -> HttpResponse:
        """The file of this name, of what the caller may use; of that with `?priced=1` what has known prices."""
        priced = self.request.query_params.get("priced", "0")
        if priced not in ("0", "1"):
            raise ValidationError({"priced": ["0 or 1."]})
        if self.request.auth is None:
            return self.conditional(etag(SHAPE, name, "none"), lambda: self.empty)
        required = ("pricing",) if priced == "1" else ()
        return self.rendered_answer("-".join((name, *required)), lambda view: make(view, required))


def described(operation_id: str, summary: str, schema: Any, example: Any) -> Any:
    """The OpenAPI document's words for an export; `schema` describes the file."""
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        description="The token in the address is all that is asked for. One that has ended, or whose key has, gets "
        "the empty file; one that never was, 404.",
        parameters=[
            OpenApiParameter("token", str, OpenApiParameter.PATH, description="Of POST /api/keys/{id}/exports."),
            OpenApiParameter("priced", str, enum=["0", "1"], description="1 leaves out models without a known price."),
        ],
        examples=answered(example),
        responses={200: schema, 404: None},
        tags=["exports"],
    )


def placed(view: VisibleCatalog, rows: Rows, required: tuple[str, ...]) -> Iterator[tuple[str, str, str, bytes]]:
    """(provider, the rest of the id, the id, the row) of each model, for formats that keep the two apart.

    A custom model, whose id has no author, stands under `user`.
    """
    for rendered_model in usable(view, required):
        if row := rows.of(rendered_model):
            author, slash, rest = rendered_model.model_id.partition("/")
            yield (author, rest, rendered_model.model_id, row) if slash else (OWNED_BY_A_USER, author, author, row)


class FileSerializer(serializers.Serializer):
    """An object whose properties are named by the catalog, each with a value of `child`."""

    child: type[serializers.Serializer]


class FileSchema(OpenApiSerializerExtension):
    """drf-spectacular finds the class by being imported."""

    target_class = FileSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        values = auto_schema.resolve_serializer(self.target.child, direction).ref
        return {"type": "object", "description": self.target.__doc__, "additionalProperties": values}
