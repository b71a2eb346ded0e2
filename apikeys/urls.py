"""Routes of the app."""

from django.urls import URLPattern, URLResolver, path

from apikeys.authentication import caller_of_key, credential_of, credential_of_export
from apikeys.pages.exports import ExportsPage
from apikeys.pages.keys import KeyPage, KeysPage
from apikeys.pages.new import NewKeyPage
from apikeys.views import ExportTokenViewSet, KeyViewSet
from catalog import extensions

extensions.caller_of_key = caller_of_key
extensions.credential_of = credential_of
extensions.credential_of_export = credential_of_export

urlpatterns: list[URLPattern | URLResolver] = [
    path("me/keys", KeysPage.as_view(), name="my-keys"),
    # No key has this id.
    path("me/keys/new", NewKeyPage.as_view(), name="new-key"),
    path("me/keys/<str:key_id>", KeyPage.as_view(), name="my-key"),
    path("me/keys/<str:key_id>/exports", ExportsPage.as_view(), name="my-exports"),
    path("api/keys", KeyViewSet.as_view({"get": "list", "post": "create"})),
    path("api/keys/current", KeyViewSet.as_view({"get": "current"})),
    path(
        "api/keys/<str:key_id>",
        KeyViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
    path("api/keys/<str:key_id>/rotate", KeyViewSet.as_view({"post": "rotate"})),
    path("api/keys/<str:key_id>/exports", ExportTokenViewSet.as_view({"get": "list", "post": "create"})),
    path("api/keys/<str:key_id>/exports/<str:export_id>", ExportTokenViewSet.as_view({"delete": "destroy"})),
]
