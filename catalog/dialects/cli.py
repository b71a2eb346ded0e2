"""An AI model as the picker of a terminal client reads it: `/api/models?format=cli`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from catalog.api.serializers.answers import AnswerSerializer
from catalog.pricing import Tariff


class PriceSerializer(AnswerSerializer):
    """USD for a million tokens."""

    inputPerMillion = serializers.FloatField(required=False)
    outputPerMillion = serializers.FloatField(required=False)
    currency = serializers.ChoiceField(choices=("USD",))

    def get_inputPerMillion(self, tariff: Tariff) -> Decimal | None:
        return tariff.per_million("prompt")

    def get_outputPerMillion(self, tariff: Tariff) -> Decimal | None:
        return tariff.per_million("completion")

    def get_currency(self, tariff: Tariff) -> str:
        return "USD"


class CapsSerializer(AnswerSerializer):
    """True where it is known; false otherwise."""

    streaming = serializers.BooleanField()
    toolUse = serializers.BooleanField()
    reasoningEffort = serializers.BooleanField()
    parallelToolCalls = serializers.BooleanField()

    def get_streaming(self, model: Any) -> bool:
        # All chat models can.
        return True

    def get_toolUse(self, model: Any) -> bool:
        return bool(model.supports_tools)

    def get_reasoningEffort(self, model: Any) -> bool:
        return bool(model.reasoning_levels)

    def get_parallelToolCalls(self, model: Any) -> bool:
        return bool(model.supports_parallel_tool_calls)


class CliRowSerializer(AnswerSerializer):
    """A model for the picker of a terminal client."""

    slug = serializers.CharField(source="model_id")
    provider = serializers.CharField(source="author", allow_blank=True)
    displayName = serializers.CharField(source="name")
    inputModalities = serializers.ListField(child=serializers.CharField(), source="input_modalities")
    caps = CapsSerializer(source="*")
    contextWindow = serializers.IntegerField(required=False, source="context_length")
    pricing = PriceSerializer(required=False)
    isDefault = serializers.BooleanField()

    of_caller = frozenset({"isDefault"})

    def get_pricing(self, model: Any) -> Tariff | None:
        tariff = Tariff(model.pricing)
        return tariff if tariff.by_token else None
