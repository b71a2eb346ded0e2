"""JSON as RFC 8259 has it, and nothing more: what `json.loads` lets pass would later break a page or a database."""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

from providers.client.errors import UpstreamError

MAX_DEPTH = 64
# Of objects, lists and their entries in one answer. The largest recorded one has 21,000; each takes up to 300 bytes
# when parsed, however few it took on the way.
MAX_VALUES = 400_000
# Beyond this no binary double exists; PostgreSQL and browsers disagree about what such a number means.
_MAX_EXPONENT = 308
# Possessive, so that a string of megabytes needs no memory to go back through, nor one without an end any time.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def strict_loads(data: bytes, *, per_record: bool = False, max_values: int = MAX_VALUES) -> Any:
    """Parse UTF-8 JSON; raise `UpstreamError` ("malformed", "too_large") on anything odd, and nothing else.

    Refused: NaN and Infinity, numbers beyond a double, integers of thousands of digits, duplicate keys, lone
    surrogates, nesting deeper than 64. A number with a fraction or an exponent becomes a `Decimal` of its own digits,
    so that a price keeps them.

    With `per_record`, the two faults that one record of a list can bring without harm to the others are left for the
    adapter to judge: a lone surrogate stays in its string, and what is nested too deep becomes null.
    """
    # Told by its commas and brackets before any of it is parsed, in one pass; those within texts count too.
    if len(data) - len(data.translate(None, b",[{")) > max_values:
        raise UpstreamError("too_large", f"The answer holds more than {max_values} values.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _malformed("is not UTF-8 text") from None
    try:
        value = _parse(text)
        deep = _depth_exceeds(value)
    except RecursionError:
        if not per_record:
            raise _malformed("is nested too deep") from None
        return _parse_cut(text)
    if deep:
        if not per_record:
            raise _malformed("is nested too deep")
        return _parse_cut(text)
    if not per_record and _ESCAPED_SURROGATE.search(text) and _has_lone_surrogate(value):
        raise _malformed("holds half a character (a lone surrogate)")
    return value


def _parse_cut(text: str) -> Any:
    try:
        return _parse(_cut(text))
    except RecursionError:
        raise _malformed("is nested too deep") from None


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_float=_decimal, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError:
        raise _malformed("is not JSON" if not text.lstrip().startswith("<") else "is a web page, not JSON") from None
    except ValueError:
        # int() refuses more than 4300 digits.
        raise _malformed("holds a number with thousands of digits") from None


def _malformed(what: str) -> UpstreamError:
    return UpstreamError("malformed", f"The answer {what}.")


def _decimal(digits: str) -> Decimal:
    try:
        number = Decimal(digits)
    except ArithmeticError:
        raise _malformed("holds a number out of range") from None
    if number and abs(number.adjusted()) > _MAX_EXPONENT:
        raise _malformed("holds a number out of range")
    return number


def _no_constant(name: str) -> NoReturn:
    raise _malformed(f"holds {name}, which is not JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _malformed("names a key twice in one object")
    return result


def _depth_exceeds(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for item in level if isinstance(item, (dict, list)) for child in _children(item)]
        if not level:
            return False
    return any(isinstance(item, (dict, list)) for item in level)


def _children(item: dict[str, Any] | list[Any]) -> Any:
    return item.values() if isinstance(item, dict) else item


def _has_lone_surrogate(value: Any) -> bool:
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            if any("\ud800" <= char <= "\udfff" for char in item):
                return True
        elif isinstance(item, dict):
            todo.extend(item.keys())
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
    return False


def _cut(text: str) -> str:
    """The same text with every container below the deepest allowed level replaced by null."""
    kept: list[str] = []
    depth, start, copied = 0, 0, 0
    for token in _TOKEN.finditer(text):
        char = token.group()
        if char in "[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                start = token.start()
        elif char in "]}":
            if depth == MAX_DEPTH + 1:
                kept += [text[copied:start], "null"]
                copied = token.end()
            depth -= 1
    kept.append(text[copied:])
    return "".join(kept)
