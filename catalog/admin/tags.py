"""Tags in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from catalog.admin.audited import AuditedAdmin
from catalog.models import Tag
from catalog.validation.text import fold


class TagForm(ModelForm):
    class Meta:
        model = Tag
        fields = ("name",)

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        same = Tag.objects.filter(key=fold(name)).exclude(pk=self.instance.pk).first()
        if same:
            raise ValidationError(f"There is the tag {same.name} already; tags are compared without case.")
        return name


@admin.register(Tag)
class TagAdmin(AuditedAdmin):
    form = TagForm
    list_display = ("name", "used_by")
    search_fields = ("name", "key")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tag]:
        return super().get_queryset(request).annotate(models_count=Count("ai_models"))

    @admin.display(description="models", ordering="models_count")
    def used_by(self, tag: Any) -> int:
        return tag.models_count
