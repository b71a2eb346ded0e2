"""Every price: how it is read, bounded, compared, converted and worded.

A price is stored as plain decimal text in USD, for one token or for the unit that its kind names (a request, an image,
a search). A kind that is absent is unknown; "0" is free.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from functools import cached_property
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError

from catalog.validation.values import validate_json

# The kinds that are known by name, in the order in which they are shown.
KINDS = (
    "prompt", "completion", "request", "image", "web_search", "internal_reasoning", "input_cache_read",
    "input_cache_write", "input_cache_write_1h", "audio", "audio_output", "image_output", "image_token",
    "input_audio_cache",
)  # fmt: skip
BY_TOKEN = frozenset(KINDS) - {"request", "image", "web_search"}
# Those of text. Zeros of prompt and completion say nothing where something else is paid for, such as tokens of images.
OF_TEXT = frozenset(
    {"prompt", "completion", "internal_reasoning", "input_cache_read", "input_cache_write", "input_cache_write_1h"}
)
# Those that are not of tokens: one, many, and the powers of ten that they are sold by: the first is for no cost.
# Vendors name searches and requests by the thousand; an image costs from a few cents to a few millionths of one.
SOLD = {
    "request": ("request", "requests", (3,)),
    "image": ("image", "images", (0, 3, 6)),
    "web_search": ("web search", "web searches", (3,)),
}
_COUNTS = {3: "thousand", 6: "million"}
_CENT = Decimal("0.01")
# What an entry of `overrides` may depend on; its other keys are kinds of price.
CONDITIONS = ("min_prompt_tokens", "utc_start", "utc_end", "utc_days")

UNKNOWN = "unknown"

# A price beyond these is a mistake of unit: no recorded one has more than 23 decimals.
_LIMIT = Decimal(1_000_000)
_MAX_PLACES = 28
# USD for one token, above which a price is for many: the dearest that a vendor is known to ask is 0.0006.
_DEAREST_TOKEN = Decimal("0.002")
_NUMBER = re.compile(r"-?(?:[0-9]{1,40}(?:\.[0-9]{0,60})?|\.[0-9]{1,60})(?:[eE][+-]?[0-9]{1,4})?\Z")
# Holds every digit of a price; Python's own context rounds to 28.
_EXACT = Context(prec=120)


class NotAPrice(ValueError):
    """The text is half a sentence on what is wrong, to follow the name of the price."""


class NegativePrice(NotAPrice):
    """Upstreams write -1 where a price varies."""


def normalise(value: Any, *, per_million: bool = False) -> str:
    """The decimal text to store: all of the digits, no exponent, no zeros at the end, "0" for any zero.

    `value` is text or a number in USD for one unit, or with `per_million` for a million. Raises NotAPrice.
    """
    if isinstance(value, float):
        value = repr(value)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise NotAPrice("is not a price")
    written = str(value).strip()
    if not _NUMBER.match(written):
        raise NotAPrice("is not a price")
    amount = Decimal(written)
    if not amount:
        return "0"
    if amount < 0:
        raise NegativePrice("is negative")
    if per_million:
        amount = amount.scaleb(-6, _EXACT)
    if amount >= _LIMIT or amount.adjusted() < -_MAX_PLACES:
        raise NotAPrice("is out of range for a price")
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if len(text.partition(".")[2]) > _MAX_PLACES:
        raise NotAPrice("has too many decimals for a price")
    return text


def is_for_one_token(value: Any) -> bool:
    """Whether a price can be in USD for one token: what is no price at all may be."""
    try:
        return Decimal(normalise(value)) <= _DEAREST_TOKEN
    except NotAPrice:
        return True


def read(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Prices by kind as they are stored, those under conditions (`overrides`) too. Raises ValidationError."""
    validate_json(dict(sent))
    found: dict[str, Any] = {}
    for kind, value in sent.items():
        if kind == "overrides":
            if value:
                found[kind] = _read_overrides(value)
        elif value is not None:
            found[kind] = _read_one(kind, value)
    return found


def _read_overrides(entries: Any) -> list[dict[str, Any]]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValidationError("Prices under conditions are a list of objects.", code="invalid")
    return [
        {name: value if name in CONDITIONS else _read_one(name, value) for name, value in entry.items()}
        for entry in entries
    ]


