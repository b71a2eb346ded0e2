"""A save that takes a model from somebody's sight is rolled back and asks for a confirmation first."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from catalog.access import audience
from catalog.admin import edit, previews

# The button that confirms, and the fields that are not the form's own.
CONFIRM = "_narrow"
_BESIDES = ("csrfmiddlewaretoken", CONFIRM, previews.FIELD)


class AsksBeforeNarrowing(admin.ModelAdmin):
    """Let the edit `look` before what is written may narrow, and `ask` when all is written, in one transaction."""

    def ask(self, request: HttpRequest, title: str, written: Sequence[str]) -> HttpResponse | None:
        """The page that says who would lose sight, with the save rolled back; None where nobody would."""
        before = edit.of(request).audience
        if before is None:
            return None
        lost = audience.loss(before, audience.of(before.models))
        if not lost:
            return None
        fields = [
            (name, value) for name in request.POST if name not in _BESIDES for value in request.POST.getlist(name)
        ]
        shown = (request.path, sorted(fields), lost.users, lost.keys, lost.anybody)
        if CONFIRM in request.POST:
            if previews.holds(request, *shown):
                return None
            self.message_user(request, previews.CHANGED, messages.WARNING)
        transaction.set_rollback(True)
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "loss": lost,
            "written": written,
            "fields": fields,
            "seal": previews.seal(request, *shown),
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/catalog/narrowing.html", context)
