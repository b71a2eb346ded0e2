"""The shapes of the provider lists: an item is made of a record of a copy (providers/lists/lists.py)."""

# `context`, `source` and `data` are names of the public API and of attributes of DRF's own classes: its metaclass takes
# the fields away from there, which the type checker does not know.
# mypy: disable-error-code="assignment"

from collections.abc import Callable, Mapping
from typing import Any

from rest_framework import serializers

from catalog.api.serializers.answers import AnswerSerializer
from catalog.pricing import normalise, worded


class RecordSerializer(AnswerSerializer):
    """Reads the keys of a record; some of them are only in those of a local server."""

    def reader(self, source: str) -> Callable[[Mapping[str, Any]], Any]:
        return lambda record: record.get(source)


class PlainPrice(serializers.CharField):
    def to_representation(self, value: Any) -> str:
        return normalise(value)


class ListPricingSerializer(RecordSerializer):
    """USD per token, as exact decimal text."""

    prompt = PlainPrice(required=False)
    completion = PlainPrice(required=False)


class LanguageItemSerializer(RecordSerializer):
    """A model that takes and makes text."""

    id = serializers.CharField()
    name = serializers.CharField()
    provider = serializers.CharField(help_text="The author's name.")
    context = serializers.IntegerField(allow_null=True, help_text="Tokens; null: unknown.")
    pricing = ListPricingSerializer(required=False, help_text="Left out where unknown.")


class EmbeddingItemSerializer(RecordSerializer):
    """A model that makes vectors of texts."""

    id = serializers.CharField()
    name = serializers.CharField()
    provider = serializers.CharField(help_text="The author's name.")
    dimensions = serializers.IntegerField(allow_null=True)
    context = serializers.IntegerField(allow_null=True, help_text="Tokens; null: unknown.")
    cost_per_million = serializers.CharField(allow_null=True, help_text="Dollars for a million tokens.")

    def get_cost_per_million(self, record: Mapping[str, Any]) -> str | None:
        price = record["pricing"].get("prompt")
        return None if price is None else worded("prompt", price)


class LocalItemSerializer(RecordSerializer):
    """A model of a local server."""

    id = serializers.CharField()
    name = serializers.CharField(source="id")
    parameter_size = serializers.CharField(allow_blank=True)
    quantization = serializers.CharField(allow_blank=True)
    family = serializers.CharField(allow_blank=True)
    size_mb = serializers.IntegerField(allow_null=True, help_text="Decimal megabytes.")

    def get_size_mb(self, record: Mapping[str, Any]) -> int | None:
        size = record.get("size")
        return None if size is None else size // 10**6


class _DataSerializer(serializers.Serializer):
    total = serializers.IntegerField(required=False, help_text="Number of models, where the source is live.")
    as_of = serializers.IntegerField(help_text="When this was read, in Unix seconds.")


class _VendorDataSerializer(_DataSerializer):
    source = serializers.ChoiceField(
        choices=("api", "curated", "curated_fallback"),
        help_text="api: the upstream's list. curated: no key is configured. curated_fallback: upstream failed.",
    )


class LanguageDataSerializer(_VendorDataSerializer):
    models = LanguageItemSerializer(many=True)


class EmbeddingDataSerializer(_VendorDataSerializer):
    models = EmbeddingItemSerializer(many=True)


class LocalDataSerializer(_DataSerializer):
    models = LocalItemSerializer(many=True)
    source = serializers.ChoiceField(choices=("ollama", "ollama_unreachable"))
    error = serializers.CharField(required=False, help_text="Why it cannot be reached.")


class LanguageListSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    data = LanguageDataSerializer()


class EmbeddingListSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    data = EmbeddingDataSerializer()


class LocalListSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    data = LocalDataSerializer()
