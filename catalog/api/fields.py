"""Serializer fields that take what JSON says and nothing like it, and a serializer that refuses unknown fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers

from catalog.validation.values import validate_line


class Text(serializers.CharField):
    """Text only: a number is not taken for its digits, and blanks at the ends stay."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**({"trim_whitespace": False} | options))

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class NameField(Text):
    """A name in one line: its length and characters are checked as it was sent; then blanks at its ends are removed.

    DRF's `trim_whitespace` removes control characters too, and before the length is checked.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(validators=[validate_line], **options)

    def run_validation(self, data: Any = serializers.empty) -> str:
        line: str = super().run_validation(data).strip()
        if not line:
            self.fail("blank")
        return line


class Switch(serializers.BooleanField):
    """true or false only: no "yes", no 1."""

    default_error_messages = {"invalid": "This is true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class Whole(serializers.IntegerField):
    """A JSON integer only."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class BoundedList(serializers.ListField):
    """A list whose length is looked at before its items: DRF validates 20,000 of them, and tells of each."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            message = self.error_messages["max_length"].format(max_length=self.max_length)
            raise serializers.ValidationError(message, code="max_length")
        return super().to_internal_value(data)


class StrictSerializer(serializers.Serializer):
    """Refuses fields that it does not know, by name."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields or self.fields[name].read_only]
            if unknown:
                raise serializers.ValidationError(
                    {name[:64]: ["There is no such field to write."] for name in sorted(unknown)[:20]},
                    code="unknown_field",
                )
        return super().to_internal_value(data)


class ClosedBody(OpenApiSerializerExtension):
    """A body whose unknown fields are refused is described as closed; drf-spectacular finds the class by its import."""

    target_class = StrictSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return schema | {"additionalProperties": False} if direction == "request" else schema
