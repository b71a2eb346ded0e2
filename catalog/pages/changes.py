"""/changes: what changed of the models that the reader sees, by day and by who changed it, the weightiest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

from catalog import changes, extensions
from catalog.access.viewers import Viewer
from catalog.changes import Cursor
from catalog.models import FieldChange
from catalog.pages import past
from catalog.pages.base import Page
from catalog.pricing import Tariff
from catalog.validation import shapes

MOST = 200
# Of one act, before the rest is folded.
SHOWN = 12
FIELDS = {*past.FIELDS, "created", "pricing"}


@dataclass(frozen=True, slots=True)
class Line:
    at: datetime
    model_id: str
    text: str
    # What is gone, dearer or less touches people more than a word of a description.
    weight: int
    # What is worse than before, in a word.
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """What one sync, or people, changed on one day."""

    by: str
    lines: list[Line] = field(default_factory=list)

    @property
    def shown(self) -> list[Line]:
        return self.lines[:SHOWN]

    @property
    def folded(self) -> list[Line]:
        return self.lines[SHOWN:]


class ChangesPage(Page):
    public = True
    section = "changes"

    def get(self, request: HttpRequest) -> HttpResponse:
        rows, is_mine = self.rows(), self.is_mine
        older = str(Cursor.of(rows[-1])) if len(rows) == MOST else ""
        by_day: dict[date, list[FieldChange]] = {}
        for row in rows:
            by_day.setdefault(row.changed_at.date(), []).append(row)
        days = [(day, _acts(by_day[day])) for day in sorted(by_day, reverse=True)]
        return self.show("models/changes.html", {"days": days, "is_mine": is_mine, "older": older})

    @property
    def is_mine(self) -> bool:
        return self.request.GET.get("mine") == "true" and self.caller.viewer.user_id is not None

    def rows(self) -> list[FieldChange]:
        """The newest first; an address that somebody has mistyped shows the newest."""
        found = newest(self.caller.viewer)
        if self.is_mine:
            found = found.filter(changes.of_interest_to(self.caller.viewer.user_id or 0))
        try:
            before = Cursor.read(self.request.GET.get("before", ""))
        except ValueError:
            return list(found[:MOST])
        return list(found.filter(Q(version__lt=before.version) | Q(version=before.version, pk__lt=before.key))[:MOST])


def newest(viewer: Viewer) -> QuerySet[FieldChange]:
    """What the page tells, the newest first."""
    return changes.shown_to(viewer).filter(field__in=FIELDS).order_by("-version", "-pk")


def _acts(rows: Iterable[FieldChange]) -> list[Act]:
    """The one with the weightiest change first; equal ones in the order in which their last changes were made."""
    providers = dict(extensions.provider_names())
    acts: dict[str, Act] = {}
    for row, line in changes.rendered(rows, line_of):
        by = capfirst(changes.source_of(row, providers))
        acts.setdefault(by, Act(by)).lines.append(line)
    for act in acts.values():
        act.lines.sort(key=lambda line: line.weight)
    return sorted(acts.values(), key=lambda act: act.lines[0].weight)


def line_of(row: FieldChange) -> Line:
    model: Any = row.model
    kind = changes.kind_of(row)
    if row.field == "pricing":
        text, is_dearer = _price(row)
        return Line(row.changed_at, model.model_id, text, 1 if is_dearer else 5, "dearer" if is_dearer else "")
    text = "It is new." if kind == "added" else past.sentence(row)
    mark = "gone" if kind == "retired" else past.loss(row)
    weight = {"retired": 0, "returned": 3, "added": 4}.get(kind, 2 if mark else 6)
    return Line(row.changed_at, model.model_id, text, weight, mark)


def _price(row: FieldChange) -> tuple[str, bool]:
    """The sentence, and whether it costs more than before. Raises ValueError."""
    for value in (row.old, row.new):
        if value is not None and not shapes.prices(value):
            raise ValueError("these are no prices")
    old, new = Tariff(row.old or {}), Tariff(row.new or {})
    parts, is_dearer = [], False
    for kind, name in (("prompt", "Input"), ("completion", "Output")):
        before, after = old.per_million(kind), new.per_million(kind)
        if before != after:
            parts.append(past.price_change(name, before, after))
            is_dearer |= before is not None and after is not None and after > before
    return (". ".join(parts) or "Another price changed") + ".", is_dearer
