"""Fields of a dialect's row that are one price, or one ability of the model, in the dialect's own word for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from catalog.api.serializers.answers import WhereTrue
from catalog.pricing import Tariff


class PriceText(serializers.CharField):
    """The stored decimal text of one kind of price, in USD for one."""

    def __init__(self, kind: str, **options: Any) -> None:
        super().__init__(source="tariff", **options)
        self.kind = kind

    def to_representation(self, tariff: Any) -> Any:
        return tariff.stored[self.kind] if self.kind in tariff.known else None


class PriceNumber(serializers.FloatField):
    """The same as a number."""

    def __init__(self, kind: str, **options: Any) -> None:
        super().__init__(source="tariff", **options)
        self.kind = kind

    def to_representation(self, tariff: Any) -> Any:
        amount = self.amount(tariff)
        return None if amount is None else float(amount)

    def amount(self, tariff: Tariff) -> Decimal | None:
        return tariff.known.get(self.kind)


class PricePerMillion(PriceNumber):
    """USD for a million tokens."""

    def amount(self, tariff: Tariff) -> Decimal | None:
        return tariff.per_million(self.kind)


class Able(WhereTrue):
    """Whether the model has this one of its capabilities; left out where it has not."""

    def __init__(self, word: str, **options: Any) -> None:
        super().__init__(source="capabilities", **options)
        self.word = word

    def to_representation(self, capabilities: Any) -> Any:
        return super().to_representation(self.word in capabilities)
