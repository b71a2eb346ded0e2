"""The curated lists: models that the catalog knows without any upstream. The source of last resort."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from catalog import pricing
from catalog.validation import model_ids
from providers.reading.records import facts_of

_FOLDER = Path(__file__).parent
_FILES = {"language": "language_models.json", "embeddings": "embedding_models.json"}


@dataclass(frozen=True, slots=True)
class CuratedEntry:
    model_id: str
    facts: dict[str, Any]
    pricing: dict[str, Any]


@cache
def _file(listing: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_FOLDER / _FILES[listing]).read_text(encoding="utf-8"))
    return found


def as_of(listing: str) -> date:
    """The day on which the facts of the list of "language" or "embeddings" models were right."""
    return date.fromisoformat(_file(listing)["as_of"])


@cache
def entries() -> dict[str, CuratedEntry]:
    """The curated models by id."""
    found = {}
    for listing in _FILES:
        for item in _file(listing)["models"]:
            model_id = item["model_id"]
            model_ids.validate(model_id)
            found[model_id] = CuratedEntry(model_id, facts_of(item["facts"]), pricing.read(item.get("pricing", {})))
    return found
