"""The item of the list, of the detail and of custom models, as bytes and with its ETag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from catalog.access.digests import keyed
from catalog.access.viewers import Viewer
from catalog.api.serializers.items import ItemSerializer
from catalog.db.unreadable import render_or_report
from catalog.editing.state import state

_ITEM = ItemSerializer()


@dataclass(frozen=True, slots=True)
class Shown:
    """The item of one row for one viewer, as bytes, and its ETag."""

    body: bytes
    tag: str


def shown(model: Any, viewer: Viewer) -> Shown:
    """The item of a row of `shown_to`. Its ETag names, for those who may change it, the state that `If-Match` names.

    A reader's tag depends on nothing that is not shown: it does not even tell that something hidden has changed.
    Raises what `render_or_report` turns into None, where a stored value cannot be rendered.
    """
    body = _body(model, viewer)
    digest = keyed("item", body)
    return Shown(body, f'"{state(model)}.{digest}"' if model.may_write else f'"{digest}"')


def shown_or_none(model: Any, viewer: Viewer) -> Shown | None:
    """The same; None where a stored value cannot be rendered."""
    return render_or_report(model.model_id, shown, model, viewer)


def items(models: Iterable[Any], viewer: Viewer) -> Iterator[tuple[int, bytes]]:
    """The keys and items of these rows, less those that cannot be rendered."""
    for model in models:
        body = render_or_report(model.model_id, _body, model, viewer)
        if body is not None:
            yield model.pk, body


def _body(model: Any, viewer: Viewer) -> bytes:
    model.viewer = viewer
    return orjson.dumps(_ITEM.to_representation(model))
