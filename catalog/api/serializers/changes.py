"""One change of the catalog, as /api/changes answers it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from catalog import changes
from catalog.api.serializers.answers import AnswerSerializer
from catalog.models import FieldChange


class ChangeSerializer(AnswerSerializer):
    """A change of what readers get. Of one that adds a model, `old` and `new` are null."""

    of_caller = frozenset({"old", "new"})

    cursor = serializers.CharField(help_text="Its place in the order of commits; opaque.")
    at = serializers.DateTimeField(source="changed_at")
    model_id = serializers.CharField(source="model.model_id")
    kind = serializers.ChoiceField(choices=changes.KINDS)
    field = serializers.CharField(allow_null=True)
    old = serializers.JSONField(help_text="Null: unknown, or not for this caller.")
    new = serializers.JSONField(help_text="Null: unknown, or not for this caller.")
    source = serializers.ChoiceField(choices=FieldChange.Source.choices)  # type: ignore[assignment]  # Our name, and one of a property of DRF's.
    provider = serializers.CharField(allow_null=True, help_text="The provider whose sync made it.")

    def get_cursor(self, change: FieldChange) -> str:
        return str(changes.Cursor.of(change))

    def get_kind(self, change: FieldChange) -> str:
        return changes.kind_of(change)

    def get_field(self, change: FieldChange) -> str | None:
        return None if change.field == "created" else change.field

    def get_provider(self, change: FieldChange) -> str | None:
        return changes.provider_of(change)


class ChangesSerializer(serializers.Serializer[Any]):
    items = ChangeSerializer(many=True)
    next = serializers.CharField(help_text="Send it as `since` to go on from here, now or later.")
