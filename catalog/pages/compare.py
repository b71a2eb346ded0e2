"""/compare: two to four models side by side, the columns in the order of the ids in the address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.http import urlencode

from catalog.pages import words
from catalog.pages.base import Page
from catalog.pages.picking import picks
from catalog.pricing import Tariff, dollars

LEAST, MOST = 2, 4
# What a cost is asked for: name -> label, default and the most that is taken.
USE = {
    "calls": ("Calls", 1_000, 10**9),
    "in": ("Input tokens a call", 1_000, 10**7),
    "out": ("Output tokens a call", 500, 10**7),
}


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    # How it stands out among the others, in a word or two.
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    cells: list[Cell]

    @property
    def is_equal(self) -> bool:
        return len({cell.text for cell in self.cells}) == 1


class ComparePage(Page):
    """Models side by side: what is equal is folded away, and what differs is said in words."""

    public = True
    section = "compare"

    def get(self, request: HttpRequest) -> HttpResponse:
        wanted = list(dict.fromkeys(id_.strip()[:255] for id_ in request.GET.getlist("id") if id_.strip()))
        items = {id_: item for id_ in wanted[:MOST] if (item := self._item(id_))}
        shown = list(items.values())
        use, mistakes = _use(request.GET)
        rows = _rows(shown) if len(shown) >= LEAST else []
        return self.show(
            "models/compare.html",
            {
                "models": [{**item, "without": _without(items, item["id"])} for item in shown],
                "differing": [row for row in rows if not row.is_equal],
                "equal": [row for row in rows if row.is_equal],
                "cost_of": f"of {use['calls']:,} calls" if use["calls"] != 1 else "of one call",
                "cost": _cost(shown, use) if len(shown) >= LEAST else None,
                "use": [(name, USE[name][0], use[name], mistakes.get(name, "")) for name in USE],
                # Not in the reader's sight is as unknown as what nobody has.
                "missing": [id_ for id_ in wanted[:MOST] if id_ not in items],
                "left_out": len(wanted) - MOST,
                "more": MOST - len(shown),
                **picks(self.catalog, request.GET, items),
            },
        )

    def _item(self, model_id: str) -> dict[str, Any] | None:
        view = self.catalog
        pk = view.rendered.pk_of.get(model_id)
        return self.item(pk) if pk is not None and pk in view.visibility.mark_of else None


def _without(ids: Iterable[str], left: str) -> str:
    """The address of the same without one of them."""
    return f"?{urlencode([('id', id_) for id_ in ids if id_ != left])}"


def _use(sent: QueryDict) -> tuple[dict[str, int], dict[str, str]]:
    """The numbers to reckon with, and what is wrong with those that were sent."""
    use, mistakes = {}, {}
    for name, (_, default, most) in USE.items():
        text = sent.get(name, "").strip().replace(",", "")
        use[name] = int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else default
        if (text and str(use[name]) != (text.lstrip("0") or "0")) or use[name] > most:
            mistakes[name], use[name] = f"A whole number from 0 to {most:,}.", default
    return use, mistakes


def _rows(items: list[dict[str, Any]]) -> list[Row]:
    rows = [
        Row("Author", [Cell(item.get("provider", "")) for item in items]),
        Row("Offered now", [Cell("yes" if item["is_offered"] else "no") for item in items]),
    ]
    tariffs = [Tariff(item.get("pricing", {})) for item in items]
    for kind, label in (("prompt", "Input per million"), ("completion", "Output per million")):
        amounts = [tariff.per_million(kind) for tariff in tariffs]
        texts = ["" if amount is None else dollars(amount) for amount in amounts]
        rows.append(_marked(label, texts, amounts, least="cheapest", most="dearest"))
    for name in ("context_length", "max_output_tokens", "embedding_dimensions"):
        numbers = [item.get(name) for item in items]
        if name != "embedding_dimensions" or any(numbers):
            texts = [words.fact(name, number) for number in numbers]
            rows.append(_marked(words.FACTS[name], texts, numbers, least="shortest", most="longest"))
    for name in ("capabilities", "input_modalities", "output_modalities"):
        rows.append(Row(words.FACTS[name], _only(items, name)))
    for name in ("family", "released_at", "retires_at"):
        texts = [words.fact(name, item.get(name)) for item in items]
        rows += [Row(words.FACTS[name], [Cell(text) for text in texts])] if any(texts) else []
    return rows


def _marked(label: str, texts: list[str], numbers: list[Any], *, least: str, most: str) -> Row:
    known = [number for number in numbers if number is not None]
    low, high = (min(known), max(known)) if known else (None, None)

    def mark(number: Any) -> str:
        if number is None or low == high:
            return ""
        return least if number == low else most if number == high else ""

    return Row(label, [Cell(text, mark(number)) for text, number in zip(texts, numbers, strict=True)])


def _only(items: list[dict[str, Any]], name: str) -> list[Cell]:
    """Lists of words; marked is what only this one has, and what it alone lacks."""
    lists = [item.get(name, []) for item in items]
    cells = []
    for n, own in enumerate(lists):
        others = [set(other) for m, other in enumerate(lists) if m != n]
        alone = [word for word in own if not any(word in other for other in others)]
        lacks = [word for word in sorted(set.intersection(*others)) if word not in own] if own else []
        said = [f"only this one: {words.fact(name, alone)}"] if alone else []
        said += [f"lacks: {words.fact(name, lacks)}"] if lacks and len(lists) > 2 else []
        cells.append(Cell(words.fact(name, own), "; ".join(said) if name == "capabilities" else ""))
    return cells


def _cost(items: list[dict[str, Any]], use: Mapping[str, int]) -> Row:
    tokens = use["calls"] * use["in"], use["calls"] * use["out"]
    tariffs = [Tariff(item.get("pricing", {})).of_prompt(use["in"]) for item in items]
    amounts = [tariff.cost(*tokens) for tariff in tariffs]
    texts = ["" if amount is None else dollars(amount.quantize(Decimal("0.0001"))) for amount in amounts]
    return _marked("Cost", texts, amounts, least="cheapest", most="dearest")
