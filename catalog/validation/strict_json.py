"""JSON that people type: what Python's own parser lets pass and no database should hold is refused in words."""

import json
from typing import Any

from django.core.exceptions import ValidationError

from catalog.validation.values import validate_json


def _constant(word: str) -> Any:
    raise ValidationError(f"{word} is not JSON.", code="not_finite")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValidationError(f"The key {key[:64]!r} stands twice in one object.", code="duplicate_key")
        found[key] = value
    return found


def parse(text: str) -> Any:
    """The value that `text` is JSON for. Raises ValidationError with the reason and the place."""
    try:
        value = json.loads(text, parse_constant=_constant, object_pairs_hook=_pairs)
    except json.JSONDecodeError as error:
        message = f"This is not JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        raise ValidationError(message, code="invalid_json") from None
    except RecursionError:
        raise ValidationError("This is nested too deeply.", code="too_deep") from None
    except ValueError:
        raise ValidationError("A number in it has too many digits.", code="too_big") from None
    validate_json(value)
    return value