def _read_one(kind: str, value: Any) -> str:
    try:
        return normalise(value)
    except NotAPrice as error:
        raise ValidationError(f"Price {kind} {error}.", code="invalid") from error


def per_million(price: str) -> Decimal:
    """USD for a million of what the stored price is for one of. Raises NotAPrice."""
    return _decimal(price).scaleb(6, _EXACT)


def dollars(amount: Decimal) -> str:
    """An amount of USD for people: two decimals at least, and no zeros after them: $0.00, $2.50, $0.005."""
    exact = (amount or Decimal(0)).normalize(_EXACT)
    return f"${exact:.{max(2, -int(exact.as_tuple().exponent))}f}"


def typed(kind: str, price: str) -> str:
    """A stored price as people type it: plain digits in the unit that `label` names. Raises NotAPrice."""
    amount = (per_million(price) if kind in BY_TOKEN else _decimal(price)).normalize(_EXACT)
    return format(amount or Decimal(0), "f")


def moved_far(before: str, after: str) -> str:
    """How far two stored prices are apart, where that mostly is a mistake: "more than ten times", "free"; else ""."""
    low, high = sorted((_decimal(before), _decimal(after)))
    if high <= 10 * low:
        return ""
    if low:
        return "more than ten times"
    return "free before" if _decimal(after) else "free"


def label(kind: str) -> str:
    """The name of a kind and the unit that `worded` gives it in."""
    return kind.replace("_", " ") + (" per million" if kind in BY_TOKEN else "")


def worded(kind: str, price: str | None) -> str:
    """A stored price in dollars, in the unit that `label` names. Raises NotAPrice."""
    if price is None:
        return UNKNOWN
    return dollars(per_million(price) if kind in BY_TOKEN else _decimal(price))


def called(kind: str) -> str:
    """The name of a kind beside its amount. What tokens cost is always for a million, and needs no word of it."""
    name = kind.replace("_", " ")
    if kind == "overrides":
        return "under conditions"
    return name if kind in BY_TOKEN else f"per {name}"


def in_words(prices: Any) -> str:
    """Stored prices of all kinds: `prompt $2.50, completion $10.00, per image $0.01`."""
    kinds = in_order(prices) if isinstance(prices, Mapping) else ()
    return ", ".join(f"{called(kind)} {_said(kind, prices[kind])}" for kind in kinds) or UNKNOWN


class Moved(NamedTuple):
    """One price that changed, in words; `by` is the change in per cent, "" where it has none."""

    name: str
    old: str
    new: str
    by: str

    def __str__(self) -> str:
        return f"{self.name} {self.old} to {self.new}{self.by}"


def moved(before: Any, after: Any) -> list[Moved]:
    """What differs between two sets of stored prices: `completion $0.95 to $1.08 (+14 %)`."""
    old, new = (side if isinstance(side, Mapping) else {} for side in (before, after))
    kinds = [kind for kind in in_order({**old, **new}) if old.get(kind) != new.get(kind)]
    return [
        Moved(called(kind), _said(kind, old.get(kind)), _said(kind, new.get(kind)), _by(old.get(kind), new.get(kind)))
        for kind in kinds
    ]


# As it is set in figures, which a hyphen is not.
MINUS = "\N{MINUS SIGN}"


def share(old: Decimal, new: Decimal) -> str:
    """By how much a price changed, in per cent with its sign."""
    if not old:
        return ""
    change = (new - old) * 100 / old
    return f"{'+' if change > 0 else MINUS}{abs(change):.{0 if abs(change) >= 1 else 1}f} %"


def _by(old: Any, new: Any) -> str:
    before, after = _amount(old), _amount(new)
    by = share(before, after) if before and after is not None else ""
    return f" ({by})" if by else ""


def in_order(kinds: Collection[str]) -> list[str]:
    """Kinds as they are shown: those that are known by name first, prices under conditions last."""
    others = sorted({*kinds} - {*KINDS}, key=lambda kind: (kind == "overrides", kind))
    return [*(kind for kind in KINDS if kind in kinds), *others]


def _said(kind: str, price: Any) -> str:
    """One stored price in words, whatever is stored."""
    if kind == "overrides":
        return f"({'; '.join(map(_under_conditions, price))})" if isinstance(price, list) and price else "none"
    return worded(kind, price) if price is None or _amount(price) is not None else str(price)


