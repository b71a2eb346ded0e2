"""Feature flags: waffle's admin, with the models that require each flag, audited."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from waffle import admin as waffle_admin
from waffle import get_waffle_flag_model
from waffle.models import Sample, Switch

from catalog import flags
from catalog.access import rights
from catalog.admin.audited import AuditedAdmin, BoundedAdmin, author_of
from catalog.editing.history import audit

# Any: waffle's stubs know the abstract class alone.
Flag: Any = get_waffle_flag_model()
# waffle's words are capitalised, and of a program's users.
Flag._meta.verbose_name, Flag._meta.verbose_name_plural = "flag", "flags"
HELP = {
    "name": "Models name it by this.",
    "note": "What it is for, to other staff.",
    "everyone": "Yes: everybody holds it, signed in or not. No: nobody does. Unknown: those below do.",
    "authenticated": "With a tick whoever is signed in holds it.",
    "staff": "With a tick staff hold it.",
    "superusers": "With a tick superusers hold it.",
    "groups": "The members of these groups hold it.",
}


# How many holders a page names.
SHOWN = 200


class FlagForm(ModelForm):
    """Holders are added and removed one by one: Django refuses a form of more than a thousand fields.

    `rights` are those of the person who edits: `RightsAdmin`.
    """

    rights: rights.Rights

    give_to = forms.ModelMultipleChoiceField(
        get_user_model()._default_manager.all(),
        required=False,
        label="Give it to",
        help_text="These users hold it too.",
    )
    take_from = forms.ModelMultipleChoiceField(
        get_user_model()._default_manager.all(), required=False, label="Take it from", help_text="Found by name."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("give_to", "take_from"):
            field: Any = self.fields[name]
            field.widget = AutocompleteSelectMultiple(Flag.users.field, admin.site)
            field.widget.choices = field.choices

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        # A name may mean something before there is a flag of it, as that of the experimental models does.
        if reason := self.rights.over_flag(name):
            raise ValidationError(reason)
        old = self.instance.name if self.instance.pk else name
        if name != old and flags.required_by(old).exists():
            raise ValidationError("Models require this flag, so it keeps its name. Make a new flag instead.")
        return name


class FlagAdmin(BoundedAdmin, AuditedAdmin, waffle_admin.FlagAdmin):
    form = FlagForm
    # The page of a deletion names the models that require the flag, for which it is refused.
    actions = ["enable_for_all", "disable_for_all"]
    list_display: Any = ("name", "note", "everyone", "superusers", "staff", "authenticated", "required_by")
    raw_id_fields = ()  # type: ignore[assignment]  # Its type is that of the base class's value.
    filter_horizontal = ("groups",)
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "note")}),
        ("Who holds it", {"fields": ("everyone", "authenticated", "staff", "superusers", "groups")}),
        ("Users who hold it by name", {"fields": ("holders", "give_to", "take_from")}),
    )
    readonly_fields = ("holders",)

    def why_not(self, request: HttpRequest, obj: Any) -> str:
        return rights.of(request).over_flag(obj.name)

    @admin.action(description="Enable selected flags for everyone", permissions=["change"])
    def enable_for_all(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._switch(request, queryset, True)

    @admin.action(description="Disable selected flags for everyone", permissions=["change"])
    def disable_for_all(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._switch(request, queryset, False)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Any], everyone: bool) -> None:
        changed = 0
        with transaction.atomic():
            for flag in queryset:
                if flag.everyone != everyone:
                    audit(author_of(request), flag, "changed", {"everyone": [flag.everyone, everyone]})
                    flag.everyone = everyone
                    flag.save()
                    changed += 1
        self.message_user(request, f"Flags switched {'on' if everyone else 'off'} for everyone: {changed}.")

    def formfield_for_dbfield(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        found = admin.ModelAdmin.formfield_for_dbfield(self, db_field, request, **kwargs)
        if found is not None and db_field.name in HELP:
            found.help_text = HELP[db_field.name]
        return found

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        form.instance.users.add(*form.cleaned_data["give_to"])
        form.instance.users.remove(*form.cleaned_data["take_from"])

    @admin.display(description="held by")
    def holders(self, flag: Any) -> str:
        if flag.pk is None:
            return "nobody yet"
        names = list(flag.users.order_by("username").values_list("username", flat=True)[: SHOWN + 1])
        if not names:
            return "nobody by name"
        count = flag.users.count() if len(names) > SHOWN else len(names)
        return f"{count}: {', '.join(names[:SHOWN])}{' and more' if count > SHOWN else ''}"

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
