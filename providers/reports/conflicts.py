"""Where sources disagree about a model, for staff to decide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import Count

from catalog.models import AIModel
from catalog.pricing import is_free
from providers.models import ProviderModel
from providers.reading.namespaces import ENRICHERS

# Shares of the larger value; what differs by less is rounding (8191 and 8192) or another way to count.
THRESHOLD = Decimal("0.1")

NUMBERS = ("context_length", "max_output_tokens", "embedding_dimensions")
PRICES = ("prompt", "completion")
PRICED = tuple(f"pricing.{kind}" for kind in PRICES)
FLAGS = (
    "supports_embeddings",
    "supports_images",
    "supports_audio",
    "supports_video",
    "supports_tools",
    "supports_reasoning",
    "supports_structured_output",
)


@dataclass(frozen=True, slots=True)
class Said:
    """What one source says of a field. Prices are USD per token as decimal text."""

    source: str
    value: Any


@dataclass(frozen=True, slots=True)
class Conflict:
    """Sources that differ about one field of one model: the best precedence first, whose word stands in the entry."""

    model_id: str
    field: str
    said: tuple[Said, ...]
    # How far the extremes are apart, as a share of the larger; 1 for words and flags.
    apart: Decimal


def conflicts(model_ids: Iterable[str] | None = None, threshold: Decimal = THRESHOLD) -> Iterator[Conflict]:
    """The fields that sources differ about by more than `threshold`, by model id. One query."""
    offers = ProviderModel.objects.live().filter(model__kind=AIModel.Kind.CATALOG)
    if model_ids is not None:
        offers = offers.filter(model__model_id__in=list(model_ids))
    # What one source alone describes is most of a catalog, and nobody disagrees with it.
    several = offers.order_by().values("model").annotate(count=Count("pk")).filter(count__gt=1)
    offers = offers.filter(model__in=several.values("model"))
    rows = offers.order_by("model__model_id", "provider__precedence", "provider__slug", "upstream_id").values_list(
        "model__model_id", "provider__slug", "provider__kind", "facts", "pricing"
    )
    for model_id, offered in groupby(rows.iterator(chunk_size=2000), itemgetter(0)):
        told = defaultdict[str, list[Said]](list)
        for _, source, kind, facts, pricing in offered:
            for field in (*NUMBERS, *FLAGS):
                # No model has a length of 0: whoever writes it does not know.
                if facts.get(field) is not None and not (field in NUMBERS and facts[field] == 0):
                    told[field].append(Said(source, facts[field]))
            # Nor does one know a price who only describes models, and writes nothing but zeros.
            knows = kind not in ENRICHERS or not is_free(pricing)
            for name in PRICES:
                if name in pricing and knows:
                    told[f"pricing.{name}"].append(Said(source, pricing[name]))
        for field, said in sorted(told.items()):
            apart = _apart([one.value for one in said], is_number=field not in FLAGS)
            if apart > threshold:
                yield Conflict(model_id, field, tuple(said), apart)


def _apart(values: list[Any], *, is_number: bool) -> Decimal:
    if not is_number:
        return Decimal(len(set(values)) > 1)
    numbers = [Decimal(value) for value in values]
    largest = max(numbers)
    return (largest - min(numbers)) / largest if largest else Decimal(0)
