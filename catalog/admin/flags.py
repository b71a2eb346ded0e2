"""Feature flags: waffle's admin, told which models require each, and audited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest
from waffle import admin as waffle_admin
from waffle import get_waffle_flag_model
from waffle.models import Sample, Switch

from catalog import flags
from catalog.admin.audited import AuditedAdmin

Flag = get_waffle_flag_model()


class FlagForm(ModelForm):
    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        old = self.instance.name if self.instance.pk else name
        if name != old and flags.required_by(old).exists():
            raise ValidationError("Models require this flag, so it keeps its name. Make a new flag instead.")
        return name


class FlagAdmin(AuditedAdmin, waffle_admin.FlagAdmin):
    form = FlagForm
    # Deletion asks first, and names the models that stand in its way.
    actions = [waffle_admin.enable_for_all, waffle_admin.disable_for_all]
    list_display: Any = ("name", "note", "everyone", "superusers", "staff", "authenticated", "required_by")
    raw_id_fields = ()  # type: ignore[assignment]  # Typed by what the base class holds.
    autocomplete_fields = ("users",)
    filter_horizontal = ("groups",)
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "note")}),
        ("Who holds it", {"fields": ("everyone", "authenticated", "staff", "superusers", "groups", "users")}),
    )

    def formfield_for_dbfield(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        return admin.ModelAdmin.formfield_for_dbfield(self, db_field, request, **kwargs)

    @admin.display(description="required by models")
    def required_by(self, flag: Any) -> int:
        return flag.required_count

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(required_count=flags.count_of_requirements())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        deleted, count, needed, protected = super().get_deleted_objects(objs, request)
        for flag in objs:
            protected += [f"AI model: {model}" for model in flags.required_by(flag.name)[:20]]
        return deleted, count, needed, protected


admin.site.unregister(Flag)
admin.site.register(Flag, FlagAdmin)
# Nothing here asks them.
admin.site.unregister([Switch, Sample])
