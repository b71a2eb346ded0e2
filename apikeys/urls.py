"""Routes of the app."""

from django.urls import URLPattern, URLResolver, path

from apikeys.views import KeyViewSet

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/keys", KeyViewSet.as_view({"get": "list", "post": "create"})),
    path("api/keys/current", KeyViewSet.as_view({"get": "current"})),
    path(
        "api/keys/<str:key_id>",
        KeyViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
    path("api/keys/<str:key_id>/rotate", KeyViewSet.as_view({"post": "rotate"})),
]
