"""Routes of the app."""

from django.urls import path

from preferences.pages.editor import EditorPage
from preferences.pages.mine import MyModelsPage
from preferences.pages.settings import SettingsPage
from preferences.views import ModelsViewSet, SettingsViewSet

urlpatterns = [
    path("api/models", ModelsViewSet.as_view({"get": "list", "patch": "partial_update"}), name="models"),
    path("api/settings", SettingsViewSet.as_view({"get": "retrieve", "patch": "partial_update"}), name="settings"),
    path("me/models", MyModelsPage.as_view(), name="my-models"),
    # No custom model has this id: catalog/editing/custom_models.py.
    path("me/models/new", EditorPage.as_view(), name="new-model"),
    path("me/models/<str:model_id>", EditorPage.as_view(), name="my-model"),
    path("me/settings", SettingsPage.as_view(), name="my-settings"),
]
