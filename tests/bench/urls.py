"""The project's routes, and what the benchmark compares them with: the same bytes and the same models, plainly."""

from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework import generics, serializers
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer

from catalog.models import AIModel


@lru_cache(64)
def _bytes(size: int) -> bytes:
    return b"x" * size


def bare(request: HttpRequest) -> HttpResponse:
    """As many bytes as are asked for, and no question."""
    return HttpResponse(_bytes(int(request.GET["size"])), content_type="application/json")


class PlainSerializer(serializers.ModelSerializer):
    tags: Any = serializers.SlugRelatedField("name", many=True, read_only=True)

    class Meta:
        model = AIModel
        fields = [
            "model_id", "name", "author", "family", "description", "context_length", "max_output_tokens",
            "input_modalities", "output_modalities", "supports_images", "supports_audio", "supports_video",
            "supports_tools", "supports_reasoning", "supports_parallel_tool_calls", "supports_reasoning_summaries",
            "supports_verbosity", "default_verbosity", "reasoning_levels", "default_reasoning_level",
            "prefer_websockets", "minimal_client_version", "supported_in_api", "supported_parameters", "pricing",
            "priority", "released_at", "retires_at", "created_at", "tags",
        ]  # fmt: skip


class PlainList(generics.ListAPIView):
    queryset = AIModel.objects.filter(active=True, hidden=False).prefetch_related("tags")
    serializer_class = PlainSerializer
    authentication_classes = ()
    permission_classes = (AllowAny,)
    pagination_class = None
    filter_backends = ()
    renderer_classes = (JSONRenderer,)


urlpatterns = [
    path("bench/bare", bare),
    path("bench/plain", PlainList.as_view()),
    path("", include("config.urls")),
]
handler400 = "config.api.errors.bad_request"
handler403 = "config.api.errors.permission_denied"
handler404 = "config.api.errors.not_found"
handler500 = "config.api.errors.server_error"
