"""Every route. Each app brings its own; the rest is here."""

from django.contrib import admin
from django.urls import include, path

from config.accounts import SignIn, SignOut
from config.icon import favicon

urlpatterns = [
    path("", include("catalog.api.urls")),
    path("", include("catalog.dialects.urls")),
    path("", include("preferences.urls")),
    path("", include("providers.urls")),
    path("", include("apikeys.urls")),
    path("", include("config.api.urls")),
    path("accounts/login", SignIn.as_view(), name="login"),
    path("accounts/logout", SignOut.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("favicon.ico", favicon, name="favicon"),
    # Last: it takes every id that no other route has taken.
    path("", include("catalog.api.detail_urls")),
]

handler400 = "config.api.errors.bad_request"
handler403 = "config.api.errors.permission_denied"
handler404 = "config.api.errors.not_found"
handler500 = "config.api.errors.server_error"
