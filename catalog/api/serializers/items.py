"""What the API says of one AI model, whoever asks: the item that `/api/models` and the lists share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.db.unreadable import refuse_unreadable

if TYPE_CHECKING:
    from catalog.models import AIModel

# Said only when known: an absent field is unknown, and 0 or false is not.
_WHEN_KNOWN = (
    "description",
    "family",
    "context_length",
    "max_output_tokens",
    "embedding_dimensions",
    "input_modalities",
    "output_modalities",
    "pricing",
)


def catalog_item(model: AIModel, tags: list[str] | None = None) -> dict[str, Any]:
    """What everyone who sees the model is told of it, without what differs between callers (`alias_of` does).

    `tags` are its tags' names where the caller has read them already; else they are read (or taken as prefetched).
    Raises ValueError for a row that `refuse_unreadable` refuses.
    """
    refuse_unreadable(model)
    item: dict[str, Any] = {
        "id": model.model_id,
        "provider": model.author,
        "name": model.name,
        "is_available": model.is_available,
        "capabilities": model.capabilities,
    }
    item |= {field: value for field in _WHEN_KNOWN if (value := getattr(model, field))}
    names = [tag.name for tag in model.tags.all()] if tags is None else tags
    if names:
        item["tags"] = names
    if model.recommended:
        item["recommended"] = True
        if model.recommendation_note:
            item["recommendation_note"] = model.recommendation_note
    if model.experimental:
        item["experimental"] = True
    if model.released_at is not None:
        item["released_at"] = int(model.released_at.timestamp())
    if model.retires_at is not None:
        item["retires_at"] = model.retires_at.isoformat()
    return item
