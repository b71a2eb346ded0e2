"""The default models of the site and of groups."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from catalog.admin import view_as
from catalog.admin.audited import AuditedAdmin
from catalog.admin.users import GroupAdmin
from catalog.api.rendering import catalog_lists, cli_rows
from preferences import defaults
from preferences.models import DefaultModel

view_as.dialects["/api/models"] = lambda view: catalog_lists(view, defaults.resolve(view).pk)
view_as.dialects["/api/models?format=cli"] = lambda view: cli_rows(view, defaults.resolve(view).pk)


class DefaultModelInline(admin.StackedInline):
    model = DefaultModel
    autocomplete_fields = ("model",)
    extra = 0


GroupAdmin.inlines = (*GroupAdmin.inlines, DefaultModelInline)


@admin.register(DefaultModel)
class DefaultModelAdmin(AuditedAdmin):
    list_display = ("of", "model", "rank", "is_usable_by_default")
    list_select_related = ("group", "model")
    autocomplete_fields = ("model",)
    search_fields = ("group__name", "model__model_id")
    fields = ("group", "model", "rank")

    @admin.display(description="default of", ordering="group__name")
    def of(self, row: DefaultModel) -> str:
        return str(row.group) if row.group else "the site"

    @admin.display(description="in force", boolean=True)
    def is_usable_by_default(self, row: DefaultModel) -> bool:
        """Whether the model can be used at all; who may not see it falls through to the next default."""
        return row.model.active and not row.model.hidden and row.model.is_available

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "group" and field is not None:
            field.empty_label = "(the site)"
        return field
