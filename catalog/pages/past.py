"""What became of one model: its price over time, as a line and as a table, and its other changes as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from catalog import changes
from catalog.access.viewers import Viewer
from catalog.formatting import said
from catalog.models import AIModel, FieldChange
from catalog.pages import words
from catalog.pricing import Tariff, dollars, share

# The fields whose past every reader may see: no names of people, no other model's id, no word of staff to staff.
FIELDS = {
    "name": "Name",
    "description": "Description",
    "family": "Family",
    "task": "Task",
    "context_length": "Context",
    "max_output_tokens": "Longest answer",
    "embedding_dimensions": "Dimensions",
    "input_modalities": "What it takes",
    "output_modalities": "What it makes",
    "supports_images": "Sees images",
    "supports_audio": "Hears audio",
    "supports_video": "Watches video",
    "supports_tools": "Calls tools",
    "supports_reasoning": "Reasons before it answers",
    "supports_structured_output": "Answers in a given form",
    "supports_browser": "Browses the web",
    "released_at": "Release date",
    "retires_at": "Retirement",
    "knowledge_cutoff": "Knowledge cutoff",
    "is_available": "",
}
MOST = 30
# Of the drawing, in its own units.
WIDTH, HEIGHT, EDGE = 640, 160, 8


@dataclass(frozen=True, slots=True)
class PriceStep:
    """The price from `since` on, in words and per million."""

    since: datetime | None
    prompt: str
    completion: str
    amounts: tuple[Decimal | None, Decimal | None]
    change: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Two step lines, as the points of SVG's polylines."""

    prompt: str
    completion: str
    most: str
    first: datetime
    last: datetime
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Sentence:
    at: datetime
    text: str
    by: str


def steps(
    prices: Iterable[tuple[datetime | None, Mapping[str, Any]]], begin: datetime | None = None
) -> list[PriceStep]:
    """The prices of one source, the oldest first; with `begin` those from then on."""
    found: list[PriceStep] = []
    for since, pricing in prices:
        if begin is not None and (since is None or since < begin):
            # Of those before, the last one counts at `begin`.
            found, since = [], begin
        tariff = Tariff(pricing)
        amounts = (tariff.per_million("prompt"), tariff.per_million("completion"))
        if found and found[-1].amounts == amounts:
            continue
        change = _change(found[-1].amounts, amounts) if found else ""
        found.append(PriceStep(since, *words.token_prices(pricing), amounts, change))
    return found


def _change(before: tuple[Decimal | None, ...], after: tuple[Decimal | None, ...]) -> str:
    parts = [
        f"{name} {share(old, new)}"
        for name, old, new in zip(("input", "output"), before, after, strict=True)
        if old and new is not None and new != old
    ]
    return ", ".join(parts)


def chart(found: list[PriceStep]) -> Chart | None:
    """None where there is no more than one price to draw."""
    dated = [(step.since, step.amounts) for step in found if step.since is not None]
    amounts = [amount for _, pair in dated for amount in pair if amount is not None]
    if len(dated) < 2 or not any(amounts):
        return None
    first, last, most = dated[0][0], timezone.now(), max(amounts)
    length = max((last - first).total_seconds(), 1)

    def x(at: datetime) -> float:
        return EDGE + (WIDTH - 2 * EDGE) * (at - first).total_seconds() / length

    def y(amount: Decimal) -> float:
        return HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * float(amount / most)

    def line(which: int) -> str:
        points: list[str] = []
        ends = [at for at, _ in dated[1:]] + [last]
        for (at, pair), end in zip(dated, ends, strict=True):
            if (amount := pair[which]) is not None:
                points += [f"{x(at):.1f},{y(amount):.1f}", f"{x(end):.1f},{y(amount):.1f}"]
        return " ".join(points)

    return Chart(line(0), line(1), dollars(most), first, last)


def sentences(model: AIModel, viewer: Viewer, providers: Mapping[str, str]) -> list[Sentence]:
    """The newest first; the first that is known of it at the end."""
    rows = changes.shown_to(viewer, FIELDS).filter(model=model).order_by("-id")[:MOST]
    told = changes.rendered(rows, sentence)
    found = [Sentence(row.changed_at, text, changes.source_of(row, providers)) for row, text in told]
    return [*found, Sentence(model.created_at, "It came into the catalog.", "")]


def sentence(row: FieldChange) -> str:
    if row.field == "is_available":
        return "It is offered again." if row.new else "It is no longer offered."
    label = FIELDS[row.field]
    if row.field == "description":
        return "The description was changed."
    if row.field in ("context_length", "max_output_tokens") and row.old and row.new:
        verb = "grew" if row.new > row.old else "shrank"
        return f"{label} {verb} from {row.old:,} to {row.new:,} tokens."
    if row.field.startswith("supports_"):
        answers = {True: "yes", False: "no"}
        return f"{label}: {answers.get(row.new, 'unknown')} (it was {answers.get(row.old, 'unknown')})."
    new, old = (_worded(row.field, value) for value in (row.new, row.old))
    before = "" if row.old in ("", []) else f" (it was {old})"
    return f"{label}: {new}{before}."


def _worded(field: str, value: Any) -> str:
    is_number = field in ("context_length", "max_output_tokens") and isinstance(value, int)
    return words.fact(field, value) if is_number else said(field, value, 80)


def loss(row: FieldChange) -> str:
    """What readers have less of after the change, in a word; "" where it takes nothing away."""
    if row.field in ("context_length", "max_output_tokens") and row.old and row.new and row.new < row.old:
        return "shorter"
    if row.field == "retires_at" and row.new:
        return "retires"
    return "lost" if row.field.startswith("supports_") and row.old and row.new is False else ""


def price_change(name: str, before: Decimal | None, after: Decimal | None) -> str:
    """A price per million tokens that changed, without the full stop."""
    old, new = ("unknown" if amount is None else dollars(amount) for amount in (before, after))
    by = share(before, after) if before and after is not None else ""
    return f"{name} per million: {new}, it was {old}" + (f" ({by})" if by else "")
