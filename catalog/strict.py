"""Serializer fields that take only a value of their own JSON type, and a serializer that refuses unknown fields."""

from typing import Any

from rest_framework import serializers


class Text(serializers.CharField):
    """Text only: a number is not taken for its digits."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Switch(serializers.BooleanField):
    """true or false only: no "yes", no 1."""

    default_error_messages = {"invalid": "This is true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class StrictSerializer(serializers.Serializer):
    """Refuses fields that it does not know, by name."""

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        if unknown := [name for name in data if name not in self.fields or self.fields[name].read_only]:
            raise serializers.ValidationError(
                {name[:64]: ["There is no such field to write."] for name in sorted(unknown)[:20]}, code="unknown_field"
            )
        return values
