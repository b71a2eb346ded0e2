"""The grants of an entry or a custom model, beside it in its form."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import BaseInlineFormSet
from django.http import HttpRequest

from catalog import rights
from catalog.models import AccessGrant


class GrantFormSet(BaseInlineFormSet):
    """`rights` are those of the person who edits; the inline sets them for each request."""

    rights: rights.Rights

    def clean(self) -> None:
        super().clean()
        given = any(form.has_changed() for form in self.forms if form not in self.deleted_forms)
        if given and self.instance.pk is not None and not self.rights.sees(self.instance):
            raise ValidationError("You do not see this model yourself, so you cannot let others see or change it.")


class GrantInline(admin.TabularInline):
    model = AccessGrant
    formset = GrantFormSet
    extra = 0
    fields = ("principal_type", "user", "group", "permission")
    autocomplete_fields = ("user", "group")
    verbose_name_plural = "Grants: who sees it, where it is only for those granted"

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset: Any = super().get_formset(request, obj, **kwargs)
        # A class of its own for each request.
        formset.rights = rights.of(request)
        return formset