def _under_conditions(entry: Any) -> str:
    """`prompts of 200,000 tokens or more: prompt $5.00`, `from 16:30 to 00:30 UTC: completion $0.55`."""
    try:
        return f"{condition(entry)}: {in_words({kind: entry[kind] for kind in entry if kind not in CONDITIONS})}"
    except (TypeError, ValueError):
        # Older than the checks of what is stored.
        return str(entry)


def condition(entry: Mapping[str, Any]) -> str:
    """What one of the prices under conditions depends on. Raises TypeError, ValueError."""
    when = []
    if "min_prompt_tokens" in entry:
        when.append(f"prompts of {int(entry['min_prompt_tokens']):,} tokens or more")
    if "utc_start" in entry or "utc_end" in entry:
        edges = [divmod(_minute(entry.get(edge)), 60) for edge in ("utc_start", "utc_end")]
        start, end = (f"{hour:02}:{minute:02}" for hour, minute in edges)
        when.append(f"from {start} to {end} UTC")
    if "utc_days" in entry:
        when.append(f"on {', '.join(str(day).capitalize() for day in entry['utc_days'])}")
    return ", ".join(when) or "otherwise"


def sold(kind: str, price: str, token: str | None = None) -> tuple[str, str]:
    """A stored price that is of no tokens as people buy it: "per thousand web searches", and the dollars.

    Images are told of as many as cost a cent. Upstreams that count an image in tokens list one at the price of a token
    of input, which is what `token` is. Raises NotAPrice.
    """
    if kind == "image" and token is not None and _decimal(price) == _decimal(token) != 0:
        return "per image", "as a token of input"
    if kind not in SOLD:
        return called(kind), worded(kind, price)
    one, many, exponents = SOLD[kind]
    amounts = {exponent: _decimal(price).scaleb(exponent, _EXACT) for exponent in exponents}
    fitting = (exponent for exponent, amount in amounts.items() if amount >= _CENT or not amount)
    exponent = next(fitting, exponents[-1])
    unit = f"{_COUNTS[exponent]} {many}" if exponent else one
    return f"per {unit}", dollars(amounts[exponent])


def in_and_out(prices: Mapping[str, Any]) -> str:
    """The stored prices of prompt and completion for a narrow column: `$0.25 / $1.25`, "" where neither is known."""
    kinds = ("prompt", "completion")
    return " / ".join(worded(k, prices[k]) if k in prices else "?" for k in kinds) if prices.keys() & {*kinds} else ""


def is_free(pricing: Mapping[str, Any]) -> bool:
    """Whether prompt and completion are known to cost nothing, and nothing else costs anything at any time.

    A router's price is unknown, not nothing.
    """
    tariff = Tariff(pricing)
    return all(tariff.known.get(kind) == 0 for kind in ("prompt", "completion")) and not tariff.asks_for_money


def prompt_per_million(pricing: Mapping[str, Any]) -> float | None:
    """USD per million prompt tokens, to filter and to sort by; None where unknown."""
    price = Tariff(pricing).per_million("prompt")
    return None if price is None else float(price)


