"""A form that makes something makes it once: loading the page again, or sending the form twice, leads to what it made.

Each such form carries a word of its own. The row that the form made is noted under that word in the transaction that
makes it, so of two that arrive at once one is taken back.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from catalog.models import SentForm

FIELD = "_once"
# How long a browser may keep a page and send its form again.
KEPT = timedelta(days=30)


def _key(request: HttpRequest) -> str:
    """Of one person and one page: nobody learns what another's form made. "" where the request carries no word."""
    word = request.POST.get(FIELD, "")
    told = f"{request.user.pk} {request.path} {word}"
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest() if word else ""


class MadeOnce(admin.ModelAdmin):
    """A request without the word, as a script sends it, is taken as it is."""

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if context.get("original") is None:
            # A form that is shown again with its errors is still the same form.
            context["once"] = request.POST.get(FIELD) or secrets.token_hex(16)
        return super().render_change_form(request, context, *args, **kwargs)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        key = _key(request) if object_id is None and request.method == "POST" else ""
        if key and (sent := SentForm.objects.filter(key=key).first()):
            return self._made_before(request, sent)
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError:
            # The same form was sent twice at once, and the other request came first.
            if key and (sent := SentForm.objects.filter(key=key).first()):
                return self._made_before(request, sent)
            raise

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        if key := _key(request):
            SentForm.objects.filter(at__lt=timezone.now() - KEPT).delete()
            SentForm.objects.create(key=key, made=str(obj.pk), told=str(obj)[:255])
        return super().log_addition(request, obj, message)

    def _made_before(self, request: HttpRequest, sent: SentForm) -> HttpResponse:
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[sent.made])
        told = "This form was sent before, and made {} “{}” then. Nothing was made again."
        self.message_user(request, format_html(told, self.opts.verbose_name, sent.told), messages.WARNING)
        return HttpResponseRedirect(page)
