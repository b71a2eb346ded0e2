"""Grants in the admin: who may read or write a model, on a list with search and pages, however many there are."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from catalog.access import rights
from catalog.admin import bulk, edit
from catalog.admin.audited import RightsAdmin, author_of
from catalog.admin.narrowing import AsksBeforeNarrowing
from catalog.admin.once import MadeOnce
from catalog.editing import grants
from catalog.models import AccessGrant, AIModel

# The parameter of the list that names the model whose grants it shows.
OF_MODEL = "model__id__exact"
# How many grants an entry's own page names.
NAMED = 20


def address(model: AIModel) -> str:
    """The address of the list of a model's grants."""
    return f"{reverse('admin:catalog_accessgrant_changelist')}?{OF_MODEL}={model.pk}"


def summary(request: HttpRequest, model: AIModel) -> dict[str, Any]:
    """What the page of a model shows of its grants: their number, and the first of them."""
    if not request.user.has_perm("catalog.view_accessgrant"):
        return {}
    rows = AccessGrant.objects.filter(model=model).select_related("user", "group").order_by("pk")
    named = list(rows[: NAMED + 1])
    return {
        "grants": named[:NAMED],
        "grants_count": rows.count() if len(named) > NAMED else len(named),
        "grants_address": address(model),
        "may_grant": request.user.has_perm("catalog.add_accessgrant"),
    }


def _model_in(query: str) -> AIModel | None:
    key = dict(parse_qsl(query)).get(OF_MODEL, "")
    return AIModel.objects.filter(pk=int(key)).first() if key.isascii() and key.isdigit() and len(key) < 19 else None


class GrantForm(forms.ModelForm):
    """`rights` are those of the person who edits: `RightsAdmin`."""

    rights: rights.Rights
    model = forms.ModelChoiceField(
        AIModel.objects.all(),
        to_field_name="model_id",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        label="Model",
        help_text="Its id. A model that was open to all is then only for those granted.",
        error_messages={"invalid_choice": "There is no model with this id."},
    )

    class Meta:
        model = AccessGrant
        fields = ("model", "principal_type", "user", "group", "permission")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        model = self.instance.model if self.instance.pk is not None else data.get("model")
        if model is not None and not self.rights.sees(model):
            raise forms.ValidationError(
                "You do not see this model yourself, so you cannot let others see or change it."
            )
        if model is not None and data.get("permission") == AccessGrant.Permission.WRITE:
            reason = self.rights.to_give_write(AIModel.objects.filter(pk=model.pk))
            if reason:
                self.add_error("permission", reason)
        whom = {name: data.get(name) for name in ("model", "principal_type", "user", "group")}
        if self.instance.pk is None and whom["model"] and (there := AccessGrant.objects.filter(**whom).first()):
            raise forms.ValidationError(
                f"There is this grant already; it permits to {there.get_permission_display()}.", code="twice"
            )
        return data


@admin.register(AccessGrant)
class AccessGrantAdmin(MadeOnce, AsksBeforeNarrowing, RightsAdmin, bulk.BulkActions):
    form = GrantForm
    bulk_actions = bulk.GRANT_ACTIONS
    change_list_template = "admin/catalog/accessgrant/change_list.html"
    list_display = ("who", "principal_type", "permission", "model")
    list_filter = ("principal_type", "permission")
    list_select_related = ("model", "user", "group")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("user__username", "user__email", "group__name", "model__model_id")
    autocomplete_fields = ("user", "group")
    sortable_by = ("principal_type", "permission", "model")
    fields = ("model", "principal_type", "user", "group", "permission")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessGrant]:
        rows = super().get_queryset(request)
        return rows.defer(*(f"model__{name}" for name in ("search_text", "facets", "upstream", "extras")))

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        # The title of one model's list names the model already.
        return self.list_display[:-1] if OF_MODEL in request.GET else self.list_display

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("model", "principal_type", "user", "group")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        of = _model_in(request.GET.urlencode())
        context: dict[str, Any] = {"of": of, "title": f"Grants of {of}"} if of else {}
        if of and of.kind == AIModel.Kind.CATALOG and not of.restricted:
            context["subtitle"] = "Everybody sees it now; its first grant leaves it to those granted."
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The model from whose list the form was opened."""
        of = _model_in(request.GET.get("_changelist_filters", ""))
        return {**super().get_changeform_initial_data(request), **({"model": of} if of else {})}

    def save_model(self, request: HttpRequest, obj: AccessGrant, form: Any, change: bool) -> None:
        if change:
            grants.permit(AccessGrant.objects.filter(pk=obj.pk), obj.permission, author_of(request))
        else:
            edit.of(request).look([obj.model_id])
            grants.give(obj, author_of(request))

    def response_add(self, request: HttpRequest, obj: AccessGrant, post_url_continue: str | None = None) -> Any:
        title = f"Who would lose sight of {obj.model}"
        return self.ask(request, title, ["grants"]) or super().response_add(request, obj, post_url_continue)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Shows who would lose sight first, as the action on many does."""
        grant = self.get_object(request, object_id)
        if not self.has_delete_permission(request, grant):
            raise PermissionDenied
        if grant is not None:
            answer = bulk.ask(self, request, {grant.pk: grant.model_id}, bulk.GRANT_ACTIONS[0])
            return answer or HttpResponseRedirect(address(grant.model))
        return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
