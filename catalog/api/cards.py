"""What the pages find a model by, kept beside its rendered answers."""

from __future__ import annotations

from typing import NamedTuple

from catalog.models import AIModel
from catalog.pricing import is_free
from catalog.validation.variants import variant_of


class Card(NamedTuple):
    """What a list of models is searched, filtered, folded and sorted by. What it shows of each is in the item."""

    author: str
    is_custom: bool
    search_text: str
    name_key: str
    # As catalog/derived.py writes it: a line for each word that a filter may name.
    facets: str
    context_length: int | None
    # USD per million.
    prompt_price: float | None
    is_free: bool
    created_at: float
    # The id of the ordinary model that this is a variant of; "" for an ordinary one.
    base: str

    @classmethod
    def of(cls, model: AIModel) -> Card:
        is_custom = model.kind == AIModel.Kind.CUSTOM
        variant = None if is_custom else variant_of(model.model_id)
        return cls(
            model.author,
            is_custom,
            model.search_text,
            model.name_key,
            model.facets,
            model.context_length,
            model.prompt_price,
            is_free(model.pricing),
            model.created_at.timestamp(),
            variant.base if variant else "",
        )
