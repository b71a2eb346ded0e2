"""What all answers have in common: a serializer is both what is sent and what the OpenAPI document says of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from operator import attrgetter
from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.plumbing import get_lib_doc_excludes
from rest_framework import serializers

# What says that a value is unknown; 0 and false are known.
_UNKNOWN: tuple[Any, ...] = (None, "", [], {})


class UnixSeconds(serializers.IntegerField):
    """A moment in whole seconds since 1970."""

    def to_representation(self, value: Any) -> int:
        return int(value.timestamp())


class WhereTrue(serializers.BooleanField):
    """Left out where it is false."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)

    def to_representation(self, value: Any) -> Any:
        return True if value else None


class Always(serializers.Field):
    """The same in each answer, whatever it is of."""

    def __init__(self, value: Any, **options: Any) -> None:
        super().__init__(source="*", **options)
        self.value = value
        set_override(self, "field", _schema_of(value))

    def to_representation(self, instance: Any) -> Any:
        return self.value


def _schema_of(value: Any) -> dict[str, Any]:
    """What describes this value alone. Generators of clients take `const` for texts and numbers only."""
    if isinstance(value, dict):
        properties = {name: _schema_of(inner) for name, inner in value.items()}
        return {"type": "object", "properties": properties, "required": [*value]}
    if isinstance(value, list):
        return {"type": "array", "items": {}, "maxItems": 0}
    # Nor do all take null for a type.
    return {"type": ["string", "null"], "description": "Always null."} if value is None else {"const": value}


class AnswerSerializer(serializers.Serializer):
    """The shape of an answer. Of its fields, those that are not required are left out where the value is unknown.

    A required one is null there, or "", as it allows. A value comes from the method `get_` and the field's name, where
    there is one, else from the field's source. An instance may serve all threads: rendering leaves no trace in it.
    """

    # Fields that differ between callers: whoever renders for a caller adds them.
    of_caller: frozenset[str] = frozenset()

    def reader(self, source: str) -> Callable[[Any], Any]:
        """What reads a value of this source."""
        return attrgetter(source)

    @cached_property
    def _plan(self) -> list[tuple[str, Any, Callable[[Any], Any]]]:
        plan = []
        for name, field in self.fields.items():
            if name not in self.of_caller:
                read = _itself if field.source == "*" else self.reader(str(field.source))
                plan.append((name, field, getattr(self, f"get_{name}", read)))
        return plan

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown = {}
        for name, field, read in self._plan:
            value = read(instance)
            if value is not None:
                value = field.to_representation(value)
            if value in _UNKNOWN:
                if not field.required:
                    continue
                if getattr(field, "allow_blank", False):
                    value = ""
                elif field.allow_null:
                    value = None
            shown[name] = value
        return shown


def _itself(instance: Any) -> Any:
    return instance


def not_described() -> list[type]:
    """Classes whose docstring does not describe what derives from them, for drf-spectacular."""
    return [*get_lib_doc_excludes(), AnswerSerializer]
