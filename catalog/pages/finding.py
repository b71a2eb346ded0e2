"""What /models finds: the search and filters of an address, how many each would show, the order, and the folding."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from catalog.api.cards import Card
from catalog.api.filters import MAX_QUERY, MAX_WORDS, search_words
from catalog.api.snapshot import AVAILABLE, VisibleCatalog
from catalog.derived import facet
from catalog.validation.values import MAX_INTEGER

PER_PAGE = 50
# Options of one filter that are offered; beyond them the search is quicker.
MOST_OPTIONS = 200
CONTEXTS = (8_000, 32_000, 128_000, 200_000, 1_000_000)
# Order -> what it is called, and the same order of /api/models/list.
ORDERS = {
    "": ("Usual order", "priority", "desc"),
    "name": ("Name", "name", "asc"),
    "price": ("Price, cheapest first", "price", "asc"),
    "-price": ("Price, dearest first", "price", "desc"),
    "-context": ("Context, longest first", "context_length", "desc"),
    "context": ("Context, shortest first", "context_length", "asc"),
    "-added": ("Newest in the catalog", "created_at", "desc"),
}
# Order of /api/models/list -> what a card has of it.
_COLUMNS = {
    "name": "name_key",
    "price": "prompt_price",
    "context_length": "context_length",
    "created_at": "created_at",
}
# Filter of the address -> kind of facet. Of these one word each is chosen.
_FACETS = {"offered_by": "by", "input": "input", "output": "output"}
Test = Callable[[Card], bool]


@dataclass(frozen=True)
class Query:
    """The state of the page, as its address says it. What cannot be understood counts as not chosen."""

    q: str = ""
    author: str = ""
    offered_by: str = ""
    input: str = ""
    output: str = ""
    capability: tuple[str, ...] = ()
    min_context: int = 0
    free: bool = False
    # Whether models are shown that nobody offers now.
    retired: bool = False
    sort: str = ""
    page: int = 1

    @classmethod
    def of(cls, sent: QueryDict) -> Query:
        def text(name: str) -> str:
            return sent.get(name, "")[:255]

        return cls(
            q=sent.get("q", "")[:MAX_QUERY],
            author=text("author"),
            offered_by=text("offered_by"),
            input=text("input"),
            output=text("output"),
            capability=tuple(dict.fromkeys(word[:64] for word in sent.getlist("capability") if word))[:20],
            min_context=_whole(sent.get("min_context", "")) or 0,
            free=sent.get("free") == "1",
            retired=sent.get("retired") == "1",
            sort=sent.get("sort", "") if sent.get("sort", "") in ORDERS else "",
            page=_whole(sent.get("page", "")) or 1,
        )

    @property
    def address(self) -> str:
        """The query of the address that shows this; what is not chosen is not in it."""
        sent: list[tuple[str, Any]] = []
        for name in ("q", "author", "offered_by", "input", "output"):
            sent += [(name, getattr(self, name))] if getattr(self, name) else []
        sent += [("capability", word) for word in self.capability]
        sent += [("min_context", self.min_context)] if self.min_context else []
        sent += [(name, 1) for name in ("free", "retired") if getattr(self, name)]
        sent += [("sort", self.sort)] if self.sort else []
        sent += [("page", self.page)] if self.page > 1 else []
        return f"?{urlencode(sent)}"

    @property
    def json_address(self) -> str:
        """The call of the API that finds the same models in the same order; "" where it takes more than one call."""
        if self.free or len(self.capability) > 1:
            return ""
        _, by, direction = ORDERS[self.sort]
        names = {"q": "query", "author": "provider", "input": "input_modality", "output": "output_modality"}
        sent = [(names.get(name, name), getattr(self, name)) for name in ("q", "author", "offered_by", *_FACETS)]
        sent += [("capability", word) for word in self.capability] + [("min_context", self.min_context)]
        sent += [("is_available", "" if self.retired else "true"), ("is_active", "true")]
        sent += [("order_by", by), ("direction", direction)]
        chosen = dict.fromkeys((name, value) for name, value in sent if value)
        return f"/api/models/list?{urlencode(list(chosen))}"

    def without(self, name: str) -> Query:
        """The same with one filter dropped; `name` is a key of `tests`."""
        kind, _, word = name.partition(":")
        if kind == "capability":
            return replace(self, capability=tuple(one for one in self.capability if one != word), page=1)
        if kind == "retired":
            return replace(self, retired=True, page=1)
        return replace(self, **{kind: getattr(Query, kind)}, page=1)

    def keeping(self, name: str) -> Query:
        """The same with one filter alone."""
        kind, _, word = name.partition(":")
        kept: Any = (word,) if kind == "capability" else getattr(self, kind)
        return replace(Query(sort=self.sort), **{kind: kept})

    @property
    def tests(self) -> dict[str, Test]:
        """Each condition by the name of its filter; each capability is one of its own."""
        tests: dict[str, Test] = {}
        if words := search_words(self.q)[:MAX_WORDS]:
            tests["q"] = _searched(*words)
        if self.author:
            tests["author"] = lambda card: card.author == self.author
        for name, kind in _FACETS.items():
            if chosen := getattr(self, name):
                tests[name] = _holds(facet(kind, chosen))
        for word in self.capability:
            tests[f"capability:{word}"] = _holds(facet("capability", word))
        if self.min_context:
            tests["min_context"] = lambda card: (card.context_length or 0) >= self.min_context
        if self.free:
            tests["free"] = lambda card: card.is_free
        return tests


def _searched(first: str, *others: str) -> Test:
    return lambda card: first in card.search_text and all(word in card.search_text for word in others)


def _holds(line: str) -> Test:
    return lambda card: line in card.facets


def _whole(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) < 11
    return int(text) if is_number and 0 < int(text) <= MAX_INTEGER else None


@dataclass
class Found:
    """What a query finds in what one viewer sees, as primary keys."""

    query: Query
    total: int = 0
    # The rows of the list, in their order; variants stand under the row of their ordinary model.
    rows: list[int] = field(default_factory=list)
    variants: Mapping[int, list[int]] = field(default_factory=dict)
    # Filter -> option -> how many models it would show.
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    # Filter -> how many models there would be without it.
    without: dict[str, int] = field(default_factory=dict)
    # Where nothing is found and no single filter is in the way: filter -> how many there would be with it alone.
    alone: dict[str, int] = field(default_factory=dict)
    # How many of those found cost nothing, and how many more there are that nobody offers now.
    free: int = 0
    retired: int = 0

    @property
    def pages(self) -> int:
        return max(1, -(-len(self.rows) // PER_PAGE))

    @property
    def page(self) -> int:
        return min(self.query.page, self.pages)

    @property
    def shown(self) -> list[int]:
        return self.rows[(self.page - 1) * PER_PAGE : self.page * PER_PAGE]


def find(view: VisibleCatalog, query: Query) -> Found:
    """One pass over what the viewer sees: a model that fails one filter counts for that filter's other options."""
    tests = list(query.tests.items())
    signed_in = view.caller.viewer.user_id is not None
    shows_all = query.retired and signed_in
    found: list[int] = []
    cards: list[Card] = []
    # Those that only this one filter keeps out.
    only: dict[str, list[Card]] = defaultdict(list)
    for pk, rendered_model, mark in view.marked():
        card = rendered_model.card
        failed = "" if mark & AVAILABLE or shows_all else "retired"
        for name, test in tests:
            if not test(card):
                if failed:
                    break
                failed = name
        else:
            if failed:
                only[failed].append(card)
            else:
                found.append(pk)
                cards.append(card)
    if not signed_in:
        only.pop("retired", None)
    without = {name: len(cards) + len(kept_out) for name, kept_out in only.items()}
    variants = _variants(view, found, cards)
    folded = {pk for below in variants.values() for pk in below}
    heads = [pk for pk in found if pk not in folded]
    return Found(
        query,
        len(found),
        _sorted(view, heads, query.sort),
        variants,
        _counts(cards, only),
        without,
        {} if found or without else _alone(view, query),
        sum(card.is_free for card in cards),
        len(only.get("retired", ())),
    )


