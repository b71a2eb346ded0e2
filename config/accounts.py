"""Signing in and out, for people; and what a caller is told who tried too many passwords."""

from math import ceil
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth import views
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from config.api import errors


class SignIn(views.LoginView):
    """`next` stays on this site, as Django checks it; a person who is signed in already is sent on."""

    redirect_authenticated_user = True
    http_method_names = ["get", "head", "post", "options"]


class SignOut(views.LogoutView):
    """By POST only: a link on another site must not sign anybody out."""


def name_tried(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str | None:
    """The name that django-axes counts under. It keeps it in 255 characters, and no form bounds what is sent."""
    found = (credentials or {}).get("username") or request.POST.get("username")
    return None if found is None else str(found)[:255]


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """429 with the seconds until the next try counts, in the caller's dialect. Called by django-axes."""
    found = AxesProxyHandler.get_implementation().get_user_attempts(request, credentials)
    now = timezone.now()
    last = max((attempt.attempt_time for attempts in found for attempt in attempts), default=now)
    seconds = max(1, ceil((last + settings.AXES_COOLOFF_TIME - now).total_seconds()))
    minutes = ceil(seconds / 60)
    answer = errors.answer(
        request,
        429,
        f"Too many wrong passwords. Try again in {minutes} minute{'' if minutes == 1 else 's'}, "
        "or ask a member of staff to set a new password.",
    )
    answer["Retry-After"] = str(seconds)
    return answer
