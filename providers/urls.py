"""Routes of the app."""

from django.urls import URLPattern, URLResolver, path

from providers.lists.views import ProviderListViewSet
from providers.views import home

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
    path("api/models/openrouter", ProviderListViewSet.as_view({"get": "openrouter"}), name="list_openrouter"),
    path(
        "api/models/openrouter/embeddings",
        ProviderListViewSet.as_view({"get": "embeddings"}),
        name="list_openrouter_embeddings",
    ),
    path("api/models/ollama", ProviderListViewSet.as_view({"get": "ollama"}), name="list_ollama"),
    path("api/models/openai", ProviderListViewSet.as_view({"get": "openai"}), name="list_openai"),
]
