"""Odd values made plain: one function per kind of value that upstreams send, the same for every adapter.

Each returns the clean value, or None where it says nothing; a value that cannot be used raises `Unusable` with half a
sentence for the report. Limits are those of the stricter database, so that SQLite and PostgreSQL store the same rows.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from catalog import pricing
from catalog.validation import model_ids, moments
from catalog.validation.text import has_piled_marks
from catalog.validation.values import fits_64_bits
from providers.client.echoed_credentials import MASK

MAX_ID = model_ids.MAX_LENGTH
MAX_SHOWN_ID = 200
MAX_NAME = 255
MAX_DESCRIPTION = 20_000
MAX_WORD = 255
MAX_WHOLE = 2**31 - 1

_PLAIN_ID = re.compile(r"[!-~]+\Z")
# What no UTF-8 holds.
_SURROGATE = re.compile("[\ud800-\udfff]")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})(?:-([0-9]{2}))?\Z")
# Seconds since 1970 of the year 5138; anything larger counts milliseconds.
_MAX_SECONDS = 100_000_000_000
# OpenRouter writes 2098-12-31 for "no retirement planned".
_NO_RETIREMENT_YEAR = 2098


class Unusable(ValueError):
    """The value is there but cannot be used; the text gives the reason, to follow the field's name."""


class Unstorable(Unusable):
    """Text that no column may hold (NUL, half a character, far too long): the whole record is doubtful."""


def model_id(value: Any, *, any_script: bool = False) -> str:
    """An id that is safe to store, show and compare: printable ASCII without blanks, at most 255 characters.

    Other letters are refused, not mapped: a Cyrillic or full-width look-alike must never pass for the real id. With
    `any_script`, for a provider that shares its ids with nobody, they are taken, in NFC.
    """
    if not isinstance(value, str) or not value:
        raise Unusable("is missing or not text")
    if any_script:
        value = unicodedata.normalize("NFC", value)
    if len(value) > MAX_ID:
        raise Unusable(f"is longer than {MAX_ID} characters")
    if MASK in value:
        raise Unusable("holds the credential that it was asked with")
    if model_ids.WILDCARD in value:
        raise Unusable(f"holds a {model_ids.WILDCARD}, which in the policy of a key stands for any characters")
    if any_script and (problem := model_ids.problem_of(value)):
        raise Unusable(f"cannot be accepted: {problem}")
    if not any_script and not _PLAIN_ID.match(value):
        raise Unusable("holds blanks, control characters or letters beyond ASCII")
    return value


def legible(value: Any) -> str | None:
    """An id of whatever characters, to name its record in a report: cut, and escaped where it would not show.

    None where there is no text to name it by.
    """
    if not isinstance(value, str) or not value:
        return None
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in value[:MAX_SHOWN_ID]
    )
    # With the blank, what is cut cannot be another model's id.
    return shown if len(value) <= MAX_SHOWN_ID and len(shown) <= MAX_ID else f"{shown[:MAX_SHOWN_ID]} …"


def text(value: Any, limit: int = MAX_WORD) -> str | None:
    """Text in NFC without blanks around it; None for empty text."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Unusable("is not text")
    if len(value) > limit:
        raise Unstorable(f"is longer than {limit} characters")
    if "\0" in value or _SURROGATE.search(value):
        raise Unstorable("holds a character that cannot be stored")
    if has_piled_marks(value):
        raise Unstorable("piles up marks on one letter")
    return unicodedata.normalize("NFC", value).strip() or None


def words(value: Any) -> list[str]:
    """A list of short texts, each once, in upstream's order."""
    if not isinstance(value, list):
        raise Unusable("is not a list")
    found = [text(item) for item in value]
    return list(dict.fromkeys(word for word in found if word))


def flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise Unusable("is neither true nor false")


def whole(value: Any) -> int | None:
    """A count of tokens or dimensions: 1 to 2^31-1. A float is taken where it is exact; 0 is how upstreams write
    "unknown", or that there is no such thing."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise Unusable("is not a number")
    if not -MAX_WHOLE <= value <= MAX_WHOLE:
        raise Unusable("is out of range")
    if value == 0:
        return None
    if value < 0:
        raise Unusable("is not above zero")
    if value != int(value):
        raise Unusable("is not a whole number")
    return int(value)


def price(value: Any, *, per_million: bool = False) -> str | None:
    """A price as `catalog.pricing` stores it; None for the "-1" of a variable price."""
    try:
        return pricing.normalise(value, per_million=per_million)
    except pricing.NegativePrice:
        return None
    except pricing.NotAPrice as error:
        raise Unusable(str(error)) from None


def is_nothing(value: Any) -> bool:
    """Whether a price is absent or plainly zero; one that cannot be read may be any."""
    try:
        return value in (None, "") or pricing.normalise(value) == "0"
    except pricing.NotAPrice:
        return False


def costs(value: Any) -> bool:
    """Whether a number other than zero stands in the value, as a number or within text: "$0.01", "0.04 USD"."""
    if isinstance(value, dict | list):
        return any(map(costs, value.values() if isinstance(value, dict) else value))
    if isinstance(value, str):
        return any(digit in value for digit in "123456789")
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and bool(value)


def moment(value: Any) -> datetime | None:
    """A time in UTC from seconds, milliseconds or RFC 3339; 0 and the year 1 are how upstreams write "unknown"."""
    if value is None or value == "" or (not isinstance(value, (bool, str)) and value == 0):
        return None
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(moments.calendar(value))
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
            if found.year <= 1:
                return None
            found = found.astimezone(UTC)
        elif isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            seconds = float(value) / 1000 if value > _MAX_SECONDS else float(value)
            found = datetime.fromtimestamp(seconds, UTC)
        else:
            raise Unusable("is not a time")
    except (ValueError, OverflowError, OSError):
        raise Unusable("is not a time") from None
    if found.year == 1970 and found.timestamp() == 0:
        return None
    if not 2000 <= found.year < 2100:
        raise Unusable("is a time out of range")
    return found


def day(value: Any) -> date | None:
    """A date from YYYY-MM-DD, YYYY-MM (its first day) or the beginning of an RFC 3339 time."""
    if value is None or value == "":
        return None
    found = (
        _DATE.match(value[:10] if len(value) > 10 and value[10] in "T " else value) if isinstance(value, str) else None
    )
    if not found:
        raise Unusable("is not a date")
    try:
        result = date(int(found[1]), int(found[2]), int(found[3] or 1))
    except ValueError:
        raise Unusable("is not a date") from None
    if not 2000 <= result.year < 2100:
        raise Unusable("is a date out of range")
    return result


def retirement(value: Any) -> date | None:
    found = day(value)
    return None if found is None or found.year >= _NO_RETIREMENT_YEAR else found


def json_value(value: Any) -> Any:
    """A small value as any JSON field may hold it; raises where text or a number could not be stored."""
    if isinstance(value, Decimal):
        if not fits_64_bits(value):
            raise Unusable("holds a number out of range")
        return int(value) if value == value.to_integral_value() and abs(value) < MAX_WHOLE else float(value)
    if isinstance(value, str):
        return text(value, MAX_DESCRIPTION) or ""
    if isinstance(value, dict):
        return {str(text(key) or ""): json_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_value(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        raise Unusable("holds a number out of range")
    return value


def in_order(found: Iterable[str], order: Iterable[str]) -> list[str]:
    """The found words in the given order, unknown ones last: upstreams shuffle their lists, which is no change."""
    ranks = {word: rank for rank, word in enumerate(order)}
    return sorted(found, key=lambda word: (ranks.get(word, len(ranks)), word))
