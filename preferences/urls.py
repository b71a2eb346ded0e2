"""Routes of the app."""

from django.urls import path

from preferences.views import ModelsViewSet, SettingsViewSet

urlpatterns = [
    path("api/models", ModelsViewSet.as_view({"get": "list", "patch": "partial_update"}), name="models"),
    path("api/settings", SettingsViewSet.as_view({"get": "retrieve", "patch": "partial_update"}), name="settings"),
]
