"""JSON as RFC 8259 has it, and nothing more: what `json.loads` lets pass would later break a page or a database.

The one parser of what callers, people and upstreams send. Each names its limits, and words its refusals itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import orjson
from django.core.exceptions import ValidationError

from catalog.validation.values import validate_json

# Makes the exception for a code (encoding, too_many, invalid_json, duplicate_key, not_finite, too_deep, too_big,
# out_of_range, bad_character) and the word, key or place that it is about.
Refusal = Callable[[str, str], Exception]
# Beyond this no binary double exists; PostgreSQL and browsers disagree about what such a number means.
_MAX_EXPONENT = 308
# Possessive, so that a string of megabytes needs no memory to go back through. One without an end is taken up to the
# end of the text: looked for again from each quote in it, it would cost the square of its length.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def loads(
    data: bytes,
    refusal: Refusal,
    *,
    max_marks: int,
    max_depth: int,
    max_entries: int | None = None,
    exact: bool = False,
    cut: bool = False,
    storable: bool = False,
) -> Any:
    """The value that `data`, in UTF-8, is JSON for. Raises what `refusal` makes, and nothing else.

    Refused: NaN and Infinity, integers of thousands of digits, duplicate keys, more than `max_entries` entries, and
    nesting deeper than `max_depth`; with `cut`, what is nested deeper becomes null instead. `max_marks` bounds commas
    and opening brackets, which are counted before anything is parsed; those within texts count too.

    With `exact`, a number with a fraction or an exponent becomes a `Decimal` of its own digits, and one beyond a double
    is refused. With `storable`, texts that no database holds are refused: half a character, U+0000.
    """
    if len(data) - len(data.translate(None, b",[{")) > max_marks:
        raise refusal("too_many", "")
    if storable:
        try:
            orjson.loads(data)  # strict about NaN, UTF-8, lone surrogates and depth, and fast to refuse them
        except orjson.JSONDecodeError:
            raise refusal("invalid_json", "") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refusal("encoding", "") from None
    try:
        value = _parse(text, refusal, exact)
        is_deep = _is_too_deep(value, refusal, max_depth, max_entries)
    except RecursionError:
        is_deep = True
    if is_deep:
        if not cut:
            raise refusal("too_deep", "")
        try:
            value = _parse(_cut(text, max_depth), refusal, exact)
        except RecursionError:
            raise refusal("too_deep", "") from None
    if storable and "\\u0000" in text and any("\0" in found for found in _texts(value)):
        raise refusal("bad_character", "U+0000")
    return value


_FOR_PEOPLE = {
    "invalid_json": "This is not JSON: {}.",
    "duplicate_key": "The key {} stands twice in one object.",
    "not_finite": "{} is not JSON.",
    "too_big": "A number in it has too many digits.",
    "too_deep": "This is nested too deeply.",
}


def _for_people(code: str, what: str) -> Exception:
    return ValidationError(_FOR_PEOPLE[code].format(what), code=code)


def parse(text: str) -> Any:
    """The value of JSON that a person typed. Raises ValidationError with the reason and the place."""
    try:
        value = _parse(text, _for_people, exact=False)
    except RecursionError:
        raise _for_people("too_deep", "") from None
    validate_json(value)
    return value


def _parse(text: str, refusal: Refusal, exact: bool) -> Any:
    """Raises RecursionError, and what `refusal` makes."""

    def no_constant(name: str) -> Any:
        raise refusal("not_finite", name)

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise refusal("duplicate_key", repr(twice[:64]))
        return found

    def decimal(digits: str) -> Decimal:
        try:
            number = Decimal(digits)
        except ArithmeticError:
            raise refusal("out_of_range", "") from None
        if number and abs(number.adjusted()) > _MAX_EXPONENT:
            raise refusal("out_of_range", "")
        return number

    try:
        return json.loads(
            text,
            parse_float=decimal if exact else None,
            parse_constant=no_constant,
            object_pairs_hook=no_duplicates,
        )
    except json.JSONDecodeError as error:
        raise refusal("invalid_json", f"{error.msg} in line {error.lineno}, column {error.colno}") from None
    except ValueError:
        # int() refuses more than 4300 digits.
        raise refusal("too_big", "") from None


def _is_too_deep(value: Any, refusal: Refusal, max_depth: int, max_entries: int | None) -> bool:
    """Whether a container stands deeper than `max_depth`. Raises what `refusal` makes for more than `max_entries`."""
    level, entries = [value], 0
    for _ in range(max_depth):
        level = [child for item in level if isinstance(item, (dict, list)) for child in _children(item)]
        entries += len(level)
        if max_entries is not None and entries > max_entries:
            raise refusal("too_many", "")
        if not level:
            return False
    return any(isinstance(item, (dict, list)) for item in level)


def _children(item: dict[str, Any] | list[Any]) -> Any:
    return item.values() if isinstance(item, dict) else item


def _texts(value: Any) -> Iterator[str]:
    """Every text in the value, keys too."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            todo.extend(item.keys())
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)


def _cut(text: str, max_depth: int) -> str:
    """The same text with every container below the deepest allowed level replaced by null."""
    parts: list[str] = []
    depth, start, copied = 0, 0, 0
    for token in _TOKEN.finditer(text):
        char = token.group()
        if char in "[{":
            depth += 1
            if depth == max_depth + 1:
                start = token.start()
        elif char in "]}":
            if depth == max_depth + 1:
                parts += [text[copied:start], "null"]
                copied = token.end()
            depth -= 1
    parts.append(text[copied:])
    return "".join(parts)
