"""Keys in the admin. No secret and no hash is shown but the one that was just made, once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html

from apikeys import exports
from apikeys import keys as issuing
from apikeys.authentication import caller_of_key
from apikeys.key_form import VALUES, ApiKeyForm, Lines
from apikeys.models import ApiKey, ExportToken
from apikeys.policy import MAX_PATTERNS, KeyPolicy
from apikeys.policy_preview import told
from catalog.access import rights
from catalog.access.callers import Caller, caller_of
from catalog.admin import previews, view_as
from catalog.admin.audited import BoundedAdmin, author_of
from catalog.admin.decisions import NAMED, Decision, asked
from catalog.admin.once import MadeOnce
from catalog.models import AIModel
from config.api.origin import origin


def _subject(key_id: str) -> view_as.Subject | None:
    """A key as one who looks."""
    key = ApiKey.objects.filter(key_id=key_id[:64]).select_related("user", "group", "made_with").first()
    if key is None:
        return None

    def caller() -> Caller:
        return caller_of_key(key.key_id) or caller_of(None)

    reason = key.why_not(timezone.now())
    refused = f"This key is refused everywhere: {reason.label}." if reason else ""
    return view_as.Subject(f"key {key} of {key.owner}", caller(), caller, refused, key.user)


def _its_policy(request: HttpRequest, subject: view_as.Subject, model: AIModel) -> Iterable[view_as.Mend]:
    key = ApiKey.objects.filter(key_id=request.GET.get("key", "")[:64]).first()
    if key is not None and request.user.has_perm("apikeys.change_apikey"):
        yield view_as.Mend("Change the key's policy", reverse("admin:apikeys_apikey_change", args=[key.pk]))


view_as.subjects["key"] = _subject
view_as.permissions["key"] = "apikeys.view_apikey"
view_as.mends["key_policy"].append(_its_policy)


def actor_of(request: HttpRequest) -> issuing.Actor:
    held = rights.of(request)
    sight = None if held.is_superuser else held.sight
    return issuing.Actor(author_of(request), sight, is_staff=True, rights=held)


def _chosen(request: HttpRequest, field: str) -> Any:
    """The owner that the form names in this field, if there is one."""
    number = request.POST.get(field, "")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    model: Any = ApiKey._meta.get_field(field).related_model
    return model._default_manager.filter(pk=int(number)).first()


class RevokedFilter(admin.SimpleListFilter):
    title = "revoked"
    parameter_name = "revoked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "No"), ("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        if self.value() in ("no", "yes"):
            return queryset.filter(revoked_at__isnull=self.value() == "no")
        return queryset


class ExpiryFilter(admin.SimpleListFilter):
    title = "expiry"
    parameter_name = "expires"

    @staticmethod
    def within_a_week() -> Q:
        now = timezone.now()
        return Q(is_active=True, revoked_at=None, expires_at__range=(now, now + timedelta(days=7)))

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("week", "within a week"), ("past", "expired"), ("never", "never")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        conditions = {
            "week": self.within_a_week(),
            "past": Q(expires_at__lte=timezone.now()),
            "never": Q(expires_at=None),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


def _to_decide(user: Any) -> Iterable[Decision]:
    if not user.has_perm("apikeys.view_apikey"):
        return
    soon = ApiKey.objects.filter(ExpiryFilter.within_a_week())
    if number := soon.count():
        first = soon.select_related("user", "group").order_by("expires_at", "pk")[:NAMED]
        yield Decision(
            50,
            number,
            f"key{' expires' if number == 1 else 's expire'} within a week",
            tuple(f"{key.name} of {key.owner}, {key.expires_at:%Y-%m-%d %H:%M}" for key in first),
            "See these keys",
            f"{reverse('admin:apikeys_apikey_changelist')}?{ExpiryFilter.parameter_name}=week",
        )


asked.append(_to_decide)


class CredentialAdmin(BoundedAdmin, MadeOnce):
    """What the admins of keys and of export tokens share: who acts, and that a secret is shown once."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        # A class of its own for each request.
        form.actor = actor_of(request)
        return form

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """The page with the secret is the answer itself: it is stored nowhere, in no message, session or cookie.

        Loading that page again sends the form again, which then makes nothing and leads to the row's own page.
        """
        context = {
            **self.admin_site.each_context(request),
            "title": f"The new {self.opts.verbose_name}",
            "opts": self.opts,
            "made": obj,
            "origin": origin(request),
            "token": request.issued.token,  # type: ignore[attr-defined]
        }
        response = TemplateResponse(request, f"admin/apikeys/{self.opts.model_name}/created.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.delete_model(request, row)


@admin.register(ApiKey)
class ApiKeyAdmin(CredentialAdmin):
    form = ApiKeyForm
    list_display = (
        "name", "owner", "hint", "state", "reach", "per_minute", "per_day", "expires_at", "last_used_at",
    )  # fmt: skip
    list_filter = ("is_active", RevokedFilter, ExpiryFilter, "mode", "switched_off_by_staff")
    list_select_related = ("user", "group", "made_with")
    search_fields = ("name", "key_id", "user__username", "user__email", "group__name")
    autocomplete_fields = ("user", "group")
    date_hierarchy = "created_at"
    actions = ("switch_off", "switch_on", "revoke")
    fieldsets = (
        ("Whose: a user's or a group's", {"fields": ("user", "group")}),
        ("What for, and how long", {"fields": ("name", "is_active", "expires_at")}),
        ("Which models", {"fields": ("mode", "patterns", "no_models")}),
        ("What else, and how often", {"fields": ("scopes", "per_minute", "per_day")}),
    )
    facts = (
        "sees", "key_id", "hint", "made_with", "created_by", "created_at", "last_used_at", "switched_off_by_staff",
        "previous_until", "revoked_at", "its_exports",
    )  # fmt: skip

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return self.fieldsets
        whose = ("Whose", {"fields": ("user" if obj.group_id is None else "group",)})
        return (whose, *self.fieldsets[1:], ("Facts", {"fields": self.facts}))

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return () if obj is None else ("user", "group", *self.facts)

    def why_not(self, request: HttpRequest, obj: ApiKey) -> str:
        return rights.of(request).over_user(obj.owner)

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """A revoked key is history."""
        return (obj is None or obj.revoked_at is None) and super().has_change_permission(request, obj)

    @admin.display(description="owner", ordering="user__username")
    def owner(self, key: ApiKey) -> str:
        return str(key.owner)

    @admin.display(description="state", ordering="is_active")
    def state(self, key: ApiKey) -> str:
        return str(key.why_not(timezone.now()) or "on")

    @admin.display(description="models", ordering="mode")
    def reach(self, key: ApiKey) -> str:
        words = {"all": "all", "allow_list": "only {} listed", "deny_list": "all but {} listed"}
        policy = KeyPolicy.of(key)
        return words.get(policy.mode, "none").format(len(policy.patterns))

    @admin.display(description="what it sees")
    def sees(self, key: ApiKey) -> str:
        return format_html('<a href="{}">View as this key</a>', view_as.address("key", key.key_id))

    @admin.display(description="exports")
    def its_exports(self, key: ApiKey) -> str:
        names = ", ".join(map(str, key.exports.filter(revoked_at=None)))
        address = reverse("admin:apikeys_exporttoken_changelist")
        return format_html(
            '{}<a href="{}?key__id__exact={}">All of them</a> · <a href="{}add/?key={}">Make one</a>',
            f"{names}. " if names else "", address, key.pk, address, key.pk,
        )  # fmt: skip

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in VALUES}
        if change:
            issuing.change(obj, values, lambda present: form.policy, form.actor)
        else:
            issued = issuing.create(form.instance.owner, values, form.policy, form.actor)
            obj.pk = issued.key.pk
            request.issued = issued  # type: ignore[attr-defined]
        obj.refresh_from_db()

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.matches_view)
        return [
            path("matches", view, name="apikeys_apikey_matches"),
            path("<int:pk>/matches", view, name="apikeys_apikey_matches"),
            *super().get_urls(),
        ]

    def matches_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """What the policy in the form comes to, in words: for the script beside the patterns."""
        if not (self.has_change_permission(request) if pk else self.has_add_permission(request)):
            raise PermissionDenied
        key = ApiKey.objects.select_related("user", "group").filter(pk=pk).first() if pk else None
        if key is None:
            key = ApiKey(user=_chosen(request, "user"), group=_chosen(request, "group"))
        owner = key.owner
        if owner is None:
            return JsonResponse({"told": "Choose the user or the group to see what the policy comes to."})
        asking = rights.of(request)
        if refused := asking.to_ask_about(owner):
            return JsonResponse({"told": refused})
        patterns = Lines().to_python(request.POST.get("patterns", ""))[:MAX_PATTERNS]
        return JsonResponse({"told": told(owner, request.POST.get("mode", ""), patterns, asking)})

    def delete_model(self, request: HttpRequest, obj: ApiKey) -> None:
        issuing.erase(obj, actor_of(request))

    @admin.action(description="Switch off (their owners cannot switch them on)", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        self._switch(request, queryset, False)

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        self._switch(request, queryset, True)

    def _switch(self, request: HttpRequest, queryset: QuerySet[ApiKey], is_active: bool) -> None:
        changed = 0
        for key in queryset.unrevoked():  # type: ignore[attr-defined]
            try:
                issuing.change(
                    key, {"is_active": is_active, "by_staff": True}, lambda present: present, actor_of(request)
                )
                changed += 1
            except issuing.Refused as refusal:
                self.message_user(request, f"{key}: {refusal}", messages.WARNING)
            except ValidationError as refusal:
                self.message_user(request, f"{key}: {' '.join(refusal.messages)}", messages.WARNING)
        self.message_user(request, f"Keys switched {'on' if is_active else 'off'}: {changed}.")

    @admin.action(description="Revoke for ever…", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        keys = list(queryset.unrevoked().select_related("user", "group"))  # type: ignore[attr-defined]
        made_with = list(ApiKey.objects.unrevoked().filter(made_with__in=keys).exclude(pk__in=[k.pk for k in keys]))
        shown = ("revoke", sorted(key.pk for key in [*keys, *made_with]))
        if "confirmed" in request.POST:
            if previews.holds(request, *shown):
                revoked = sum(issuing.revoke(key, actor_of(request)) for key in keys)
                self.message_user(request, f"Keys revoked: {revoked}.")
                return None
            self.message_user(request, previews.CHANGED, messages.WARNING)
        context = {
            **self.admin_site.each_context(request),
            "title": "Revoke these keys?",
            "opts": self.opts,
            "keys": keys,
            "made_with": made_with,
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "seal": previews.seal(request, *shown),
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/apikeys/apikey/revoke.html", context)


class ExportTokenForm(forms.ModelForm):
    """`actor` is set by the admin, for each request."""

    actor: issuing.Actor

    class Meta:
        model = ExportToken
        fields = ["key", "name"]
        help_texts = {"key": "Whoever has the token reads what this key sees.", "name": "Which tool it is for."}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "key" in data:
            try:
                exports.check(data["key"], self.actor)
            except issuing.Refused as refusal:
                self.add_error("key", str(refusal))
            except ValidationError as error:
                self.add_error(None, error)
        return data


@admin.register(ExportToken)
class ExportTokenAdmin(CredentialAdmin):
    """Tokens are made and revoked, and never changed."""

    form = ExportTokenForm
    list_display = ("name", "key", "hint", "created_at", "last_used_at", "revoked_at")
    list_filter = (RevokedFilter,)
    list_select_related = ("key__user", "key__group")
    search_fields = ("name", "export_id", "key__name", "key__key_id", "key__user__username", "key__group__name")
    autocomplete_fields = ("key",)
    actions = ("revoke",)
    facts = ("key", "name", "export_id", "hint", "created_by", "created_at", "last_used_at", "revoked_at")

    def why_not(self, request: HttpRequest, obj: ExportToken) -> str:
        return rights.of(request).over_user(obj.key.owner)

    def get_fields(self, request: HttpRequest, obj: ExportToken | None = None) -> Any:
        return ("key", "name") if obj is None else self.facts

    def get_readonly_fields(self, request: HttpRequest, obj: ExportToken | None = None) -> Any:
        return () if obj is None else self.facts

    def save_model(self, request: HttpRequest, obj: ExportToken, form: Any, change: bool) -> None:
        if change:
            return
        issued = exports.create(form.cleaned_data["key"], form.cleaned_data["name"], form.actor)
        obj.pk = issued.export.pk
        obj.refresh_from_db()
        request.issued = issued  # type: ignore[attr-defined]

    def delete_model(self, request: HttpRequest, obj: ExportToken) -> None:
        exports.erase(obj, actor_of(request))

    @admin.action(description="Revoke for ever", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ExportToken]) -> None:
        revoked = sum(exports.revoke(export, actor_of(request)) for export in queryset.select_related("key"))
        self.message_user(request, f"Export tokens revoked: {revoked}.")
