"""Every route. Each app brings its own; the rest is here."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from config.accounts import ChangePassword, SignIn, StaffSignIn, counting_old_passwords
from config.api.docs import RedocView, SchemaView, SwaggerView
from config.api.health import HealthViewSet
from config.icon import favicon
from config.metrics import metrics
from config.password_reset import AskForReset, Reset
from config.single_sign_on import callback, start

# Not when Django starts: most commands have no use for the admin, and it takes longer to load than they do. But before
# anything is taken of the site: catalog/admin/users.py gives it another page for passwords.
admin.autodiscover()
_admin_password = admin.site.admin_view(admin.site.password_change, cacheable=True)

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
    path("accounts/logout", LogoutView.as_view(), name="logout"),
    path("accounts/password", counting_old_passwords(ChangePassword.as_view()), name="password"),
    # These four are there only where single sign-on, or a server that takes mail, is configured.
    path("accounts/sso", start, name="single-sign-on"),
    path("accounts/sso/callback", callback, name="single-sign-on-callback"),
    path("accounts/password/reset", AskForReset.as_view(), name="password-reset"),
    path("accounts/password/reset/<uidb64>/<token>", Reset.as_view(), name="password-reset-link"),
    # Before the admin's own pages, which these stand for.
    path("admin/login/", StaffSignIn.as_view()),
    path("admin/password_change/", counting_old_passwords(_admin_password)),
    path("admin/", admin.site.urls),
    path("favicon.ico", favicon, name="favicon"),
]

handler400 = "config.api.errors.bad_request"
handler403 = "config.api.errors.permission_denied"
handler404 = "config.api.errors.not_found"
handler500 = "config.api.errors.server_error"
