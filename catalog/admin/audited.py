"""Admins that write each change of a row to the audit log, and admins of rows that not everybody may change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from catalog.access import rights
from catalog.admin import edit
from catalog.admin.once import MadeOnce
from catalog.editing.history import Author, audit, to_json

# How many reasons why rows were left out a page tells.
REASONS = 5

# Never written to a log.
_SECRET = {"password", "password1", "password2", "usable_password"}


def author_of(request: HttpRequest) -> Author:
    """The person, with the reason that they gave at the foot of the form."""
    reason = "".join(one for one in request.POST.get("_reason", "") if one.isprintable()).strip()[:500]
    return Author.person(request.user, reason=reason)


class AuditedAdmin(MadeOnce):
    """An admin that writes additions, changes and deletions to the audit log, with old and new values."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "POST":
            edit.of(request).before = self._values(found)
        return found

    def _values(self, row: Any) -> dict[str, Any]:
        values = {field.name: to_json(getattr(row, field.name)) for field in row._meta.concrete_fields}
        values |= {field.name: sorted(map(str, getattr(row, field.name).all())) for field in row._meta.many_to_many}
        return {name: value for name, value in values.items() if name not in _SECRET}

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        audit(author_of(request), obj, "added", {name: [None, value] for name, value in self._values(obj).items()})
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        before = edit.of(request).before
        obj.refresh_from_db()
        after = self._values(obj)
        changes = {name: [before.get(name), after[name]] for name in after if before.get(name) != after[name]}
        if "password" in str(message).lower():
            changes["password"] = ["(kept secret)", "(kept secret)"]
        if not changes and not message:
            return None
        audit(author_of(request), obj, "changed", changes)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for row in queryset:
            audit(
                author_of(request), row, "deleted", {name: [value, None] for name, value in self._values(row).items()}
            )
        return super().log_deletions(request, queryset)


def _bounded(action: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(action)
    def bounded(model_admin: BoundedAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        refused = {row.pk: told for row in queryset if (told := model_admin.why_not(request, row))}
        reasons = Counter(refused.values()).most_common()
        for told, number in reasons[:REASONS]:
            model_admin.message_user(request, f"Not changed ({number}): {told}", messages.WARNING)
        if others := sum(number for _, number in reasons[REASONS:]):
            model_admin.message_user(request, f"Not changed for other reasons: {others}.", messages.WARNING)
        return action(model_admin, request, queryset.exclude(pk__in=list(refused)) if refused else queryset)

    return bounded


class RightsAdmin(admin.ModelAdmin):
    """An admin whose forms have, as `rights`, what the person who edits may give (catalog/access/rights.py)."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.rights = rights.of(request)
        return form


class BoundedAdmin(RightsAdmin):
    """An admin whose rows are read-only for a person who has less than they give (catalog/access/rights.py)."""

    def why_not(self, request: HttpRequest, obj: Any) -> str:
        """A sentence on why this person may not change or delete the row; "" where they may."""
        raise NotImplementedError

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or not self.why_not(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or not self.why_not(request, obj))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Each works on the rows that this person may change. Django's deletion asks for the right to delete each."""
        found: dict[str, Any] = super().get_actions(request)
        return {
            name: (action if action is delete_selected else _bounded(action), name, label)
            for name, (action, _, label) in found.items()
        }

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        # A person who may change other rows of this kind reads why they may not change this one.
        if request.method == "GET" and super().has_change_permission(request):
            obj = self.get_object(request, unquote(object_id))
            if obj is not None and (reason := self.why_not(request, obj)):
                self.message_user(request, reason, messages.WARNING)
        return super().change_view(request, object_id, form_url, extra_context)
