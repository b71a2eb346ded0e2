"""Every route. Each app brings its own; the rest is here."""

from django.contrib import admin
from django.urls import include, path

from config.accounts import ChangePassword, SignIn, SignOut, StaffSignIn
from config.api.docs import RedocView, SchemaView, SwaggerView
from config.api.health import HealthViewSet
from config.icon import favicon
from config.metrics import metrics

urlpatterns = [
    path("", include("preferences.urls")),
    path("", include("providers.urls")),
    # After these two: it takes whatever else stands behind /api/models/.
    path("", include("catalog.urls")),
    path("", include("apikeys.urls")),
    path("healthz", HealthViewSet.as_view({"get": "process"}), name="healthz"),
    path("metrics", metrics, name="metrics"),
    path("readyz", HealthViewSet.as_view({"get": "ready"}), name="readyz"),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", SwaggerView.as_view(), name="docs"),
    path("api/redoc", RedocView.as_view(), name="redoc"),
    path("accounts/login", SignIn.as_view(), name="login"),
    path("accounts/logout", SignOut.as_view(), name="logout"),
    path("accounts/password", ChangePassword.as_view(), name="password"),
    # Before the admin's own page, which this one stands for.
    path("admin/login/", StaffSignIn.as_view()),
    path("admin/", admin.site.urls),
    path("favicon.ico", favicon, name="favicon"),
]

handler400 = "config.api.errors.bad_request"
handler403 = "config.api.errors.permission_denied"
handler404 = "config.api.errors.not_found"
handler500 = "config.api.errors.server_error"
