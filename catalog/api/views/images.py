"""/api/models/custom/{id}/image"""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import viewsets
from rest_framework.request import Request

from catalog.api.base import CallerMixin
from catalog.api.permissions import HasScope, SignedInOrPublic
from catalog.api.views.detail import NoSuchModel
from catalog.models import AIModel, ModelImage
from config.api.conditional import ConditionalMixin


class ModelImageViewSet(ConditionalMixin, CallerMixin, viewsets.ViewSet):
    """The pictures that custom models were sent with."""

    permission_classes = (SignedInOrPublic, HasScope)
    query_parameters = frozenset({"v"})

    @extend_schema(
        operation_id="custom_models_image",
        summary="The picture of a custom model",
        tags=["custom models"],
        parameters=[OpenApiParameter("v", str, description="Which picture; another one has another address.")],
        responses={
            (200, "image/*"): OpenApiResponse(OpenApiTypes.BINARY, description="PNG, JPEG, WebP or GIF"),
        },
    )
    def retrieve(self, request: Request, model_id: str) -> HttpResponse:
        image = ModelImage.objects.filter(
            model__in=AIModel.objects.findable_by(self.viewer).filter(model_id=model_id)
        ).first()
        if image is None:
            raise NoSuchModel
        return self.conditional(f'"{image.digest}"', lambda: self._picture(image))

    @staticmethod
    def _picture(image: ModelImage) -> HttpResponse:
        return HttpResponse(
            bytes(image.data),
            content_type=image.content_type,
            headers={
                "X-Content-Type-Options": "nosniff",
                # Opened by itself it can do nothing, whatever its bytes are.
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Content-Disposition": "inline",
            },
        )
