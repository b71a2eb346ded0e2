"""/models: find a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.gzip import gzip_page

from catalog import extensions
from catalog.api.snapshot import ENABLED
from catalog.pages import words
from catalog.pages.base import Page
from catalog.pages.finding import MOST_OPTIONS, ORDERS, Found, Query, find
from catalog.validation.variants import variant_of

_LABELS = {
    "author": "Author",
    "offered_by": "Offered by",
    "input": "Takes",
    "output": "Makes",
    "min_context": "Context",
}


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter of which one option is chosen."""

    name: str
    label: str
    options: list[Option]


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in use: what it says, and the address without it."""

    label: str
    address: str
    count: int | None = None


class ModelsPage(Page):
    """The models that the reader sees, to search, filter, switch and compare."""

    public = True
    section = "models"

    @method_decorator(gzip_page)
    def get(self, request: HttpRequest) -> HttpResponse:
        found = find(self.catalog, Query.of(request.GET))
        query = replace(found.query, page=found.page)
        names = dict(extensions.provider_names()) if found.counts["offered_by"] or query.offered_by else {}
        response = self.show(
            "models/list.html",
            {
                "found": found,
                "query": query,
                "rows": [
                    {**self._item(pk), "variants": [*map(self._item, found.variants.get(pk, ()))]} for pk in found.shown
                ],
                "choices": [_choice(found, name, names) for name in _LABELS],
                "capabilities": _options(found, "capability", query.capability, {}),
                "chips": _chips(query, names),
                "ways_out": _ways_out(found, names),
                "orders": [(value, label) for value, (label, _, _) in ORDERS.items()],
                "before": replace(query, page=query.page - 1).address if query.page > 1 else "",
                "after": replace(query, page=query.page + 1).address if query.page < found.pages else "",
                "json": query.json_address if request.user.is_authenticated else "",
                "address": f"{request.path}{query.address}",
            },
        )
        # For the script, which sends every field of the form: the address without those that are empty.
        response["HX-Replace-Url"] = f"{request.path}{query.address}"
        return response

    def _item(self, pk: int) -> dict[str, Any]:
        item, is_custom = self.item(pk), self.catalog.rendered.by_pk[pk].card.is_custom
        return {
            **item,
            "prices": words.token_prices(item.get("pricing", {})),
            "is_custom": is_custom,
            "is_on": self.catalog.visibility.mark_of[pk] & ENABLED != 0,
            "variant": None if is_custom else variant_of(item["id"]),
        }


def _choice(found: Found, name: str, providers: dict[str, str]) -> Choice:
    chosen = str(getattr(found.query, name) or "")
    return Choice(name, _LABELS[name], _options(found, name, (chosen,) if chosen else (), providers))


def _options(found: Found, name: str, chosen: tuple[str, ...], providers: dict[str, str]) -> list[Option]:
    """The options that would show something, and those chosen; numbers by size, words by count."""
    counts = found.counts[name]
    if name == "min_context":
        options = [(least, count) for least, count in counts.items() if count]
    else:
        options = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_OPTIONS]
    options += [(word, counts.get(word, 0)) for word in chosen if word not in {value for value, _ in options}]
    return [Option(value, _worded(name, value, providers), count, value in chosen) for value, count in options]


def _worded(name: str, value: str, providers: dict[str, str]) -> str:
    """An option in words."""
    if name == "min_context":
        return f"{int(value):,} tokens or more"
    if name == "offered_by":
        return providers.get(value, value)
    return value.replace("_", " ") if name in ("capability", "input", "output") else value


def _label_of(query: Query, name: str, providers: dict[str, str]) -> str:
    """A filter in use, in words; `name` is a key of `Query.tests`."""
    kind, _, word = name.partition(":")
    if kind == "q":
        return f"“{query.q}”"
    if kind == "free":
        return "Free"
    if kind == "retired":
        return "Offered now"
    if kind == "capability":
        return word.replace("_", " ")
    return f"{_LABELS[kind]}: {_worded(kind, str(getattr(query, kind)), providers)}"


def _chips(query: Query, providers: dict[str, str]) -> list[Chip]:
    chips = [Chip(_label_of(query, name, providers), query.without(name).address) for name in query.tests]
    return chips + ([Chip("Not offered now, too", replace(query, retired=False).address)] if query.retired else [])


def _ways_out(found: Found, providers: dict[str, str]) -> list[Chip]:
    """Where nothing is found: which filter to drop, or else which one to keep, and how much each would show."""
    if found.total:
        return []
    drop, query = bool(found.without), found.query

    def worded(name: str) -> str:
        if drop and name == "retired":
            return "Show also what nobody offers now"
        return f"{'Drop' if drop else 'Keep only'} {_label_of(query, name, providers)}"

    ways = sorted((found.without or found.alone).items(), key=lambda pair: -pair[1])
    return [
        Chip(
            worded(name),
            (query.without(name) if drop else query.keeping(name)).address,
            number,
        )
        for name, number in ways
    ]
