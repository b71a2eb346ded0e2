"""API keys as they are shown and sent."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apikeys.authentication import Credential
from apikeys.keys import MAX_OVERLAP
from apikeys.models import ApiKey, ExportToken, Scope
from catalog.api.fields import BoundedList, NameField, StrictSerializer, Switch, Whole
from catalog.validation import moments
from catalog.validation.values import MAX_INTEGER


class Until(serializers.DateTimeField):
    """An end: a bare date is the end of that day."""

    default_error_messages = {
        "invalid": "This is ISO 8601, such as 2027-01-31T12:00:00Z, or 2027-01-31 for the end of that day (UTC), "
        "before the year 10000."
    }

    def to_internal_value(self, data: Any) -> Any:
        try:
            return moments.until(data)
        except (TypeError, ValueError):
            self.fail("invalid")


class Patterns(serializers.ListField):
    """A list; what may stand in it is for the policy to say, which names each entry that may not."""

    child = serializers.CharField()

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        return data


class KeyWriteSerializer(StrictSerializer):
    """What a caller may say about a key."""

    name = NameField(max_length=128, help_text="What the key is for.")
    mode = serializers.ChoiceField(
        choices=ApiKey.Mode.choices,
        required=False,
        help_text="Follows from the list that is sent; needed only to give a list up.",
    )
    allowed_models = Patterns(
        required=False,
        allow_null=True,
        help_text="Model ids that you can see, or patterns in which only * is special. On create, null or [] is all.",
    )
    denied_models = Patterns(required=False, allow_null=True, help_text="The same, for all but these.")
    scopes = BoundedList(
        child=serializers.ChoiceField(choices=Scope.choices),
        required=False,
        allow_empty=False,
        max_length=len(Scope.choices),
    )
    per_minute = Whole(required=False, allow_null=True, min_value=1, max_value=MAX_INTEGER, help_text="null: no limit.")
    per_day = Whole(required=False, allow_null=True, min_value=1, max_value=MAX_INTEGER, help_text="null: no limit.")
    expires_at = Until(
        required=False,
        allow_null=True,
        help_text="ISO 8601, in the future; a bare date is the end of that day (UTC); null: never.",
    )
    is_active = Switch(required=False)

    def validate_scopes(self, scopes: list[str]) -> list[str]:
        if len(set(scopes)) < len(scopes):
            raise serializers.ValidationError("A scope stands in the list twice.")
        return scopes


class RotationSerializer(StrictSerializer):
    overlap_seconds = Whole(
        required=False,
        default=0,
        min_value=0,
        max_value=MAX_OVERLAP,
        help_text="How long the present secret still holds.",
    )


class KeySerializer(serializers.ModelSerializer):
    """A key without its secret."""

    id = serializers.CharField(source="key_id")
    restricted = serializers.BooleanField(
        source="is_restricted", read_only=True, help_text="Whether it has less than every model of its owner."
    )
    allowed_models = serializers.SerializerMethodField(help_text="null unless the mode is allow_list.")
    denied_models = serializers.SerializerMethodField(help_text="null unless the mode is deny_list.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))

    class Meta:
        model = ApiKey
        fields = [
            "id", "name", "hint", "mode", "restricted", "allowed_models", "denied_models", "scopes", "per_minute",
            "per_day", "expires_at", "is_active", "created_at", "last_used_at",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), allow_null=True))
    def get_allowed_models(self, key: ApiKey) -> list[str] | None:
        return key.patterns if key.mode == ApiKey.Mode.ALLOW_LIST else None

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), allow_null=True))
    def get_denied_models(self, key: ApiKey) -> list[str] | None:
        return key.patterns if key.mode == ApiKey.Mode.DENY_LIST else None


class NewKeySerializer(KeySerializer):
    """A key with its secret, this once."""

    key = serializers.CharField(help_text="The API key. It is not stored and never shown again.")

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "key"]
        read_only_fields = fields


class ExportTokenWriteSerializer(StrictSerializer):
    name = NameField(max_length=128, help_text="Which tool the token is for.")


class ExportTokenSerializer(serializers.ModelSerializer):
    """An export token of a key, without its text."""

    id = serializers.CharField(source="export_id")

    class Meta:
        model = ExportToken
        fields = ["id", "name", "hint", "created_at", "last_used_at"]
        read_only_fields = fields


class NewExportTokenSerializer(ExportTokenSerializer):
    """An export token with its text, this once."""

    token = serializers.CharField(
        help_text="What stands in the address: /export/{token}/api.json. It is not stored and never shown again."
    )

    class Meta(ExportTokenSerializer.Meta):
        fields = [*ExportTokenSerializer.Meta.fields, "token"]
        read_only_fields = fields


class WindowSerializer(serializers.Serializer):
    period = serializers.ChoiceField(choices=("minute", "day"))
    limit = serializers.IntegerField()
    remaining = serializers.IntegerField()
    reset = serializers.IntegerField(help_text="Seconds from now.")


class MakerSerializer(KeySerializer):
    """The key that another was made with. Its lists may name what the other may not know."""

    class Meta(KeySerializer.Meta):
        fields = ["id", "name", "mode"]
        read_only_fields = fields


class CurrentKeySerializer(KeySerializer):
    """The key in use: what it may do now, within the one that it was made with."""

    group = serializers.CharField(
        source="group.name", allow_null=True, help_text="The name of the group that the key belongs to; null: a user's."
    )
    within = MakerSerializer(
        source="made_with", allow_null=True, help_text="The key that it was made with, and within which it stays."
    )
    limits = WindowSerializer(many=True, help_text="The running windows, those of the key it was made with included.")

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "group", "within", "limits"]
        read_only_fields = fields


def current(credential: Credential) -> dict[str, Any]:
    """What CurrentKeySerializer describes. The scopes and the expiry are those that hold now."""
    key = credential.key
    ends = [link.expires_at for link in (key, key.made_with) if link is not None and link.expires_at is not None]
    return {
        **KeySerializer(key).data,
        "scopes": sorted(credential.scopes),
        "expires_at": serializers.DateTimeField().to_representation(min(ends)) if ends else None,
        "group": key.group.name if key.group else None,
        "within": MakerSerializer(key.made_with).data if key.made_with else None,
        "limits": WindowSerializer(credential.windows, many=True).data,
    }
