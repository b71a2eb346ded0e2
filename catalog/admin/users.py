"""Users and groups: Django's admin, with what they see. It is audited, and nobody gives more than they have."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth import admin as auth_admin
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from catalog.access import rights
from catalog.admin import view_as
from catalog.admin.audited import AuditedAdmin, BoundedAdmin, author_of
from catalog.admin.entries import address_of
from catalog.editing.history import audit
from catalog.models import AccessGrant

User = get_user_model()

# How many grants a page names.
SHOWN = 200


def granted(**principal: Any) -> str:
    grants = AccessGrant.objects.filter(**principal).select_related("model").order_by("model__model_id")
    named = list(grants[: SHOWN + 1])
    if not named:
        return "none"
    rows = ((address_of(g.model), g.model.model_id, g.get_permission_display()) for g in named[:SHOWN])
    told = format_html_join("", '<li><a href="{}">{}</a> ({})</li>', rows)
    more = format_html("<li>and more</li>") if len(named) > SHOWN else ""
    return format_html('<ul class="granted">{}{}</ul>', told, more)


def may_view(request: HttpRequest, codename: str) -> bool:
    return any(request.user.has_perm(permission) for permission in (codename, codename.replace("view_", "change_")))


class UserForm(UserChangeForm):
    """`rights` are those of the person who edits: `RightsAdmin`."""

    rights: rights.Rights

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What the user has already may stay, or be taken away.
        held = Q(user=self.instance.pk)
        fields: Any = self.fields
        if "groups" in fields:
            given = self.rights.givable_groups().values_list("pk", flat=True)
            fields["groups"].queryset = Group.objects.filter(Q(pk__in=list(given)) | held).distinct().order_by("name")
        if "user_permissions" in fields:
            mine = self.rights.givable_permissions()
            fields["user_permissions"].queryset = mine.select_related("content_type")

    def clean_is_active(self) -> bool:
        wanted: bool = self.cleaned_data["is_active"]
        # Switching on gives back all that the user had.
        if wanted and not self.initial["is_active"] and (told := self.rights.to_enter(self.instance)):
            self.add_error("is_active", told)
        return wanted


class UserAdmin(BoundedAdmin, AuditedAdmin, auth_admin.UserAdmin):
    form = UserForm
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "last_login")
    readonly_fields = ("last_login", "date_joined", "sees", "grants")

    def why_not(self, request: HttpRequest, obj: Any) -> str:
        return rights.of(request).over_user(obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        mine = rights.of(request)
        if not mine.is_superuser:
            fixed = (*fixed, "is_superuser")
        # With the name or the address of somebody who sees more one could sign in as them.
        if obj is not None and mine.to_enter(obj):
            fixed = (*fixed, "username", "email")
        return fixed

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        user = self.get_object(request, unquote(id))
        may_look = user is not None and self.has_view_or_change_permission(request, user)
        if may_look and (told := rights.of(request).to_enter(user)):
            if request.method == "POST":
                raise PermissionDenied(told)
            self.message_user(request, told, messages.WARNING)
            return HttpResponseRedirect(reverse("admin:auth_user_change", args=(user.pk,)))
        return super().user_change_password(request, id, form_url)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        shown = [
            name
            for name, permission in (("sees", "catalog.view_as"), ("grants", "catalog.view_accessgrant"))
            if may_view(request, permission)
        ]
        return fieldsets if obj is None or not shown else (*fieldsets, ("Models", {"fields": shown}))

    @admin.display(description="what they see")
    def sees(self, user: Any) -> str:
        return format_html('<a href="{}">View as {}</a>', view_as.address("user", user.pk), user.get_username())

    @admin.display(description="granted to them alone")
    def grants(self, user: Any) -> str:
        return granted(user=user.pk)


class GroupAdmin(BoundedAdmin, AuditedAdmin, auth_admin.GroupAdmin):
    list_display = ("name", "members")
    readonly_fields = ("members_named", "grants")

    def why_not(self, request: HttpRequest, obj: Group) -> str:
        return rights.of(request).over_group(obj)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(members_count=Count("user"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("name", "permissions")
        more = (("members_named", "auth.view_user"), ("grants", "catalog.view_accessgrant"))
        return ("name", "permissions", *(name for name, permission in more if may_view(request, permission)))

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name == "permissions":
            kwargs["queryset"] = rights.of(request).givable_permissions()
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    @admin.display(description="members", ordering="members_count")
    def members(self, group: Any) -> int:
        return group.members_count

    @admin.display(description="members")
    def members_named(self, group: Group) -> str:
        people = list(group.user_set.order_by("username")[: SHOWN + 1])
        if not people:
            return "none"
        told = format_html_join(
            ", ", '<a href="{}">{}</a>', ((reverse("admin:auth_user_change", args=(u.pk,)), u) for u in people[:SHOWN])
        )
        return format_html("{}{}", told, " and more" if len(people) > SHOWN else "")

    @admin.display(description="models granted to it")
    def grants(self, group: Group) -> str:
        return granted(group=group.pk)


_change_own_password = admin.site.password_change


def password_change(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """Django's page for one's own password, with a line in the audit log."""
    answer = _change_own_password(request, extra_context)
    if request.method == "POST" and answer.status_code == HttpResponseRedirect.status_code:
        audit(author_of(request), request.user, "changed", {"password": ["(kept secret)", "(kept secret)"]})
    return answer


admin.site.password_change = password_change  # type: ignore[assignment, method-assign]
admin.site.unregister([User, Group])
admin.site.register(User, UserAdmin)
admin.site.register(Group, GroupAdmin)
