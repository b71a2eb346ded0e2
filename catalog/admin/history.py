"""The history of fields and the audit log, read only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from catalog.access import rights
from catalog.admin.entries import address_of
from catalog.admin.filters import MenuFilter
from catalog.admin.log import OF_THE_REST
from catalog.fields import DECIDED_FIELDS, SYNCED_FIELDS
from catalog.formatting import before_and_after, change, label, said
from catalog.models import AuditEntry, FieldChange
from catalog.models.history import PAST, REASON

_FIELDS = (*SYNCED_FIELDS, *DECIDED_FIELDS, "is_available", "pricing", "tags", "grants", "created", "deleted", REASON)


class FieldFilter(MenuFilter):
    title = "field"
    parameter_name = "field"
    options = sorted(((name, label(name)) for name in _FIELDS), key=lambda pair: pair[1])


class KindFilter(MenuFilter):
    title = "kind"
    parameter_name = "subject_type"
    options = [*OF_THE_REST.items()]


class ActFilter(MenuFilter):
    title = "what was done"
    parameter_name = "done"
    options = [(word, word) for word in sorted(set(PAST.values()))]

    def condition(self, value: str) -> Q:
        return Q(action__in=[action for action, word in PAST.items() if word == value])


class ReadOnlyAdmin(admin.ModelAdmin):
    show_full_result_count = False
    actions = None

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(FieldChange)
class FieldChangeAdmin(ReadOnlyAdmin):
    list_display = ("changed_at", "of", "field_shown", "old_shown", "new_shown", "by")
    list_display_links = ("changed_at",)
    list_filter = ("source", "changed_at", FieldFilter)
    search_fields = ("subject", "actor", "=run_id")
    search_help_text = "Search by model id, who, or the number of a run."
    list_select_related = ("model", "user")
    date_hierarchy = None
    fields = (
        "subject_link", "offered_by", "field_shown", "old_shown", "new_shown", "changed_at", "source", "actor", "user",
        "run_id",
    )  # fmt: skip
    readonly_fields = ("subject_link", "field_shown", "old_shown", "new_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[FieldChange]:
        return rights.of(request).to_read_past(super().get_queryset(request))

    @admin.display(description="model", ordering="subject")
    def of(self, row: FieldChange) -> str:
        if not row.offered_by:
            return row.subject
        return format_html('{} <small class="name">as offered by {}</small>', row.subject, row.offered_by)

    @admin.display(description="by", ordering="source")
    def by(self, row: FieldChange) -> str:
        return row.actor or f"{row.get_source_display()}{f', run {row.run_id}' if row.run_id else ''}"

    @admin.display(description="field", ordering="field")
    def field_shown(self, row: FieldChange) -> str:
        return label(row.field)

    @admin.display(description="before")
    def old_shown(self, row: FieldChange) -> str:
        return before_and_after(row.field, row.old, row.new)[0]

    @admin.display(description="after")
    def new_shown(self, row: FieldChange) -> str:
        return before_and_after(row.field, row.old, row.new)[1]

    @admin.display(description="model")
    def subject_link(self, row: FieldChange) -> str:
        if row.model is None:
            return row.subject
        return format_html('<a href="{}">{}</a>', address_of(row.model), row.subject)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "done", "subject", "changes_shown")
    list_filter = (KindFilter, ActFilter, "at")
    search_fields = ("subject", "subject_id", "actor")
    fields = ("at", "actor", "user", "done", "subject", "subject_id", "changes_shown")
    readonly_fields = ("done", "changes_shown")
    list_select_related = ("user",)

    @admin.display(description="changes")
    def changes_shown(self, row: AuditEntry) -> str:
        parts = []
        for name, pair in row.changes.items():
            old, new = pair if isinstance(pair, list) and len(pair) == 2 else (None, pair)
            if row.action != "create":
                parts.append(change(name, old, new))
            elif new is not None:  # There was nothing before it, and nothing is no news.
                parts.append(f"{label(name)}: {said(name, new)}")
        text = "; ".join(parts)
        return text if len(text) <= 2000 else f"{text[:2000]}…"
