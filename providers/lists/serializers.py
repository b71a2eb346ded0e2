"""What the provider lists answer, for the OpenAPI document."""

# `context`, `source` and `data` are names of the public API and of attributes of DRF's own classes: its metaclass takes
# the fields away from there, which the type checker does not know.
# mypy: disable-error-code="assignment"

from rest_framework import serializers


class ListPricingSerializer(serializers.Serializer):
    """USD per token, as exact decimal text."""

    prompt = serializers.CharField(required=False)
    completion = serializers.CharField(required=False)


class LanguageItemSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    provider = serializers.CharField(help_text="The author's name.")
    context = serializers.IntegerField(allow_null=True, help_text="Tokens; null: unknown.")
    pricing = ListPricingSerializer(required=False, help_text="Left out where unknown.")


class EmbeddingItemSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    provider = serializers.CharField(help_text="The author's name.")
    dimensions = serializers.IntegerField(allow_null=True)
    context = serializers.IntegerField(allow_null=True, help_text="Tokens; null: unknown.")
    cost_per_million = serializers.CharField(allow_null=True, help_text="Dollars for a million tokens.")


class LocalItemSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    parameter_size = serializers.CharField(allow_blank=True)
    quantization = serializers.CharField(allow_blank=True)
    family = serializers.CharField(allow_blank=True)
    size_mb = serializers.IntegerField(allow_null=True, help_text="Decimal megabytes.")


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
