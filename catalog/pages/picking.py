"""Models to pick in a form: what was picked stays among those that the words of a search find."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

import orjson

from catalog.api.filters import MAX_QUERY, search_words
from catalog.api.snapshot import USABLE, RenderedModel, VisibleCatalog
from catalog.pages.finding import Query
from catalog.validation.text import fold

MOST = 8


@dataclass(frozen=True, slots=True)
class Pick:
    id: str
    name: str
    is_picked: bool


def picks(
    view: VisibleCatalog, sent: Mapping[str, Any], picked: Iterable[str] = (), *, usable: bool = False
) -> dict[str, Any]:
    """What templates/models/picks.html shows, of `find` in what was sent.

    Only what the reader sees, and with `usable` nothing is found but what they may use. First come those with the words
    in their id, the shortest before others: a model before its variants, and before custom models upon it. A whole id
    picks its model.
    """
    words = sent.get("find", "").strip()[:MAX_QUERY]
    test, sought = Query(q=words).tests.get("q"), search_words(words)
    by_pk, pk_of = view.rendered.by_pk, view.rendered.pk_of
    found: list[RenderedModel] = []
    if test is not None:
        having = (rendered_model for _, rendered_model in view.having(USABLE if usable else 0))
        matching = (rendered_model for rendered_model in having if test(rendered_model.card))
        found = nsmallest(MOST + 1, matching, key=lambda one: _order(one, sought))
    ids = dict.fromkeys(id_ for id_ in picked if view.where_seen(id_))
    ids |= dict.fromkeys(rendered_model.model_id for rendered_model in found if rendered_model.model_id == words)
    shown = [by_pk[pk_of[id_]] for id_ in ids] + [one for one in found[:MOST] if one.model_id not in ids]
    return {
        "find": words,
        "picks": [Pick(one.model_id, _name(one), one.model_id in ids) for one in shown],
        "found": "" if test is None else _told(len(found), usable),
    }


def _order(rendered_model: RenderedModel, sought: list[str]) -> tuple[bool, int]:
    model_id = fold(rendered_model.model_id)
    return any(word not in model_id for word in sought), len(model_id)


def _told(number: int, usable: bool) -> str:
    if not number:
        return f"No model that you {'may use' if usable else 'see'} has these words."
    return f"More than {MOST} models have these words: add another word." if number > MOST else ""


def _name(rendered_model: RenderedModel) -> str:
    return str(orjson.loads(rendered_model.item + b"}")["name"])