@dataclass(frozen=True)
class Tariff:
    """The stored prices of one offer or entry: by kind, and under `overrides` those that depend on conditions."""

    stored: Mapping[str, Any]

    @cached_property
    def known(self) -> dict[str, Decimal]:
        """The prices that filters and pickers may rely on, as numbers.

        A token price of zero beside a price of something else says that text is not what is paid for, not that the
        model is free: it is left out, as unknown. So is whatever is no price.
        """
        known = {kind: amount for kind, price in self.stored.items() if (amount := _amount(price)) is not None}
        if any(amount for kind, amount in known.items() if kind not in OF_TEXT):
            return {kind: amount for kind, amount in known.items() if amount}
        return known

    @cached_property
    def overrides(self) -> list[dict[str, Any]]:
        """The prices under conditions, less those whose conditions cannot be read."""
        return [dict(entry) for entry in self.stored.get("overrides", []) if _has_readable_conditions(entry)]

    def of_prompt(self, tokens: int) -> Tariff:
        """What a prompt of so many tokens costs: of the overrides that its size alone decides, later ones win."""
        prices = dict(self.stored)
        for entry in self.overrides:
            if entry.keys() & {*CONDITIONS} == {"min_prompt_tokens"} and tokens >= entry["min_prompt_tokens"]:
                prices |= {kind: price for kind, price in entry.items() if kind not in CONDITIONS}
        return Tariff(prices)

    @property
    def asks_for_money(self) -> bool:
        """Whether any price is above zero, whatever it is of, those under conditions too."""
        prices = [self.stored, *self.stored.get("overrides", [])]
        return any(_amount(some[kind]) for some in prices for kind in some if kind not in CONDITIONS)

    def per_million(self, kind: str) -> Decimal | None:
        """USD per million tokens; None where unknown."""
        return per_million(self.stored[kind]) if kind in self.known else None

    def cost(self, prompt: int, completion: int) -> Decimal | None:
        """USD for so many tokens of prompt and of completion, and for nothing else; None where a price is unknown."""
        total = Decimal(0)
        for kind, number in (("prompt", prompt), ("completion", completion)):
            if number:
                if kind not in self.known:
                    return None
                total = _EXACT.add(total, _EXACT.multiply(self.known[kind], number))
        return total

    @property
    def by_token(self) -> dict[str, str]:
        """The stored prices of prompt and completion, as far as they are known."""
        return {kind: self.stored[kind] for kind in ("prompt", "completion") if kind in self.known}

    def signature(self) -> dict[str, Any]:
        """Equal where the tariffs are.

        The base price of a kind is left out where windows of the day set it, since it follows the clock, and the order
        of the windows does not count.
        """
        overrides = [dict(entry) for entry in self.stored.get("overrides", [])]
        timed = {kind for entry in overrides if "utc_start" in entry or "utc_days" in entry for kind in entry}
        timed -= {*CONDITIONS}
        base = {kind: price for kind, price in self.stored.items() if kind != "overrides" and kind not in timed}
        return {**base, "overrides": sorted(overrides, key=lambda entry: sorted(map(str, entry.items())))}

    def steadied(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The prices to store in place of those of `before`, without the flapping of hourly tariffs.

        Where prices depend on the time of day, upstream's base price is the one of the moment it was read. Where the
        windows fill the day, the base is the highest of them; otherwise a base that equals the price of a window may
        only be that window's, so the base of `before` stays.
        """
        found = dict(self.stored)
        windows = [e for e in self.stored.get("overrides", []) if "utc_start" in e and "utc_days" not in e]
        for kind in {key for entry in windows for key in entry} - {*CONDITIONS}:
            named = [entry for entry in windows if kind in entry]
            prices = [entry[kind] for entry in named]
            if _fill_the_day([entry for entry in named if "min_prompt_tokens" not in entry]):
                found[kind] = max(prices, key=Decimal)
            elif found.get(kind) in prices and before.get("overrides") == self.stored["overrides"] and kind in before:
                found[kind] = before[kind]
        return found


def _decimal(price: str) -> Decimal:
    try:
        return Decimal(price)
    except InvalidOperation as error:
        raise NotAPrice(f"{price} is no price") from error


def _amount(price: Any) -> Decimal | None:
    """None for what is no price, such as the list of those under conditions."""
    try:
        return _decimal(price) if isinstance(price, str) else None
    except NotAPrice:
        return None


def _has_readable_conditions(entry: Mapping[str, Any]) -> bool:
    numbers = [entry[name] for name in CONDITIONS if name in entry and name != "utc_days"]
    are_numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    return are_numbers and isinstance(entry.get("utc_days", []), list)


def _fill_the_day(windows: list[dict[str, Any]]) -> bool:
    minutes: set[int] = set()
    for entry in windows:
        start, end = (_minute(entry.get(edge)) for edge in ("utc_start", "utc_end"))
        # Half-open, and may wrap midnight; a window that ends where it begins is the whole day.
        length = (end - start) % 1440 or 1440
        minutes.update((start + step) % 1440 for step in range(length))
    return len(minutes) == 1440


def _minute(clock: Any) -> int:
    """Minutes since midnight of a clock time written as the number HHMM."""
    number = int(clock or 0)
    return number // 100 * 60 + number % 100
