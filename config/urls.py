"""Every route. Each app brings its own; the rest is here."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from config.accounts import SignIn, SignOut

# The name of the file is known when static files were collected, not when this module is read.
logo = lazy(static, str)("catalog/logo.svg")

urlpatterns = [
    path("", include("catalog.urls")),
    path("", include("catalog.openai_urls")),
    path("", include("preferences.urls")),
    path("", include("providers.urls")),
    path("", include("apikeys.urls")),
    path("", include("config.api.urls")),
    path("accounts/login", SignIn.as_view(), name="login"),
    path("accounts/logout", SignOut.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    # What a browser asks for where a page names no icon, such as a document of JSON.
    path("favicon.ico", RedirectView.as_view(url=logo, http_method_names=["get", "head"]), name="favicon"),
    # Last: it takes every id that no other route has taken.
    path("", include("catalog.detail_urls")),
]

handler400 = "config.api.errors.bad_request"
handler403 = "config.api.errors.permission_denied"
handler404 = "config.api.errors.not_found"
handler500 = "config.api.errors.server_error"
