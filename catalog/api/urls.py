"""Routes of the app, but for those that take what others leave: catalog/api/detail_urls.py."""

from django.urls import URLPattern, URLResolver, path

from catalog.api.views.custom_models import CustomModelViewSet
from catalog.api.views.explain import ExplanationViewSet
from catalog.api.views.images import ModelImageViewSet
from catalog.api.views.list import ModelListViewSet, TagViewSet

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/models/list", ModelListViewSet.as_view({"get": "list"}), name="model-list"),
    path("api/models/tags", TagViewSet.as_view({"get": "list"}), name="model-tags"),
    path("api/models/access", ExplanationViewSet.as_view({"get": "list"}), name="model-access"),
    path("api/models/custom", CustomModelViewSet.as_view({"post": "create"}), name="custom-models"),
    path(
        "api/models/custom/<str:model_id>",
        CustomModelViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="custom-model",
    ),
    path(
        "api/models/custom/<str:model_id>/access",
        CustomModelViewSet.as_view({"put": "share"}),
        name="custom-model-access",
    ),
    path(
        "api/models/custom/<str:model_id>/image",
        ModelImageViewSet.as_view({"get": "retrieve"}),
        name="custom-model-image",
    ),
]
