"""Model fields that behave alike on SQLite and PostgreSQL."""

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.fields.json import KeyTransform

from catalog.validation.values import fits_64_bits


class ExactCharField(models.CharField):
    """Text compared and sorted by code point.

    SQLite compares so by default; PostgreSQL follows the collation of the database unless a column names "C".
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters


class Unreadable:
    """Marks the empty value that stands for JSON which cannot be read, or is not of its field's kind."""


class _UnreadableObject(Unreadable, dict[str, Any]):
    pass


class _UnreadableList(Unreadable, list[Any]):
    pass


_IN_PLACE_OF: dict[type, type] = {dict: _UnreadableObject, list: _UnreadableList}


class StoredJSON(models.JSONField):
    """JSON that reads back alike from both databases and never fails to, whoever wrote it.

    A number that does not fit 64 bits comes back as text: PostgreSQL keeps 1e200 and returns it as an integer of 201
    digits, which clients cannot read and orjson does not write. In place of what is nested too deeply, is no object
    (or list) where the default is one, or is not of the `shape`, stands an empty one, marked as Unreadable.
    """

    def __init__(self, *args: Any, shape: Callable[[Any], bool] | None = None, **kwargs: Any) -> None:
        self.shape = shape
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        # The column is that of Django's field: what only concerns reading needs no migration.
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if value is None or (isinstance(expression, KeyTransform) and not isinstance(value, str)):
            return value
        try:
            found = _DECODER.decode(value)
            if _SURROGATE.search(value):
                # Half a character, which SQLite keeps, cannot be sent: UnicodeEncodeError.
                json.dumps(found, ensure_ascii=False).encode()
        except (ValueError, TypeError, RecursionError):
            found = None
        if isinstance(expression, KeyTransform):
            return found
        kind = type(self.get_default())
        if kind not in _IN_PLACE_OF or (isinstance(found, kind) and (self.shape is None or self.shape(found))):
            return found
        return _IN_PLACE_OF[kind]()


def _integer(digits: str) -> int | str:
    # Python refuses to read more than 4300 digits.
    number = int(digits) if len(digits) < 64 else None
    return number if number is not None and fits_64_bits(number) else _as_text(digits)


def _float(digits: str) -> float | int | str:
    number = float(digits)
    if not math.isfinite(number) or not fits_64_bits(number):
        return _as_text(digits)
    # PostgreSQL writes no exponents, so what Python writes with one comes back as a whole number; nor has it a -0.
    return int(number) if abs(number) >= 1e16 else number + 0.0


def _as_text(digits: str) -> str:
    try:
        return str(Decimal(digits).normalize())
    except ArithmeticError:
        return digits


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=str)
