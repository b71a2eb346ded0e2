"""A form that adds a row adds it once: a form that is sent again leads to the row that it made."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from catalog.editing import once
from catalog.models import SentForm


def _key(request: HttpRequest) -> str:
    return once.key_of(request.user, request.path, request.POST.get(once.FIELD, ""))


class MadeOnce(admin.ModelAdmin):
    """An admin whose forms add a row once. A request without a key, such as a script's, is not checked."""

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if context.get("original") is None:
            # A form that is shown again with its errors has the same key.
            context["once"] = request.POST.get(once.FIELD) or once.word()
        return super().render_change_form(request, context, *args, **kwargs)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        key = _key(request) if object_id is None and request.method == "POST" else ""
        if sent := once.made_before(key):
            return self._made_before(request, sent)
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError:
            # The same form was sent twice at once, and the other request came first.
            if sent := once.made_before(key):
                return self._made_before(request, sent)
            raise

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        once.remember(_key(request), obj)
        return super().log_addition(request, obj, message)

    def _made_before(self, request: HttpRequest, sent: SentForm) -> HttpResponse:
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[sent.made])
        message = "This form was sent before, and made {} “{}” then. Nothing was made again."
        self.message_user(request, format_html(message, self.opts.verbose_name, sent.told), messages.WARNING)
        return HttpResponseRedirect(page)
