"""Catalog entries in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import DateField, DateTimeField, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html

from catalog import extensions
from catalog.access import audience, rights
from catalog.admin import bulk, edit, grants, inputs, previews, view_as
from catalog.admin.audited import RightsAdmin, author_of
from catalog.admin.entry_form import RELEASE, EntryForm, OpenedForm, formfield_for, provenance
from catalog.admin.filters import ENTRY_FILTERS
from catalog.admin.narrowing import AsksBeforeNarrowing
from catalog.admin.once import MadeOnce
from catalog.admin.sources import beside
from catalog.editing import entries as changes
from catalog.editing.history import to_json
from catalog.fields import SYNCED_FIELDS
from catalog.formatting import change, describe, label, said
from catalog.models import AIModel, FieldChange
from catalog.pricing import Tariff, in_and_out, in_words
from catalog.validation.text import fold
from catalog.validation.variants import variant_of


class AIModelAdmin(MadeOnce, AsksBeforeNarrowing, RightsAdmin, bulk.BulkActions):
    """What the admins of catalog entries and custom models share. Every change goes through catalog/editing."""

    kind = AIModel.Kind.CATALOG
    # Read-only fields, besides the id of a model that is there.
    facts: tuple[str, ...] = ()
    change_form_template = "admin/catalog/aimodel/change_form.html"
    change_list_template = "admin/catalog/aimodel/change_list.html"
    search_fields = ("model_id", "name", "family")
    list_max_show_all = 500
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    save_on_top = True
    formfield_overrides = {
        DateField: {"form_class": inputs.Day},
        DateTimeField: {"form_class": inputs.Moment},
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[AIModel]:
        return super().get_queryset(request).filter(kind=self.kind).prefetch_related("tags")

    # The list.

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """Finds rows with every word of the term in id, name or family, without regard to case and accents."""
        for word in fold(search_term).split():
            queryset = queryset.filter(search_text__contains=word)
        return queryset, False

    @admin.display(description="$ per million, in / out", ordering="prompt_price")
    def prices(self, row: AIModel) -> str:
        return in_and_out(Tariff(row.pricing).by_token)

    @admin.display(description="context", ordering="context_length")
    def context(self, row: AIModel) -> str:
        return "" if row.context_length is None else f"{row.context_length:,}"

    @admin.display(description="tags")
    def tag_names(self, row: AIModel) -> str:
        return ", ".join(tag.name for tag in row.tags.all())

    # One model.

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        if request.method != "POST" or not transaction.get_connection().in_atomic_block:
            return super().get_object(request, object_id, from_field)
        # Read once, and locked: what the form is compared with is what is stored until the edit is written.
        field: Any = self.opts.pk if from_field is None else self.opts.get_field(from_field)
        try:
            key = field.to_python(object_id)
            found = self.get_queryset(request).select_for_update(no_key=True).get(**{field.name: key})
        except (self.model.DoesNotExist, ValidationError, ValueError):
            return None
        edit.of(request).stored = changes.copy_of(found)
        return found

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        formfield = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.model._meta.concrete_model is not AIModel or formfield is None:
            return formfield
        return formfield_for(db_field, formfield)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.facts if obj is None else ("model_id", *self.facts)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        row = context.get("original")
        if row is not None:
            context["provenance"] = {name: provenance(row, name) for name in SYNCED_FIELDS}
            context["can_release"] = self.has_change_permission(request, row)
            context["can_view_as"] = request.user.has_perm("catalog.view_as")
            context["variant"] = variant_of(row.model_id)
            if row.kind == AIModel.Kind.CATALOG and (found := beside(row, request.user)) is not None:
                context |= found
            context["release_seal"] = previews.seal(request, *_pins(row))
            context |= grants.summary(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: AIModel, form: OpenedForm, change: bool) -> None:
        author = author_of(request)
        values = {name: value for name, value in form.changes.items() if name != "tags"}
        if not change:
            made = changes.create({"kind": self.kind} | values, author, tags=form.changes.get("tags", ()))
            obj.pk, obj._state.adding = made.pk, False
            return
        this = edit.of(request)
        assert this.stored is not None  # noqa: S101 - for the type checker
        if RELEASE in request.POST:
            self._release(request, this.stored, request.POST[RELEASE])
            return
        if set(audience.SIGHT_FIELDS) & set(form.changes):
            this.look([obj.pk])
        this.written = changes.edit_locked(this.stored, values, author, tags=form.changes.get("tags"))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_change(request, obj, message) if edit.of(request).written else None

    def response_change(self, request: HttpRequest, obj: AIModel) -> HttpResponse:
        if RELEASE in request.POST:
            # The place where the button was; what was not released is told on top.
            name, row = request.POST[RELEASE], edit.of(request).stored
            place = f"#from-{name}" if name in SYNCED_FIELDS and row and name not in row.pinned_fields else ""
            return HttpResponseRedirect(f"{request.get_full_path()}{place}")
        written = edit.of(request).written or []
        title = f"Who would lose sight of {obj.model_id}"
        if answer := self.ask(request, title, [label(name) for name in written]):
            return answer
        return super().response_change(request, obj)

    def message_user(self, request: HttpRequest, message: Any, *args: Any, **kwargs: Any) -> None:
        # Django's own words say that the row was changed.
        if edit.of(request).written == []:
            message = "Nothing was changed, so nothing was written."
        super().message_user(request, message, *args, **kwargs)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        others = [
            f"{change(row.field, row.old, row.new, 80)} ({row.actor or row.source})"
            for row in form.overtaken.values()
            if row.field in form.fields or row.field == "grants"
        ]
        if others:
            super().message_user(
                request, f"Changed by others after you opened the form: {'; '.join(others)}.", messages.WARNING
            )
        return super().construct_change_message(request, form, formsets, add)

    def _release(self, request: HttpRequest, row: AIModel, field: str) -> None:
        """Releases one pinned field, or with "*" the whole entry. The form itself has no change."""
        if not previews.holds(request, *_pins(row)):
            self.message_user(request, previews.CHANGED, messages.WARNING)
            return
        names = row.pinned_fields if field == "*" else [field]
        if "alias_of" in names and not rights.of(request).sees(row):
            text = "You do not see this model yourself, so you do not decide who does: its pin of “alias of” stays."
            self.message_user(request, text, messages.ERROR)
            return
        try:
            released = changes.release_locked(row, None if field == "*" else [field], author_of(request))
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
        else:
            taken = (f"{label(name)} (now {said(name, to_json(getattr(row, name)), 80)})" for name in released)
            names = ", ".join(taken) or "the entry"
            self.message_user(request, f"Handed back to sync: {names}.", messages.SUCCESS)

    # Pages of its own.

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("<path:object_id>/access/", self.admin_site.admin_view(self.access_view), name=f"{name}_access"),
            *super().get_urls(),
        ]

    def _gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        # Django's own answer for a row that is not there; its stubs do not know it.
        return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]

    def access_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page of who sees this model now."""
        row = self.get_object(request, object_id)
        if not (self.has_view_or_change_permission(request, row) and request.user.has_perm("catalog.view_as")):
            raise PermissionDenied
        if row is None:
            return self._gone(request, object_id)
        seen = audience.of([row.pk])
        people = [(user, seen.people.names[user], row.pk in models) for user, models in seen.seen.items()]
        context = {
            **self.admin_site.each_context(request),
            "title": f"Who sees {row.model_id}",
            "opts": self.opts,
            "original": row,
            "seeing": sorted((name, user) for user, name, sees in people if sees),
            "others": sorted((name, user) for user, name, sees in people if not sees),
            "is_whole": seen.is_whole,
        }
        return TemplateResponse(request, "admin/catalog/aimodel/access.html", context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            return self._gone(request, object_id)
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        field = request.GET.get("field", "")[:64]
        entries = FieldChange.objects.filter(model=row).order_by("-pk")
        page: Any = Paginator(entries.filter(field=field) if field else entries, 50).get_page(request.GET.get("p"))
        describe(page)
        for entry in page:
            entry.run_url = extensions.address_of_run(entry.run_id) if entry.run_id else ""
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {row.model_id}",
            "opts": self.opts,
            "object": row,
            "original": row,
            "page": page,
            "field": field,
            "field_label": label(field),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/catalog/aimodel/history.html", context)


def address_of(model: AIModel) -> str:
    """The address of the page of an entry or a custom model."""
    kind = "aimodel" if model.kind == AIModel.Kind.CATALOG else "custommodel"
    return reverse(f"admin:catalog_{kind}_change", args=[model.pk])


def _pins(row: AIModel) -> tuple[Any, ...]:
    """What the page of an entry shows of its pins, for the seal of what releasing them would do."""
    sides = [(name, to_json(getattr(row, name)), row.upstream.get(name)) for name in sorted(row.pinned_fields)]
    return "release", row.pk, sides, row.manually_updated, row.frozen


@admin.register(AIModel)
class CatalogEntryAdmin(AIModelAdmin):
    form = EntryForm
    bulk_actions = bulk.ENTRY_ACTIONS
    list_display = (
        "entry", "switches", "prices", "context", "input_words", "offers", "tag_names", "pins", "status",
    )  # fmt: skip
    list_filter = ENTRY_FILTERS
    sortable_by = ("entry", "prices", "context", "switches")
    fieldsets = (
        (None, {"fields": ("model_id", "name", "tags")}),
        (
            "Who may use it",
            {
                "fields": ("active", "hidden", "requires_feature_flag", "experimental", "restricted"),
                "classes": ("with-grants",),
                "description": "Only people set these, and those of the next section; no sync writes them.",
            },
        ),
        (
            "We decide",
            {
                "fields": (
                    "enabled_by_default", "priority", "recommended", "recommendation_note", "supported_in_api",
                    "always_available", "notes",
                ),
            },
        ),
        (
            "Upstream says: what it is",
            {
                "fields": (
                    "task", "family", "description", "alias_of", "released_at", "deprecated_at", "retires_at",
                    "successor", "knowledge_cutoff",
                ),
                "description": "Changing one of the fields from here on pins it: no sync writes it until it is "
                "released.",
            },
        ),
        (
            "Upstream says: limits and architecture",
            {
                "fields": (
                    "context_length", "max_output_tokens", "embedding_dimensions", "input_modalities",
                    "output_modalities", "tokenizer", "instruct_type",
                )
            },
        ),
        (
            "Upstream says: what it can do",
            {
                "fields": (
                    ("supports_images", "supports_audio", "supports_video"),
                    ("supports_tools", "supports_parallel_tool_calls", "supports_structured_output"),
                    ("supports_reasoning", "supports_instruct", "supports_embeddings"),
                    ("supports_browser", "is_moderated"),
                ),
                "description": "Unknown: nothing is told about it.",
            },
        ),
        (
            "Upstream says: reasoning and clients",
            {
                "fields": (
                    "reasoning_levels", "default_reasoning_level",
                    ("supports_reasoning_summaries", "supports_verbosity", "prefer_websockets"),
                    "default_verbosity", "minimal_client_version",
                )
            },
        ),
        ("Upstream says: parameters and the rest", {"fields": ("supported_parameters", "extras")}),
        (
            "Sync",
            {
                "fields": (
                    "frozen", "status", "manually_updated", "is_available", "offers", "all_prices", "last_synced_at",
                    "created_at", "updated_at",
                )
            },
        ),
    )  # fmt: skip
    facts = (
        "status", "manually_updated", "is_available", "offers", "all_prices", "last_synced_at", "created_at",
        "updated_at",
    )  # fmt: skip

    def get_urls(self) -> list[Any]:
        return [
            path(
                "view-as/",
                self.admin_site.admin_view(lambda request: view_as.view_as(self, request)),
                name="catalog_aimodel_view_as",
            ),
            *super().get_urls(),
        ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj is not None else self.fieldsets[:-1]

    @admin.display(description="model", ordering="model_id")
    def entry(self, row: AIModel) -> str:
        return format_html('{} <small class="name">{}</small>', row.model_id, row.name)

    @admin.display(description="takes")
    def input_words(self, row: AIModel) -> str:
        return ", ".join(map(str, row.input_modalities))

    @admin.display(description="offered by")
    def offers(self, row: AIModel) -> str:
        return ", ".join(map(str, row.offered_by))

    @admin.display(description="pinned")
    def pins(self, row: AIModel) -> str:
        if row.frozen:
            return "all (frozen)"
        return str(len(row.pinned_fields)) if row.pinned_fields else ""

    @admin.display(description="state", ordering="is_available")
    def switches(self, row: AIModel) -> str:
        words = (
            ("available" if row.is_available else "not available", row.active),
            ("inactive", not row.active),
            ("hidden", row.hidden),
            ("experimental", row.experimental),
            ("granted only", row.restricted),
            (f"flag {row.requires_feature_flag}", bool(row.requires_feature_flag)),
            ("off by default", not row.enabled_by_default),
        )
        return ", ".join(word for word, held in words if held)

    @admin.display(description="prices, $ per million tokens")
    def all_prices(self, row: AIModel) -> str:
        return in_words(row.pricing)
