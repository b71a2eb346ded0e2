"""/api/models/list and /api/models/tags"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from hashlib import sha256
from typing import Any

import orjson
from django.db.models import Count, QuerySet
from django.http import HttpResponse
from django_filters.utils import translate_validation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.access.viewers import Viewer, cached_by_viewer
from catalog.api.base import INCLUDE, CallerMixin, IncludingMixin
from catalog.api.direct import DirectMixin
from catalog.api.examples import ITEM, answered
from catalog.api.filters import ModelListFilter, search_words
from catalog.api.pagination import DeferredPages
from catalog.api.permissions import HasScope, SignedInOrPublic
from catalog.api.serializers import item_bytes
from catalog.api.serializers.custom_models import TagCountSerializer
from catalog.api.serializers.items import ItemSerializer
from catalog.api.snapshot import snapshot
from catalog.db.prepared import CompiledQuery, padded
from catalog.models import AIModel, Tag
from config.api.conditional import ConditionalMixin, etag


class ModelListViewSet(ConditionalMixin, DirectMixin, IncludingMixin, viewsets.GenericViewSet):
    """The models that the caller finds, a page at a time."""

    queryset = AIModel.objects.none()
    serializer_class = ItemSerializer
    pagination_class = DeferredPages
    filterset_class = ModelListFilter
    query_parameters = frozenset({*ModelListFilter.base_filters, "page", "page_size", "include"})
    repeatable_parameters = frozenset({"tag"})

    def get_queryset(self) -> QuerySet[AIModel]:
        return _findable(self.viewer).all()

    @extend_schema(
        operation_id="models_list",
        summary="Find models",
        description="What the caller sees, and the inactive custom models that they may change. In a total order.",
        tags=["models"],
        parameters=[
            INCLUDE,
            OpenApiParameter("tag", OpenApiTypes.STR, many=True, description="Repeatable: all of them must match."),
        ],
        examples=[answered("A custom model", ITEM)],
        responses={200: ItemSerializer(many=True)},
    )
    def list(self, request: Request) -> Response:
        # A page that is stored was asked for with this query, which was a good one.
        name = "list " + sha256(request.META["QUERY_STRING"].encode()).hexdigest()
        stored = snapshot.body(name, self.caller.fingerprint)
        if stored is None:
            # Refusals first: no 304 for what is no question.
            self.paginator.read(request)  # type: ignore[union-attr]
            self.filters = ModelListFilter(request.query_params, request=request, caller=self.caller)
            if not self.filters.is_valid():
                raise translate_validation(self.filters.errors)
        return self.conditional(etag(self.caller.fingerprint), lambda: _answer(stored or self._page(name)))

    def _page(self, name: str) -> bytes:
        """The Link header, a line break, and the body."""
        pages: Any = self.paginator

        def items() -> list[orjson.Fragment]:
            bodies: Any = self.paginate_queryset(self.filters.filter_queryset(self.get_queryset()))
            return [orjson.Fragment(body) for body in bodies or ()]

        body = orjson.dumps({"items": self.read(items), "total": pages.total})
        page = pages.links().encode() + b"\n" + body
        snapshot.store_body(name, self.caller.fingerprint, page)
        return page

    def by_key(self, keys: Sequence[int]) -> dict[int, bytes]:
        """For the pages: the items that can be rendered, which other pages may have shown before."""
        fingerprint = self.caller.fingerprint
        # Not "item ...": what follows that is an id from an address.
        found = {key: body for key in keys if (body := snapshot.body(f"listed {key}", fingerprint))}
        if missing := [key for key in keys if key not in found]:
            for key, body in item_bytes.items(_shown(self.viewer).all(*padded(missing, 32)), self.viewer):
                snapshot.store_body(f"listed {key}", fingerprint, body)
                found[key] = body
        return found

    @property
    def is_usual_search(self) -> bool:
        """For the pages: the first page for a few words, and no other parameter."""
        sent = self.request.query_params
        return {*sent} == {"query"} and 1 <= len(search_words(sent["query"])) <= 3

    @property
    def total_depends_on(self) -> Hashable:
        """For the pages."""
        return "list", self.caller.fingerprint, self.filters.chosen


@cached_by_viewer(256)
def _findable(viewer: Viewer) -> QuerySet[AIModel]:
    """Never asked itself. The rule takes half a millisecond to become a query."""
    return AIModel.objects.findable_by(viewer)


@cached_by_viewer(32)
def _shown(viewer: Viewer) -> CompiledQuery[AIModel]:
    """The rows of items, by their keys. To compile it takes five milliseconds."""
    return CompiledQuery(lambda *keys: AIModel.objects.shown_to(viewer).filter(pk__in=keys), is_one=False)


def _answer(page: bytes) -> HttpResponse:
    links, _, body = page.partition(b"\n")
    return HttpResponse(body, content_type="application/json", headers={"Link": links.decode()})


class TagViewSet(ConditionalMixin, DirectMixin, CallerMixin, viewsets.ViewSet):
    """The tags of what the caller sees."""

    permission_classes = (SignedInOrPublic, HasScope)

    @extend_schema(
        operation_id="models_tags",
        summary="Tags of visible models",
        description="Each with the number of models that carry it, by name.",
        tags=["models"],
        examples=[answered("Two tags", {"name": "research", "count": 4})],
        responses={200: TagCountSerializer(many=True)},
    )
    def list(self, request: Request) -> Response:
        def counted() -> bytes:
            through = AIModel.tags.through.objects.filter(aimodel__in=AIModel.objects.visible_to(self.viewer))
            counts = dict(through.values_list("tag").annotate(n=Count("pk")).order_by())
            names = Tag.objects.filter(pk__in=counts).order_by("key").values_list("pk", "name")
            return orjson.dumps([{"name": name, "count": counts[key]} for key, name in names])

        fingerprint = self.caller.fingerprint
        return self.conditional(
            etag(fingerprint), lambda: snapshot.stored("tags", fingerprint, lambda: self.read(counted))
        )
