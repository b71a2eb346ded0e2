"""Users and groups: Django's admin, with what they see, and audited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from catalog.admin import viewing
from catalog.admin.audited import AuditedAdmin
from catalog.models import AccessGrant

User = get_user_model()

# How many grants a page names.
SHOWN = 200


def granted(row: Any, **principal: Any) -> str:
    grants = AccessGrant.objects.filter(**principal).select_related("model").order_by("model__model_id")
    named = list(grants[: SHOWN + 1])
    if not named:
        return "none"
    told = format_html_join(
        "",
        '<li><a href="{}">{}</a> ({})</li>',
        (
            (
                reverse(
                    f"admin:catalog_{'aimodel' if g.model.kind == 'catalog' else 'custommodel'}_change",
                    args=(g.model.pk,),
                ),
                g.model.model_id,
                g.get_permission_display(),
            )
            for g in named[:SHOWN]
        ),
    )
    more = format_html("<li>and more</li>") if len(named) > SHOWN else ""
    return format_html('<ul class="granted">{}{}</ul>', told, more)


class UserAdmin(AuditedAdmin, auth_admin.UserAdmin):
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "last_login")
    readonly_fields = ("last_login", "date_joined", "sees", "grants")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj is None else (*fieldsets, ("Models", {"fields": ("sees", "grants")}))

    @admin.display(description="what they see")
    def sees(self, user: Any) -> str:
        return format_html('<a href="{}">View as {}</a>', viewing.address("user", user.pk), user.get_username())

    @admin.display(description="granted to them alone")
    def grants(self, user: Any) -> str:
        return granted(user, user=user.pk)


class GroupAdmin(AuditedAdmin, auth_admin.GroupAdmin):
    list_display = ("name", "members")
    readonly_fields = ("members_named", "grants")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(members_count=Count("user"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("name", "permissions") if obj is None else ("name", "permissions", "members_named", "grants")

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
        return granted(group, group=group.pk)


admin.site.unregister([User, Group])
admin.site.register(User, UserAdmin)
admin.site.register(Group, GroupAdmin)
