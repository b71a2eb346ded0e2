"""Which text and JSON may be stored: what one database takes and the other refuses is refused for both."""

import math
import unicodedata
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError

MAX_INTEGER = 2_147_483_647  # PostgreSQL's integer; SQLite would take more.
MAX_DEPTH = 64
MAX_KEYS = 1000
MAX_TEXT = 20_000


def validate_text(text: str) -> None:
    """Refuses what is no text: control characters (but tab and line ends), lone surrogates, noncharacters."""
    if text.isprintable():
        return  # The usual case, without a look at each character.
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs" or _is_noncharacter(character) or (category == "Cc" and character not in "\t\n\r"):
            raise ValidationError(f"The character U+{ord(character):04X} cannot be stored.", code="bad_character")


def _is_noncharacter(character: str) -> bool:
    """The 66 code points that Unicode keeps from ever being characters; XML and some clients refuse them."""
    return "\ufdd0" <= character <= "\ufdef" or ord(character) & 0xFFFE == 0xFFFE


def validate_line(text: str) -> None:
    """Refuses, besides, line ends, tabs and the marks that turn the reading direction or have no width."""
    if text.isprintable():
        return
    validate_text(text)
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp"):
            raise ValidationError(
                f"The character U+{ord(character):04X} has no place in one line.", code="bad_character"
            )


def fits_64_bits(number: int | float | Decimal) -> bool:
    """Whether clients can read the number. A float counts by its value: a database may return it as an integer."""
    return -(2**63) <= number < 2**63


def validate_json(value: Any) -> None:
    """Refuses JSON that is too deep or wide, or holds a number or text that cannot be stored and read back."""
    keys = 0
    pending: list[tuple[Any, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise ValidationError(f"At most {MAX_DEPTH} levels may be nested.", code="too_deep")
        if isinstance(item, str):
            if len(item) > MAX_TEXT:
                raise ValidationError(f"A text in it has more than {MAX_TEXT} characters.", code="too_long")
            validate_text(item)
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValidationError("NaN and infinities are not JSON.", code="not_finite")
        elif isinstance(item, int | float) and not fits_64_bits(item):
            raise ValidationError("A number in it does not fit 64 bits; write it as text.", code="too_big")
        elif isinstance(item, list | tuple):
            keys += len(item)
            pending.extend((inner, depth + 1) for inner in item)
        elif isinstance(item, dict):
            keys += len(item)
            for key, inner in item.items():
                if not isinstance(key, str):
                    raise ValidationError("Keys are text.", code="bad_key")
                pending += [(key, depth), (inner, depth + 1)]
        if keys > MAX_KEYS:
            raise ValidationError(f"At most {MAX_KEYS} entries may stand in it.", code="too_many")


def validate_object(value: Any) -> None:
    """Refuses JSON that is not an object."""
    if not isinstance(value, dict):
        raise ValidationError("This is a JSON object, such as {}.", code="not_an_object")
    validate_json(value)


def validate_words(value: Any) -> None:
    """Refuses anything but a list of short words, such as modalities."""
    validate_json(value)
    if not isinstance(value, list) or not all(isinstance(word, str) and 0 < len(word) <= 64 for word in value):
        raise ValidationError('This is a list of words, such as ["text", "image"].', code="not_words")
    for word in value:
        validate_line(word)
    if len(set(value)) != len(value):
        raise ValidationError("A word stands in it twice.", code="duplicate")


def validate_reasoning_levels(value: Any) -> None:
    """Refuses anything but a list of `{"effort": word, "description": text}`."""
    validate_json(value)
    if not isinstance(value, list):
        raise ValidationError("This is a list of levels.", code="not_levels")
    for level in value:
        if (
            not isinstance(level, dict)
            or set(level) - {"effort", "description"}
            or not isinstance(level.get("effort"), str)
            or not level["effort"]
            or not isinstance(level.get("description", ""), str)
        ):
            raise ValidationError('A level is {"effort": "low", "description": "..."}.', code="not_levels")


def validate_supported_parameters(value: Any) -> None:
    """Refuses anything but `{"names": [words], "default": {name: value}}`, either part optional."""
    validate_object(value)
    if set(value) - {"names", "default"}:
        raise ValidationError('Only "names" and "default" stand in it.', code="unknown_key")
    validate_words(value.get("names", []))
    if not isinstance(value.get("default", {}), dict):
        raise ValidationError('"default" is an object.', code="not_an_object")
