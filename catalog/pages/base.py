"""What every page has in common: who looks, whether they must sign in, and what a browser may keep of it."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View

from catalog.access.callers import Caller, caller_of
from catalog.api.snapshot import AVAILABLE, CatalogBusy, VisibleCatalog, snapshot
from config.api import errors
from config.api.origin import origin

# After a form that has done its work a browser asks for the page, and loading that again does nothing.
SEE_OTHER = 303


class Page(View):
    """A page for people: by session, never by key. `public`: without signing in where the catalog is public."""

    public = False
    section = ""
    http_method_names = ("get", "head", "post", "options")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not (request.user.is_authenticated or (self.public and settings.PUBLIC_CATALOG)):
            is_read = request.method in ("GET", "HEAD")
            response: Any = redirect_to_login(request.get_full_path() if is_read else request.path)
        else:
            try:
                response = super().dispatch(request, *args, **kwargs)
            except CatalogBusy as busy:
                response = errors.answer(request, 503, str(busy))
        response.headers.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(response, ("Cookie",))
        return response

    @cached_property
    def caller(self) -> Caller:
        return caller_of(self.request.user)

    @cached_property
    def catalog(self) -> VisibleCatalog:
        """What the reader sees, as the API answers it to them."""
        return snapshot.view(self.caller, lambda: caller_of(self.request.user))

    def item(self, pk: int) -> dict[str, Any]:
        """A model of `catalog` as the API shows it, and whether anybody offers it now."""
        shown = orjson.loads(self.catalog.rendered.by_pk[pk].item + b"}")
        return {**shown, "is_offered": self.catalog.visibility.mark_of[pk] & AVAILABLE != 0}

    def show(self, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
        known = {"section": self.section, "theme": self.caller.theme or "system"}
        return render(self.request, template, {**known, **context}, status=status)

    def back(self, default: str) -> HttpResponse:
        """To the page that the form was sent from."""
        wanted = self.request.POST.get("next", "")
        is_ours = url_has_allowed_host_and_scheme(wanted, None) and urlsplit(wanted).path.startswith("/")
        return see_other(wanted if is_ours else default)

    @property
    def origin(self) -> str:
        return origin(self.request)


def see_other(address: str) -> HttpResponse:
    return HttpResponseRedirect(address, status=SEE_OTHER)
