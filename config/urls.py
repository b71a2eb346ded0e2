"""Every route. Each app brings its own; the rest is here."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("catalog.urls")),
    path("", include("preferences.urls")),
    path("", include("providers.urls")),
    path("", include("apikeys.urls")),
    path("", include("config.api.urls")),
    path("admin/", admin.site.urls),
    # Last: it takes every id that no other route has taken.
    path("", include("catalog.detail_urls")),
]

handler400 = "config.api.errors.bad_request"
handler403 = "config.api.errors.permission_denied"
handler404 = "config.api.errors.not_found"
handler500 = "config.api.errors.server_error"
