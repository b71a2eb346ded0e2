"""What a writer of a custom model may change of it, as one short text: two edits of one state are noticed by it."""

from __future__ import annotations

import json
from typing import Any

import orjson

from catalog.access.digests import keyed


def grants_of(model: Any) -> list[dict[str, Any]]:
    """The grants of a row of `shown_to`, in the order in which they were given."""
    return [
        {
            "id": str(grant["id"]),
            "principal_type": grant["principal_type"],
            "principal_id": str(grant["user"] or grant["group"] or ""),
            "permission": grant["permission"],
        }
        for grant in sorted(json.loads(model.shown_grants or "[]"), key=lambda grant: grant["id"])
    ]


def tags_of(model: Any) -> list[str]:
    """The names of the tags of a row of `shown_to`."""
    return sorted(json.loads(model.shown_tags or "[]"), key=str.casefold)


def state(model: Any) -> str:
    """A digest of what a writer of a row of `shown_to` may change, its grants and tags too."""
    written = [
        model.pk,
        model.model_id,
        model.name,
        model.shown_base,
        model.params,
        model.meta,
        model.description,
        model.active,
        model.delegated,
        model.owner_id,
        model.shown_image,
        tags_of(model),
        sorted((grant["principal_type"], grant["principal_id"], grant["permission"]) for grant in grants_of(model)),
    ]
    return keyed("state", orjson.dumps(written, option=orjson.OPT_SORT_KEYS))
