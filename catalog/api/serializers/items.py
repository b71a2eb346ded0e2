"""What the API says of one AI model: to everyone who sees it, in `/api/models`, and to one caller, in the lists."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework import serializers

from catalog.access import rules
from catalog.access.viewers import Viewer
from catalog.api.serializers.answers import AnswerSerializer, UnixSeconds, WhereTrue
from catalog.api.serializers.custom_models import GrantSerializer
from catalog.capabilities import CAPABILITIES
from catalog.db.unreadable import refuse_unreadable
from catalog.editing.state import grants_of, tags_of
from catalog.formatting import display_name
from catalog.models import AIModel


class FactsSerializer(AnswerSerializer):
    """What everyone who sees a model sees of it. Rows need the annotation `shown_tags`."""

    id = serializers.CharField(source="model_id")
    provider = serializers.CharField(
        source="author", allow_blank=True, help_text="Its author: the id before the first slash."
    )
    name = serializers.CharField()
    is_available = serializers.BooleanField()
    capabilities = serializers.ListField(child=serializers.ChoiceField(CAPABILITIES))
    description = serializers.CharField(required=False)
    family = serializers.CharField(required=False)
    context_length = serializers.IntegerField(required=False, help_text="Tokens.")
    max_output_tokens = serializers.IntegerField(required=False)
    embedding_dimensions = serializers.IntegerField(required=False)
    input_modalities = serializers.ListField(child=serializers.CharField(), required=False)
    output_modalities = serializers.ListField(child=serializers.CharField(), required=False)
    pricing = serializers.DictField(
        required=False, help_text="USD as decimal text, per token where not said otherwise."
    )
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    recommended = WhereTrue()
    recommendation_note = serializers.CharField(required=False)
    experimental = WhereTrue()
    released_at = UnixSeconds(required=False, help_text="Unix seconds.")
    deprecated_at = serializers.DateField(required=False)
    retires_at = serializers.DateField(required=False)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Raises ValueError where JSON of the row is unreadable."""
        refuse_unreadable(instance)
        return super().to_representation(instance)

    def get_tags(self, model: Any) -> list[str]:
        return tags_of(model)

    def get_recommendation_note(self, model: Any) -> str:
        return model.recommendation_note if model.recommended else ""


class CatalogItemSerializer(FactsSerializer):
    """One model; what is unknown is absent."""

    alias_of = serializers.CharField(required=False)
    successor = serializers.CharField(required=False, help_text="The model that replaces it.")
    is_enabled = serializers.BooleanField(required=False, help_text="For signed-in callers.")
    is_default = serializers.BooleanField()

    of_caller = frozenset({"alias_of", "successor", "is_enabled", "is_default"})


class CatalogListsSerializer(serializers.Serializer):
    """`catalog` is every visible model, `models` the usable ones. For anonymous callers both are the available ones."""

    catalog = CatalogItemSerializer(many=True)
    models = CatalogItemSerializer(many=True)


class OwnerSerializer(AnswerSerializer):
    """The owner of a custom model."""

    # Read from the model's row.

    id = serializers.CharField(source="owner_id")
    name = serializers.CharField()
    email = serializers.CharField(allow_null=True, help_text="null without write access.")

    def get_name(self, model: Any) -> str:
        return display_name(model.owner)

    def get_email(self, model: Any) -> str | None:
        return model.owner.email if model.may_write else None


class ItemMetaSerializer(AnswerSerializer):
    """What a model says of itself; a catalog entry too."""

    profile_image_url = serializers.CharField(allow_null=True)
    description = serializers.CharField(allow_blank=True)
    capabilities = serializers.DictField()
    tags = serializers.ListField(child=serializers.CharField())

    def get_profile_image_url(self, model: Any) -> str | None:
        return present_picture(model)

    def get_capabilities(self, model: Any) -> dict[str, Any]:
        inherited = inherited_capabilities(model)
        return model.meta["capabilities"] if inherited is None else inherited

    def get_tags(self, model: Any) -> list[str]:
        return tags_of(model)


class ItemSerializer(FactsSerializer):
    """One model as the caller is shown it."""

    # Of a row of `shown_to`, with that viewer as `viewer`. Without write access nobody sees parameters, other grants,
    # the owner's address or what a delegated one is built on; nor, with any, a base model or an alias's target that is
    # out of their sight.

    alias_of = serializers.CharField(required=False)
    successor = serializers.CharField(required=False, help_text="The model that replaces it.")
    kind = serializers.ChoiceField(choices=AIModel.Kind.choices)
    user_id = serializers.CharField(source="owner_id", allow_blank=True, help_text='"" for catalog entries.')
    base_model_id = serializers.CharField(allow_null=True)
    params = serializers.DictField(help_text="{} without write access.")
    meta = ItemMetaSerializer(source="*")
    access_grants = GrantSerializer(many=True, help_text="[] without write access.")
    is_active = serializers.BooleanField(source="active")
    delegated = serializers.BooleanField()
    write_access = serializers.BooleanField(source="may_write")
    user = OwnerSerializer(allow_null=True)
    priority = serializers.IntegerField()
    created_at = UnixSeconds(help_text="Unix seconds.")
    updated_at = UnixSeconds(help_text="Unix seconds.")
    is_enabled = serializers.BooleanField(required=False, help_text="For signed-in callers.")

    def get_alias_of(self, model: Any) -> str:
        if not model.alias_of or model.kind != AIModel.Kind.CATALOG:
            return ""
        return model.alias_of if rules.target_allowed(model.viewer, model.alias_of) else ""

    def get_successor(self, model: Any) -> str:
        return model.successor if model.sees_successor else ""

    def get_base_model_id(self, model: Any) -> str | None:
        return model.shown_base if model.sees_base and (model.may_write or not model.delegated) else None

    def get_params(self, model: Any) -> dict[str, Any]:
        return model.params if model.may_write else {}

    def get_access_grants(self, model: Any) -> list[dict[str, Any]]:
        return grants_of(model) if model.may_write else []

    def get_user(self, model: Any) -> Any:
        return None if model.owner is None else model

    def get_is_enabled(self, model: Any) -> bool | None:
        return None if model.viewer.is_anonymous else model.shown_enabled


def present_picture(model: Any) -> str | None:
    """The address of a row's picture as its item shows it."""
    if model.shown_image:
        # The digest makes a new address of a new picture, so that browsers may store the old one.
        return f"{reverse('custom-model-image', args=[model.model_id])}?v={model.shown_image[:16]}"
    link = model.meta.get("profile_image_url")
    return link if isinstance(link, str) else None


def inherited_capabilities(model: Any) -> dict[str, Any] | None:
    """What a row's `meta` shows where it says nothing of its own; None where it does."""
    if isinstance(model.meta.get("capabilities"), dict):
        return None
    return dict.fromkeys(model.capabilities, True)


def write_context(viewer: Viewer, model: Any = None) -> dict[str, Any]:
    """The context of CustomModelWriteSerializer, for a new custom model or for one that is there."""
    shown = {} if model is None else {"picture": present_picture(model), "capabilities": inherited_capabilities(model)}
    return {"is_staff": viewer.is_staff, "shown": shown}
