"""Who signed in and who could not, as django-axes notes it: staff read it, and let in again who is locked out."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from catalog.admin.audited import author_of
from catalog.admin.history import ReadOnlyAdmin
from catalog.editing.history import audit

# The package names them for programmers; its own admin (AXES_ENABLE_ADMIN) lets staff write what nobody may.
NAMES: dict[Any, tuple[str, str]] = {
    AccessLog: ("sign-in", "sign-ins"),
    AccessAttempt: ("count of wrong passwords", "wrong passwords"),
    AccessFailureLog: ("failed sign-in", "failed sign-ins"),
}
FIELDS = {
    "attempt_time": "when",
    "username": "user name",
    "ip_address": "address",
    "user_agent": "browser",
    "path_info": "page",
    "http_accept": "formats that the browser takes",
    "logout_time": "signed out",
    "locked_out": "locked out by it",
    "failures_since_start": "wrong passwords",
    "get_data": "sent in the address",
    "post_data": "sent in the form, without secrets",
}
COLUMNS = ("attempt_time", "username", "ip_address", "user_agent", "path_info")


def _named(row: Any) -> str:
    address = row.ip_address or "an unknown address"
    return f"{row.username or 'nobody'} from {address}, {row.attempt_time:%Y-%m-%d %H:%M}"


for _model, _names in NAMES.items():
    _model.__str__ = _named
    _model._meta.verbose_name, _model._meta.verbose_name_plural = _names
    for _field in _model._meta.fields:
        _field.verbose_name = FIELDS.get(_field.name, _field.verbose_name)


class SignInsAdmin(ReadOnlyAdmin):
    """What all three have in common."""

    search_fields = ("username", "ip_address", "user_agent", "path_info")
    date_hierarchy = "attempt_time"


@admin.register(AccessLog)
class SignInAdmin(SignInsAdmin):
    list_display = (*COLUMNS, "logout_time")
    list_filter = ("attempt_time",)
    fields = (*COLUMNS, "http_accept", "logout_time")


@admin.register(AccessFailureLog)
class FailedSignInAdmin(SignInsAdmin):
    list_display = (*COLUMNS, "locked_out")
    list_filter = ("attempt_time", "locked_out")
    fields = (*COLUMNS, "http_accept", "locked_out")


@admin.register(AccessAttempt)
class WrongPasswordsAdmin(SignInsAdmin):
    list_display = (*COLUMNS, "failures_since_start", "state")
    list_filter = ("attempt_time",)
    fields = (*COLUMNS, "http_accept", "failures_since_start", "state", "get_data", "post_data")
    readonly_fields = ("state",)
    actions = ("unlock",)  # type: ignore[assignment]  # Its type is that of the base class's value.

    @admin.display(description="state")
    def state(self, row: AccessAttempt) -> str:
        until = row.attempt_time + settings.AXES_COOLOFF_TIME
        if until <= timezone.now():
            return "counts no longer"
        left = settings.AXES_FAILURE_LIMIT - row.failures_since_start
        if left <= 0:
            return f"locked out until {until:%H:%M}"
        return f"{left} more {'try' if left == 1 else 'tries'}"

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("axes.delete_accessattempt")

    @admin.action(description="Unlock: forget these wrong passwords", permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[AccessAttempt]) -> None:
        with transaction.atomic():
            rows = list(queryset)
            for row in rows:
                audit(author_of(request), row, "unlock")
            AccessAttempt.objects.filter(pk__in=[row.pk for row in rows]).delete()
        self.message_user(request, f"Unlocked: {', '.join(map(str, rows))}.", messages.SUCCESS)
