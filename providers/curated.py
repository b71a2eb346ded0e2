"""The curated lists: models that the catalog knows without any upstream. The source of last resort."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from providers.records import facts_of, pricing_of

_FOLDER = Path(__file__).parent / "curated"
_FILES = ("language_models.json", "embedding_models.json")


@dataclass(frozen=True, slots=True)
class Entry:
    model_id: str
    facts: dict[str, Any]
    pricing: dict[str, Any]


@cache
def entries() -> dict[str, Entry]:
    """The curated models by id."""
    found = {}
    for name in _FILES:
        for item in json.loads((_FOLDER / name).read_text())["models"]:
            model_id = item["model_id"]
            found[model_id] = Entry(model_id, facts_of(item["facts"]), pricing_of(item.get("pricing", {})))
    return found


def entry(model_id: str) -> Entry | None:
    return entries().get(model_id)
