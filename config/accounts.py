"""Signing in and out, for people; and what a caller is told who tried too many passwords."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import wraps
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import views
from django.contrib.auth.signals import user_login_failed
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse, reverse_lazy
from django.utils import timezone

from config.api import errors
from config.client_ip import client_of

# How long it is kept who signed in when.
SIGN_INS_KEPT = timedelta(days=90)
# Rows that one request deletes at most.
PRUNED = 500


class SignIn(views.LoginView):
    """`next` stays on this site, as Django checks it; a person who is signed in already is sent on."""

    redirect_authenticated_user = True
    http_method_names = ["get", "head", "post", "options"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        ways = {
            "single_sign_on": bool(settings.OIDC_ISSUER_URL),
            "passwords_closed": settings.OIDC_ONLY,
            "mail": bool(settings.EMAIL_HOST),
        }
        return super().get_context_data(**kwargs) | ways


class StaffSignIn(SignIn):
    """The same page, where the admin sends people. One who is signed in and no staff is told so, not sent around."""

    redirect_authenticated_user = False

    def get_default_redirect_url(self) -> str:
        return reverse("admin:index")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if admin.site.has_permission(request):
            return HttpResponseRedirect(self.get_success_url())
        return super().get(request, *args, **kwargs)


class ChangePassword(views.PasswordChangeView):
    """The other sessions end by it; this one stays."""

    template_name = "registration/password.html"
    success_url = reverse_lazy("my-settings")
    http_method_names = ["get", "head", "post", "options"]
    extra_context = {"section": "password"}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated and not request.user.has_usable_password():
            return errors.answer(request, 404, "Your account has no password: you sign in with single sign-on.")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password is changed. Elsewhere you are signed out.")
        return super().form_valid(form)


def counting_old_passwords(view: Any) -> Any:
    """The page on which one changes one's own password, where a wrong old one counts and locks as in signing in.

    Whoever finds a browser signed in could otherwise guess the password there without end.
    """

    @wraps(view)
    def counted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST" or not request.user.is_authenticated:
            return view(request, *args, **kwargs)
        credentials = {"username": request.user.get_username()}
        if not AxesProxyHandler.is_allowed(request, credentials):
            return locked_out(request, None, credentials)
        answer = view(request, *args, **kwargs)
        form = (getattr(answer, "context_data", None) or {}).get("form")
        if form is not None and form.has_error("old_password", "password_incorrect"):
            user_login_failed.send(__name__, credentials=credentials, request=request)
        return answer

    return counted


def name_tried(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str | None:
    """The name that django-axes counts under. It keeps it in 255 characters, and no form bounds what is sent."""
    found = (credentials or {}).get("username") or request.POST.get("username")
    return None if found is None else str(found)[:255]


def address_tried(request: HttpRequest) -> str:
    """The address that django-axes counts under: of IPv6 the first 64 bits, behind which one line is."""
    text = client_of(request.META)
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), 64), strict=False).network_address)
    return text


class Tries(AxesDatabaseHandler):
    """Wrong passwords, counted for a name from one address and, up to a higher limit, for the address alone.

    No count is of a name alone: anyone could lock out anyone. Rows are deleted as they stop to count.
    """

    def of_address(self, request: Any) -> QuerySet[AccessAttempt]:
        if not request.axes_ip_address:
            # As behind a unix socket, where all would be one.
            return AccessAttempt.objects.none()
        since = get_cool_off_threshold(request)
        return AccessAttempt.objects.filter(ip_address=request.axes_ip_address, attempt_time__gte=since)

    def get_failures(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        """The greater of the two counts, in units of AXES_FAILURE_LIMIT, which django-axes compares it with."""
        total = self.of_address(request).aggregate(total=Sum("failures_since_start"))["total"] or 0
        share = total * settings.AXES_FAILURE_LIMIT // settings.SIGN_IN_FAILURES_PER_ADDRESS
        return max(share, super().get_failures(request, credentials))

    def clean_expired_user_attempts(self, request: Any = None, credentials: dict[str, Any] | None = None) -> int:
        """A few of them, and none for a request that was refused: that writes nothing."""
        if request is None or getattr(request, "axes_locked_out", False):
            return 0
        expired = AccessAttempt.objects.filter(attempt_time__lte=get_cool_off_threshold(request))
        return _prune(AccessAttempt, expired.order_by().values_list("pk", flat=True)[:PRUNED])

    def user_logged_in(self, sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
        super().user_logged_in(sender, request, user, **kwargs)
        oldest = AccessLog.objects.order_by("pk").values_list("pk", "attempt_time")[:PRUNED]
        _prune(AccessLog, [pk for pk, at in oldest if at < timezone.now() - SIGN_INS_KEPT])


def _prune(model: Any, keys: Iterable[int]) -> int:
    found = list(keys)
    return model.objects.filter(pk__in=found).delete()[0] if found else 0


def _opens_at(tries: Iterable[AccessAttempt], limit: int) -> datetime:
    """When so many of these no longer count that there are fewer than `limit`."""
    ordered = sorted(tries, key=lambda row: row.attempt_time)
    left, at = sum(row.failures_since_start for row in ordered), timezone.now()
    for row in ordered:
        if left < limit:
            break
        left -= row.failures_since_start
        at = row.attempt_time + settings.AXES_COOLOFF_TIME
    return at


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """429 with the seconds until the next try counts, in the caller's dialect. Called by django-axes."""
    tries: Any = AxesProxyHandler.get_implementation()
    of_name = [row for rows in tries.get_user_attempts(request, credentials) for row in rows]
    opens = max(
        _opens_at(of_name, settings.AXES_FAILURE_LIMIT),
        _opens_at(tries.of_address(request), settings.SIGN_IN_FAILURES_PER_ADDRESS),
    )
    seconds = max(1, ceil((opens - timezone.now()).total_seconds()))
    minutes = ceil(seconds / 60)
    return errors.answer(
        request,
        429,
        f"Too many wrong passwords. Try again in {minutes} minute{'' if minutes == 1 else 's'}, "
        "or ask a member of staff to set a new password.",
        seconds,
    )
