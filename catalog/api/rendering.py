"""Answers as bytes: rendered models of the snapshot, joined for one viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from django.http import HttpResponse

from catalog.api.base import CallerMixin
from catalog.api.snapshot import (
    AVAILABLE,
    ENABLED,
    SWITCHED_OFF,
    USABLE,
    CatalogBusy,
    RenderedModel,
    VisibleCatalog,
    snapshot,
)
from config.api import compression
from config.api.conditional import ConditionalMixin, etag
from config.api.pieces import Pieces, joined, separated

# Bump when the response format changes, so that ETags of older releases stop matching.
SHAPE = 2

_WORDS = {True: b"true", False: b"false"}
# is_enabled (None: left out), is_default -> the end of an item.
_ENDS = {
    (enabled, default): (b"" if enabled is None else b',"is_enabled":' + _WORDS[enabled])
    + b',"is_default":'
    + _WORDS[default]
    + b"}"
    for enabled in (None, False, True)
    for default in (False, True)
}
_CLI_ENDS = {default: b',"isDefault":' + _WORDS[default] + b"}" for default in (False, True)}


class RenderingMixin(ConditionalMixin, CallerMixin):
    """For views that answer from the snapshot."""

    refusals = {CatalogBusy: 503}
    request: Any

    def visible_catalog(self) -> VisibleCatalog:
        view = snapshot.view(self.caller, self.caller_now)
        self.request._caller = view.caller
        return view

    def rendered_answer(self, dialect: str, make: Callable[[VisibleCatalog], bytes | Pieces]) -> HttpResponse:
        """The body that `make` gives for this viewer, stored where it is not large; 304 where the caller has it."""
        caller, fingerprint = self.caller, self.caller.fingerprint
        tag = etag(SHAPE, dialect, fingerprint)
        response: HttpResponse = self.conditional(
            tag,
            lambda: (
                snapshot.answer(dialect, fingerprint)
                or compression.ready(self.request, tag)
                or self._made(dialect, make)
            ),
        )
        if self.caller is not caller:
            # The catalog moved on meanwhile, and so did the answer.
            response["ETag"] = etag(SHAPE, dialect, self.caller.fingerprint)
        return response

    def _made(self, dialect: str, make: Callable[[VisibleCatalog], bytes | Pieces]) -> bytes | Pieces:
        view = self.visible_catalog()
        body = make(view)
        snapshot.store_body(dialect, view.caller.fingerprint, body)
        return body


def _item(view: VisibleCatalog, rendered_model: RenderedModel) -> bytes:
    item = rendered_model.item
    for name in ("alias_of", "successor"):
        if named_model := view.where_seen(getattr(rendered_model, name)):
            item += b',"%b":%b' % (name.encode(), orjson.dumps(named_model))
    return item


def catalog_lists(view: VisibleCatalog, default: int | None) -> bytes | Pieces:
    """`/api/models`: everything visible and the usable part of it; for anonymous callers what is available, twice."""
    if view.caller.viewer.is_anonymous:
        both = separated(
            (_item(view, rendered_model), _ENDS[None, pk == default]) for pk, rendered_model in view.having(AVAILABLE)
        )
        return joined([b'{"catalog":[', *both, b'],"models":[', *both, b"]}"])
    catalog, usable = [], []
    for pk, rendered_model, mark in view.marked():
        item = _item(view, rendered_model), _ENDS[mark & ENABLED != 0, pk == default]
        catalog.append(item)
        if mark & USABLE == USABLE:
            usable.append(item)
    return joined([b'{"catalog":[', *separated(catalog), b'],"models":[', *separated(usable), b"]}"])


def cli_rows(view: VisibleCatalog, default: int | None) -> bytes | Pieces:
    """`/api/models?format=cli`: chat models, visible and available and not switched off by the user."""
    rows = separated(
        (rendered_model.cli, _CLI_ENDS[pk == default])
        for pk, rendered_model in view.having(AVAILABLE | SWITCHED_OFF, AVAILABLE)
        if rendered_model.cli is not None
    )
    return joined([b"[", *rows, b"]"])


def named(model_id: str) -> str:
    """A model id as an error message repeats it."""
    return model_id if len(model_id) <= 255 else model_id[:255] + "..."
