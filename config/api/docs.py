"""The OpenAPI document and its two readers. Their assets are served by us, under a policy without inline scripts."""

from __future__ import annotations

import hashlib
import threading
from functools import cache
from typing import Any

import orjson
from django.conf import settings
from django.templatetags.static import static
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerSplitView
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.api.base import CallerMixin
from config.api.conditional import ConditionalMixin, etag
from config.api.renderers import JSONRenderer
from config.api.security import policy

_lock = threading.Lock()


@cache
def _generated(urlconf: str) -> dict[str, Any]:
    return SchemaGenerator(urlconf=urlconf).get_schema(request=None, public=True)


def document() -> dict[str, Any]:
    """The OpenAPI document. It follows from the code alone, so a process makes it once."""
    # Generating takes part of a second and writes to globals of drf-spectacular: one thread at a time.
    with _lock:
        return _generated(settings.ROOT_URLCONF)


class YAMLRenderer(OpenApiYamlRenderer):
    media_type = "application/yaml"


class OpenAPIRenderer(JSONRenderer):
    """The same JSON under the type that names what it is."""

    media_type = "application/vnd.oai.openapi+json"


class SchemaView(CallerMixin, ConditionalMixin, APIView):
    """This document."""

    permission_classes = (AllowAny,)
    renderer_classes: Any = (JSONRenderer, OpenAPIRenderer, YAMLRenderer)
    query_parameters = frozenset({"format"})
    formats: dict[str, type[BaseRenderer]] = {"json": JSONRenderer, "yaml": YAMLRenderer}

    @extend_schema(
        operation_id="api_document",
        summary="This document",
        description="OpenAPI 3.1, as JSON or, by `format` or `Accept`, as YAML.",
        tags=["operations"],
        auth=[],
        parameters=[OpenApiParameter("format", str, enum=["json", "yaml"])],
        responses={(200, "application/json"): OpenApiTypes.OBJECT, (200, "application/yaml"): OpenApiTypes.OBJECT},
        examples=[OpenApiExample("Its beginning", {"openapi": "3.1.0", "info": {"title": "Modeldex"}})],
    )
    def get(self, request: Request) -> Any:
        wanted = request.query_params.getlist("format")
        if wanted:
            if len(wanted) > 1 or wanted[0] not in self.formats:
                raise ValidationError({"format": ["json or yaml, once."]})
            request.accepted_renderer = self.formats[wanted[0]]()
            request.accepted_media_type = request.accepted_renderer.media_type
        tag = etag(request.accepted_renderer.format, _fingerprint(settings.ROOT_URLCONF))
        return self.conditional(tag, document)


@cache
def _fingerprint(urlconf: str) -> str:
    return hashlib.blake2b(orjson.dumps(document()), digest_size=8).hexdigest()


class SwaggerView(SpectacularSwaggerSplitView):
    """To try the API at once. The page and its script are separate answers, so the page holds no script."""

    permission_classes = (AllowAny,)
    url_name = "schema"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)
        response["Content-Security-Policy"] = policy(img=("data:",))
        # The script holds the CSRF token of the session.
        response["Cache-Control"] = "private, no-cache"
        return response


class RedocView(SpectacularRedocView):
    """To read the API."""

    permission_classes = (AllowAny,)
    url_name = "schema"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)
        response.data["logo"] = static("catalog/logo.svg")
        # It writes its styles into the page, and searches in a worker that it makes of a blob.
        response["Content-Security-Policy"] = policy(style=("'unsafe-inline'",), img=("data:",), worker=("blob:",))
        response["Cache-Control"] = "private, no-cache"
        return response
