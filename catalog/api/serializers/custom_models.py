"""What is sent about custom models, and the smaller answers about models."""

from __future__ import annotations

from typing import Any

import orjson
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from catalog.api.fields import NameField, StrictSerializer, Switch, Text
from catalog.editing.grants import MAX_GRANTS, Grant
from catalog.models import AccessGrant
from catalog.validation import images
from catalog.validation.text import fold
from catalog.validation.values import MAX_TEXT, validate_line, validate_object, validate_text

MAX_TAGS = 20
_MAX_PARAMS = 65_536
_MAX_TAG_KEY = 128


class SmallObject(serializers.DictField):
    """An object that both databases can store, as it was sent, of at most so many bytes of JSON."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            validate_object(data)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages, code=error.code) from error
        if len(orjson.dumps(data)) > _MAX_PARAMS:
            raise serializers.ValidationError(f"At most {_MAX_PARAMS} bytes of JSON.", code="too_large")
        return data


class PictureField(Text):
    """A link, or a picture in a data URI."""

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        if text == self.context["shown"].get("picture"):
            return text  # What is shown may be sent back; CustomModelWriteSerializer leaves it as it is.
        try:
            return images.parse(text)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages, code=error.code) from error


class TagsField(serializers.ListField):
    child = Text(max_length=64, validators=[validate_line])

    def to_internal_value(self, data: Any) -> list[str]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        if len(data) > MAX_TAGS:
            raise serializers.ValidationError(f"At most {MAX_TAGS} tags.", code="too_many")
        names: list[str] = super().to_internal_value(data)
        if any(not fold(name).strip() or len(fold(name)) > _MAX_TAG_KEY for name in names):
            raise serializers.ValidationError("A tag is a word or a few.", code="invalid")
        return names


class GrantSerializer(StrictSerializer):
    """One grant, as it is shown and as it is asked for."""

    id = serializers.CharField(required=False, help_text="Given by the server; taken back unread.")
    principal_type = serializers.ChoiceField(choices=AccessGrant.Principal.choices)
    principal_id = serializers.CharField(
        required=False,
        allow_blank=True,
        allow_null=True,
        trim_whitespace=False,
        max_length=20,
        help_text="The user's or group's id; \"\" for everyone.",
    )
    permission = serializers.ChoiceField(choices=AccessGrant.Permission.choices, help_text="write includes read.")

    def validate(self, attrs: dict[str, Any]) -> Any:
        # DRF takes the fields of a nested object, too, for optional in a PATCH.
        if missing := {"principal_type", "permission"} - attrs.keys():
            raise serializers.ValidationError({name: ["This field is required."] for name in missing}, code="required")
        kind, principal = attrs["principal_type"], attrs.get("principal_id") or ""
        if kind == AccessGrant.Principal.EVERYONE:
            if principal:
                raise serializers.ValidationError({"principal_id": ["Everyone has no id."]})
            return Grant(kind, 0, attrs["permission"])
        if not (principal.isascii() and principal.isdigit() and 0 < int(principal) < 2**63):
            raise serializers.ValidationError({"principal_id": [f"There is no such {kind}."]})
        return Grant(kind, int(principal), attrs["permission"])


class GrantsField(serializers.ListField):
    child = GrantSerializer()

    def to_internal_value(self, data: Any) -> list[Grant]:
        if isinstance(data, list) and len(data) > MAX_GRANTS:
            raise serializers.ValidationError(f"At most {MAX_GRANTS} grants.", code="too_many")
        return super().to_internal_value(data)


class MetaSerializer(StrictSerializer):
    """What a custom model says of itself."""

    description = Text(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=MAX_TEXT,
        validators=[validate_text],
    )
    profile_image_url = PictureField(
        required=False,
        allow_null=True,
        help_text="An https link, or a data URI of PNG, JPEG, WebP or GIF of at most 64 KiB; shown as an address.",
    )
    capabilities = SmallObject(required=False, allow_null=True, help_text='Free words, such as {"vision": true}.')
    tags = TagsField(required=False, allow_null=True)


class CustomModelWriteSerializer(StrictSerializer):
    """A custom model as it is sent. What is absent keeps its value, null clears it."""

    # The context has `is_staff`, and as `shown` what the model's item shows without being stored: that may be sent
    # back, and stays so.

    id = Text(max_length=255, help_text="Letters, digits and . _ : - only. It stays for ever.")
    name = NameField(max_length=255)
    base_model_id = Text(max_length=255, help_text="A model that you may use.")
    params = SmallObject(required=False, allow_null=True)
    meta = MetaSerializer(required=False, allow_null=True)
    access_grants = GrantsField(required=False, allow_null=True)
    is_active = Switch(required=False)
    delegated = Switch(required=False, help_text="For staff: readers need no sight of the base model.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The fields of `meta` stand beside the others, and what was cleared is empty."""
        if self.partial and "id" in attrs:
            raise serializers.ValidationError({"id": ["The id stays as it is."]})
        if "delegated" in attrs and not self.context["is_staff"]:
            raise serializers.ValidationError({"delegated": ["Only staff decide this."]})
        sent = {name: value for name, value in attrs.items() if name != "meta"}
        if "meta" in attrs:
            cleared = {"description": None, "profile_image_url": None, "capabilities": None, "tags": None}
            for name, value in (cleared if attrs["meta"] is None else attrs["meta"]).items():
                sent["picture" if name == "profile_image_url" else name] = value
        shown = self.context["shown"]
        sent = {name: value for name, value in sent.items() if value is None or value != shown.get(name)}
        empty: dict[str, Any] = {"params": {}, "description": "", "tags": [], "access_grants": []}
        return {name: empty[name] if value is None and name in empty else value for name, value in sent.items()}


class AccessWriteSerializer(StrictSerializer):
    access_grants = GrantsField()


# Answers.


class TagCountSerializer(serializers.Serializer):
    name = serializers.CharField()
    count = serializers.IntegerField()


class CheckSerializer(serializers.Serializer):
    check = serializers.CharField()
    ok = serializers.BooleanField()
    detail = serializers.CharField()


class ExplanationSerializer(serializers.Serializer):
    model_id = serializers.CharField()
    visible = serializers.BooleanField()
    usable = serializers.BooleanField()
    decided_by = serializers.CharField(allow_null=True, help_text="The first check that failed; null where none did.")
    checks = CheckSerializer(many=True)
