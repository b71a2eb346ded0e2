"""Which provider lists there are, and what is stored of each record: what a sync needs of the lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.capabilities import task_of_facts
from catalog.pricing import Tariff
from catalog.validation import model_ids
from providers.lists import authors, cache
from providers.reading.namespaces import EMBEDDINGS, LANGUAGE
from providers.reading.records import ParsedListing, Record


@dataclass(frozen=True, slots=True)
class ProviderList:
    """One of the lists: which listing of which provider it shows, and how."""

    provider: str
    listing: str
    # The word for `source` where the items are what the upstream lists.
    source: str
    # The one kind of models in it; "" where it may hold all, under ids without the provider's namespace.
    kinds: str = ""
    # Whether the curated list is answered in its place.
    has_curated: bool = True


LISTS = {
    "openrouter": ProviderList("openrouter", LANGUAGE, "api", LANGUAGE),
    "embeddings": ProviderList("openrouter", EMBEDDINGS, "api", EMBEDDINGS),
    "ollama": ProviderList("ollama", "models", "ollama", has_curated=False),
    "openai": ProviderList("openai", "models", "api"),
}


def item(
    upstream_id: str,
    model_id: str,
    *,
    name: str = "",
    facts: Mapping[str, Any],
    pricing: Mapping[str, str],
    **local: Any,
) -> dict[str, Any]:
    """A record as copies store it. `local` holds Ollama's details; `name` may begin with "Author: "."""
    author, plain = authors.split_name(name)
    return {
        "id": upstream_id,
        "model_id": model_id,
        "alias_of": facts.get("alias_of", ""),
        "name": plain or upstream_id,
        "provider": author or authors.display_name(model_ids.author_of(model_id)),
        "context": facts.get("context_length"),
        "dimensions": facts.get("embedding_dimensions"),
        "pricing": Tariff(pricing).by_token,
        **local,
    }


def items_of(parsed: ParsedListing) -> cache.Items:
    """What a checked answer lists, in the form of a copy."""
    return [
        item(
            record.upstream_id,
            record.model_id,
            name=record.facts.get("name", ""),
            facts=record.facts,
            pricing=record.pricing,
            **_local_details(record),
        )
        for record in parsed.records
    ]


def _local_details(record: Record) -> dict[str, Any]:
    facts = record.facts
    extras = facts.get("extras", {})
    found = {
        "parameter_size": extras.get("parameter_size"),
        "quantization": extras.get("quantization"),
        "family": facts.get("family"),
        "size": extras.get("size_bytes"),
        "task": task_of_facts(record.model_id, facts),
    }
    return {name: value for name, value in found.items() if value is not None}
