"""Custom models in the admin, with those whose base model is gone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from catalog.admin import bulk
from catalog.admin.audited import author_of
from catalog.admin.entries import AIModelAdmin
from catalog.admin.entry_form import OpenedForm
from catalog.admin.filters import BaseFilter, TagFilter, switch_filter
from catalog.editing import custom_models
from catalog.models import AIModel, CustomModel


class CustomModelForm(OpenedForm):
    class Meta:
        model = CustomModel
        fields = (
            "model_id", "name", "description", "active", "hidden", "owner", "base_model", "delegated", "params", "meta",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.kind = AIModel.Kind.CUSTOM


@admin.register(CustomModel)
class CustomModelAdmin(AIModelAdmin):
    kind = AIModel.Kind.CUSTOM
    facts = ("created_at", "updated_at")
    form = CustomModelForm
    bulk_actions = bulk.CUSTOM_ACTIONS
    list_display = ("model_id", "name", "owner", "base", "active", "hidden", "delegated", "tag_names", "updated_at")
    list_filter = (
        BaseFilter,
        switch_filter("active", "active"),
        switch_filter("hidden", "hidden"),
        switch_filter("delegated", "delegated"),
        TagFilter,
    )
    list_select_related = ("owner", "base_model")
    sortable_by = ("model_id", "name", "updated_at")
    autocomplete_fields = ("owner", "base_model")
    fieldsets = (
        (None, {"fields": ("model_id", "name", "description", "tags")}),
        ("Built upon", {"fields": ("base_model", "params", "meta")}),
        ("Who has it", {"fields": ("owner", "active", "hidden", "delegated"), "classes": ("with-grants",)}),
        ("Facts", {"fields": ("created_at", "updated_at")}),
    )

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        custom_models.remove(AIModel.objects.get(pk=obj.pk), author_of(request))

    @admin.display(description="built upon", ordering="base_model__model_id")
    def base(self, row: AIModel) -> str:
        if row.base_model is None:
            return "gone: nobody can use it"
        return row.base_model.model_id if row.base_model.is_available else f"{row.base_model} (not available)"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        gone = custom_models.baseless().count()
        return super().changelist_view(request, {"gone": gone, **(extra_context or {})})
