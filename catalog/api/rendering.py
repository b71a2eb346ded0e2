"""Answers as bytes: pieces of the snapshot, joined for one viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.response import Response

from catalog.access.callers import Standing, standing_of
from catalog.api.base import CallerMixin, answer, etag
from catalog.api.snapshot import AVAILABLE, ENABLED, REFUSED, USABLE, View, snapshot

# Raised with each change of what is answered for the same catalog, so that no client keeps an older release's answer.
SHAPE = 2

_WORDS = {True: b"true", False: b"false"}
# is_enabled (None: not said), is_default -> the end of an item.
_ENDS = {
    (enabled, default): (b"" if enabled is None else b',"is_enabled":' + _WORDS[enabled])
    + b',"is_default":'
    + _WORDS[default]
    + b"}"
    for enabled in (None, False, True)
    for default in (False, True)
}


class ServingMixin(CallerMixin):
    """For views that answer from the snapshot."""

    request: Any

    def stand_again(self) -> Standing:
        """The caller's standing as it is now; the policy of the key in use stays as it was read."""
        return standing_of(self.request.user, self.standing.viewer.policy)

    def view_of_catalog(self) -> View:
        view = snapshot.view(self.standing, self.stand_again)
        self.request._standing = view.standing
        return view

    def served(self, dialect: str, make: Callable[[View], bytes]) -> Response:
        """The body that `make` gives for this viewer, kept; 304 where the caller holds it."""
        standing, fingerprint = self.standing, self.standing.fingerprint
        response = answer(
            self.request,
            etag(SHAPE, dialect, fingerprint),
            lambda: snapshot.bodies.get((dialect, fingerprint)) or self._made(dialect, make),
        )
        if self.standing is not standing:
            # The catalog moved on meanwhile, and so did the answer.
            response["ETag"] = etag(SHAPE, dialect, self.standing.fingerprint)
        return response

    def _made(self, dialect: str, make: Callable[[View], bytes]) -> bytes:
        view = self.view_of_catalog()
        body = make(view)
        snapshot.keep(dialect, view.standing.fingerprint, body)
        return body


def openai_list(view: View) -> bytes:
    """`/v1/models`: what is usable and for the API."""
    rows = [piece.openai for _, piece in view.having(USABLE) if piece.openai is not None]
    return b'{"object":"list","data":[' + b",".join(rows) + b"]}"


def catalog_lists(view: View, default: int | None) -> bytes:
    """`/api/models`: for a user everything visible and the usable part of it, for others what is available, twice."""
    if view.standing.viewer.user_id is None:
        items = [piece.item + _ENDS[None, pk == default] for pk, piece in view.having(AVAILABLE)]
        both = b",".join(items)
        return b'{"catalog":[' + both + b'],"models":[' + both + b"]}"
    catalog, usable = [], []
    for pk, piece, mark in view.marked():
        item = piece.item + _ENDS[mark & ENABLED != 0, pk == default]
        catalog.append(item)
        if mark & USABLE == USABLE:
            usable.append(item)
    return b'{"catalog":[' + b",".join(catalog) + b'],"models":[' + b",".join(usable) + b"]}"


def cli_rows(view: View, default: int | None) -> bytes:
    """`/api/models?format=cli`: chat models, visible and available and not switched off by the user's own word."""
    rows = [
        piece.cli + b',"isDefault":' + _WORDS[pk == default] + b"}"
        for pk, piece in view.having(AVAILABLE | REFUSED, AVAILABLE)
        if piece.cli is not None
    ]
    return b"[" + b",".join(rows) + b"]"


def named(model_id: str) -> str:
    """A model id as an error message repeats it."""
    return model_id if len(model_id) <= 255 else model_id[:255] + "..."
