"""What callers send and get at /api/models and /api/settings."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from catalog.api.fields import BoundedList, StrictSerializer, Switch, Text
from catalog.validation.model_ids import MAX_LENGTH
from preferences.models import Profile
from preferences.writing import MAX_SWITCHES


class SwitchSerializer(StrictSerializer):
    """One model, switched on or off for the caller. Fields of the catalog are refused: those are staff's to edit."""

    model_id = Text(max_length=MAX_LENGTH)
    is_enabled = Switch()


class SwitchesSerializer(StrictSerializer):
    """Several at once: all of them or none."""

    updates = BoundedList(child=SwitchSerializer(), allow_empty=False, max_length=MAX_SWITCHES)

    def validate_updates(self, updates: list[dict[str, Any]]) -> list[dict[str, Any]]:
        first: dict[str, int] = {}
        twice = {}
        for position, update in enumerate(updates):
            seen = first.setdefault(update["model_id"], position)
            if seen != position:
                twice[str(position)] = {"model_id": [f"The same id as in entry {seen}; send each once."]}
        if twice:
            raise serializers.ValidationError(twice, code="duplicate")
        return updates


class DoneSerializer(serializers.Serializer):
    ok = serializers.BooleanField()


class SettingsSerializer(serializers.Serializer):
    """The caller's settings, with the default model that holds now."""

    default_model = serializers.CharField(allow_null=True, help_text="null: there is none that the caller may use.")
    default_model_source = serializers.ChoiceField(
        choices=("user", "group", "site", "first_usable"), allow_null=True, help_text="Whose choice it is."
    )
    default_model_reason = serializers.CharField(
        required=False, help_text="Where it replaces the model that was chosen: which one that is, and why."
    )
    theme = serializers.ChoiceField(choices=Profile.Theme.choices)
    auto_enable_new_models = serializers.BooleanField()


class SettingsWriteSerializer(StrictSerializer):
    """What is not sent stays."""

    default_model = Text(
        required=False,
        allow_null=True,
        max_length=MAX_LENGTH,
        help_text="A model that the caller may use; null clears it.",
    )
    theme = serializers.ChoiceField(choices=Profile.Theme.choices, required=False)
    auto_enable_new_models = Switch(
        required=False, help_text="false: models that arrive from now on are off until the caller switches them on."
    )
