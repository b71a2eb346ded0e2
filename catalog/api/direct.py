"""
Reads with an API key, answered without what only pages and writes need: sessions, forms, messages, and DRF's request.

From here the way to the bytes is short: `DirectReadsMiddleware` finds the view of the address, the view asks who the
key's caller is (one statement), whether they may read, and its action answers with bytes that are made once for each
version of the catalog. Whatever is refused goes through DRF's handler, as it does everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import ResolverMatch, get_resolver, resolve

from catalog import extensions


class DirectRequest:
    """What a reading view asks of DRF's Request."""

    method = "GET"
    # For DRF's permission_denied(): there is a credential, so what is refused is refused to it.
    authenticators = ()

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.META = request.META
        self.auth: Any = None
        self.user: Any = AnonymousUser()

    @property
    def query_params(self) -> QueryDict:
        return self._request.GET

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


class DirectMixin:
    """For views whose GET with a key is answered directly. Its action must be a function of `self.request` alone."""

    request: Any

    def answer_directly(self, request: HttpRequest) -> HttpResponse | None:
        """None where the request brings no key."""
        view: Any = self
        self.request = direct = DirectRequest(request)
        try:
            direct.auth = self.credential_of(request)
            if direct.auth is None:
                return None
            direct.user = direct.auth.user
            view.check_permissions(direct)
            view.refuse_unknown(direct)
            response: HttpResponse = getattr(view, view.action)(direct, **view.kwargs)
        except Exception as error:
            return self._refused(request, error)
        view.finish(response)
        if response.status_code in (200, 304) and "ETag" in response:
            # What the tag names depends on the key's row: see config/stored_answers.py.
            response.basis = getattr(request, "basis", None)  # type: ignore[attr-defined]
            response.route = request.resolver_match.route  # type: ignore[attr-defined, union-attr]
        return response

    def credential_of(self, request: HttpRequest) -> Any:
        """As `extensions.credential_of`."""
        return extensions.credential_of(request)

    def _refused(self, request: HttpRequest, error: Exception) -> HttpResponse:
        """As DRF's dispatch() answers an exception. What nobody foresaw is raised again."""
        view: Any = self
        self.request = view.initialize_request(request, *view.args, **view.kwargs)
        view.headers = view.default_response_headers
        response = view.finalize_response(self.request, view.handle_exception(error), *view.args, **view.kwargs)
        return response.render() if hasattr(response, "render") else response


class DirectReadsMiddleware:
    """Stands above the middleware that a read with a key has no use for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        # Loads the views, and registers what they bring, before anything is asked: Django would at the first request.
        get_resolver().url_patterns  # noqa: B018

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method == "GET":
            match = _match(request.path_info)
            if match is not None:
                request.resolver_match = match
                # What as_view() makes and sets for each request.
                made: Any = match.func
                view = made.cls(**made.initkwargs)
                view.action_map, view.action = made.actions, made.actions["get"]
                for method, action in made.actions.items():
                    setattr(view, method, getattr(view, action))
                view.head = view.get
                view.args, view.kwargs, view.format_kwarg = (), match.kwargs, None
                return view.answer_directly(request) or self.get_response(request)
        return self.get_response(request)


@lru_cache(1000)
def _match(path: str) -> ResolverMatch | None:
    """The route of an address whose GET is answered directly."""
    try:
        match = resolve(path)
    except Http404:
        return None
    view_class = getattr(match.func, "cls", None)
    is_direct = isinstance(view_class, type) and issubclass(view_class, DirectMixin) and "get" in match.func.actions  # type: ignore[attr-defined]
    return match if is_direct else None