def _alone(view: VisibleCatalog, query: Query) -> dict[str, int]:
    cards = [rendered_model.card for _, rendered_model in view.having(AVAILABLE)]
    numbers = {name: sum(map(test, cards)) for name, test in query.tests.items()}
    return {name: number for name, number in numbers.items() if number}


def _counts(cards: list[Card], only: Mapping[str, list[Card]]) -> dict[str, Counter[str]]:
    words = _words(cards)
    counts = {"capability": _of_kind(words, "capability")}
    for name, kind in _FACETS.items():
        counts[name] = _of_kind(words + _words(only[name]) if name in only else words, kind)
    authors = Counter(card.author for card in cards) + Counter(card.author for card in only.get("author", ()))
    counts["author"] = Counter({author: number for author, number in authors.items() if author})
    lengths = Counter(card.context_length or 0 for card in (*cards, *only.get("min_context", ())))
    counts["min_context"] = Counter(
        {str(least): sum(n for length, n in lengths.items() if length >= least) for least in CONTEXTS}
    )
    return counts


def _words(cards: Iterable[Card]) -> Counter[str]:
    """How many have each word of a filter. Many models have the same words."""
    words: Counter[str] = Counter()
    for facets, number in Counter(card.facets for card in cards).items():
        for word in dict.fromkeys(line for line in facets.split("\n") if line):
            words[word] += number
    return words


def _of_kind(words: Counter[str], kind: str) -> Counter[str]:
    prefix = f"{kind}:"
    return Counter({word.removeprefix(prefix): n for word, n in words.items() if word.startswith(prefix)})


def _variants(view: VisibleCatalog, found: list[int], cards: list[Card]) -> dict[int, list[int]]:
    """Ordinary model -> its variants, where both are found."""
    present, pk_of = set(found), view.rendered.pk_of
    under: dict[int, list[int]] = defaultdict(list)
    for pk, card in zip(found, cards, strict=True):
        if card.base and (base := pk_of.get(card.base)) in present:
            under[base].append(pk)
    return dict(under)


def _sorted(view: VisibleCatalog, heads: list[int], sort: str) -> list[int]:
    if not sort:
        return heads
    orders = view.rendered.orders
    if sort not in orders:
        orders[sort] = _order(view, sort)
    wanted = set(heads)
    return [pk for pk in orders[sort] if pk in wanted]


def _order(view: VisibleCatalog, sort: str) -> list[int]:
    """Every model as /api/models/list sorts them: the id decides between equals, and what is unknown is last both ways.

    Made once for each version of the catalog: of 100,000 models it takes half a second.
    """
    _, column, direction = ORDERS[sort]
    value = attrgetter(_COLUMNS[column])
    rows = [(value(rendered.card), rendered.model_id, pk) for pk, rendered in view.rendered.by_pk.items()]
    known = sorted((row for row in rows if row[0] is not None), reverse=direction == "desc")
    unknown = sorted((row[1:] for row in rows if row[0] is None), reverse=direction == "desc")
    return [pk for _, _, pk in known] + [pk for _, pk in unknown]
