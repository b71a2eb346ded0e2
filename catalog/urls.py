"""Routes of the app. The last takes whatever else stands behind /api/models/: it is a model's id.

/api/models itself, with each user's switches, is a route of the app of preferences.
"""

from django.urls import URLPattern, URLResolver, path

from catalog.api.views.changes import ChangesViewSet
from catalog.api.views.custom_models import CustomModelViewSet
from catalog.api.views.detail import ModelViewSet
from catalog.api.views.explain import ExplanationViewSet
from catalog.api.views.images import ModelImageViewSet
from catalog.api.views.list import ModelListViewSet, TagViewSet
from catalog.dialects import registry
from catalog.pages.changes import ChangesPage
from catalog.pages.compare import ComparePage
from catalog.pages.feed import ChangesExportViewSet, ChangesFeed
from catalog.pages.model import ModelPage
from catalog.pages.models import ModelsPage

registry.register_protocols()

urlpatterns: list[URLPattern | URLResolver] = [
    path("models", ModelsPage.as_view(), name="models-page"),
    path("models/<path:model_id>", ModelPage.as_view(), name="model-page"),
    path("changes", ChangesPage.as_view(), name="changes-page"),
    path("changes.atom", ChangesFeed.as_view(), name="changes-feed"),
    path("export/<str:token>/changes.atom", ChangesExportViewSet.as_view({"get": "list"}), name="export-changes"),
    path("compare", ComparePage.as_view(), name="compare"),
    *registry.routes,
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
    path("api/changes", ChangesViewSet.as_view({"get": "list"}), name="changes"),
    path("api/models/<path:model_id>", ModelViewSet.as_view({"get": "retrieve"}), name="model"),
]
