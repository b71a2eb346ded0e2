"""Vercel AI Gateway: https://ai-gateway.vercel.sh/v1/models, public. Prices are strings, USD per token."""

from typing import Any

from catalog.capabilities import OTHER
from catalog.pricing import OF_TEXT
from providers.adapters import purposes, values
from providers.adapters.base import Adapter
from providers.adapters.builder import ListingBuilder, mapping

_PRICES = (
    ("prompt", "input"),
    ("completion", "output"),
    ("input_cache_read", "input_cache_read"),
    ("input_cache_write", "input_cache_write"),
    ("image", "image"),
)
_OF_TEXT = frozenset(theirs for key, theirs in _PRICES if key in OF_TEXT)
_TAGS = (
    ("supports_tools", "tool-use"),
    ("supports_reasoning", "reasoning"),
    ("supports_images", "vision"),
    ("supports_browser", "web-search"),
)


class Vercel(Adapter):
    kind = "vercel"
    title = "Vercel's AI Gateway"
    default_base_url = "https://ai-gateway.vercel.sh/v1"

    def looks_like_ours(self, record: dict[str, Any]) -> bool:
        return bool({"context_window", "pricing", "tags", "type"} & record.keys()) and "architecture" not in record

    def read(self, record: dict[str, Any], draft: ListingBuilder, listing: str) -> None:
        draft.text("name", record.get("name"), values.MAX_NAME)
        draft.text("description", record.get("description"), values.MAX_DESCRIPTION)
        draft.put("released_at", record.get("released") or record.get("created"), values.moment, "created")
        draft.put("context_length", record.get("context_window"), values.whole, "context_window")
        word = record.get("type")
        if word == "language":
            draft.writes_text()
        elif isinstance(word, str):
            draft.is_for(purposes.task_of(word) or OTHER)
        if word != "embedding":
            draft.put("max_output_tokens", record.get("max_tokens"), values.whole, "max_tokens")
        tags = draft.clean("tags", record.get("tags"), values.words)
        if word == "language" and tags is not None:
            for fact, tag in _TAGS:
                draft.facts[fact] = tag in tags
        pricing = mapping(record.get("pricing"))
        for key, theirs in _PRICES:
            draft.price(key, pricing.get(theirs))
        besides = [value for name, value in pricing.items() if name not in _OF_TEXT and not name.endswith("_tiers")]
        if values.costs(besides):
            draft.paid_otherwise()
        draft.extra("owned_by", record.get("owned_by"))
        draft.extra("type", word)
