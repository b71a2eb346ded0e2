"""/api/models/list and /api/models/tags"""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet
from django_filters.utils import translate_validation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.base import CallerMixin, IncludingMixin, answer, etag
from catalog.api.examples import ITEM, answered
from catalog.api.filters import ModelListFilter, ViewerFilterBackend
from catalog.api.pagination import DeferredRows
from catalog.api.permissions import HasScope, SignedInOrPublic
from catalog.api.serializers import list_items
from catalog.api.serializers.custom_models import TagCountSerializer
from catalog.api.serializers.items import ItemSerializer
from catalog.models import AIModel, Tag


class ModelListViewSet(IncludingMixin, viewsets.GenericViewSet):
    """The models that the caller finds, a page at a time."""

    queryset = AIModel.objects.none()
    serializer_class = ItemSerializer
    filter_backends = (ViewerFilterBackend,)
    filterset_class = ModelListFilter
    query_parameters = frozenset({*ModelListFilter.base_filters, "page", "page_size", "include"})
    repeatable_parameters = frozenset({"tag"})

    def get_queryset(self) -> QuerySet[AIModel]:
        return AIModel.objects.findable_by(self.viewer)

    @extend_schema(
        operation_id="models_list",
        summary="Find models",
        description="What the caller sees, and the inactive custom models that they may change. In a total order.",
        tags=["models"],
        parameters=[
            OpenApiParameter("include", OpenApiTypes.STR, description="Staff: hidden, inactive, or hidden,inactive."),
            OpenApiParameter("tag", OpenApiTypes.STR, many=True, description="Repeatable: all of them must match."),
        ],
        examples=[answered("A custom model", ITEM)],
        responses={200: ItemSerializer(many=True)},
    )
    def list(self, request: Request) -> Response:
        # Refusals first: no 304 for what is no question.
        self.paginator.read(request)  # type: ignore[union-attr]
        caller = self.caller
        filters = ModelListFilter(request.query_params, None, request=request, viewer=caller.viewer)
        if not filters.is_valid():
            raise translate_validation(filters.errors)

        def page() -> Any:
            viewer = caller.viewer
            rows = DeferredRows(
                filters.filter_queryset(self.get_queryset()),
                lambda keys: list(AIModel.objects.shown_to(viewer).filter(pk__in=keys)),
                ("list", caller.fingerprint, filters.chosen),
            )
            shown = list_items.items(self.paginate_queryset(rows) or (), viewer)  # type: ignore[arg-type]
            return {"items": shown, "total": self.paginator.total}  # type: ignore[union-attr]

        response = answer(request, etag(caller.fingerprint), page)
        if response.status_code == 200:
            response["Link"] = self.paginator.links()  # type: ignore[union-attr]
        return response


class TagViewSet(CallerMixin, viewsets.ViewSet):
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
        def counted() -> Any:
            through = AIModel.tags.through.objects.filter(aimodel__in=AIModel.objects.visible_to(self.viewer))
            counts = dict(through.values_list("tag").annotate(n=Count("pk")).order_by())
            names = Tag.objects.filter(pk__in=counts).order_by("key").values_list("pk", "name")
            return [{"name": name, "count": counts[key]} for key, name in names]

        return answer(request, etag(self.caller.fingerprint), counted)
