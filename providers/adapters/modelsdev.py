"""models.dev: https://models.dev/api.json, MIT. Prices are numbers, USD per million tokens."""

from collections.abc import Iterator
from typing import Any, ClassVar

from catalog.capabilities import EMBEDDINGS, task_of_name
from providers.adapters import values
from providers.adapters.authors import our_ids
from providers.adapters.builder import ListingBuilder, mapping
from providers.adapters.enricher import Enricher

# First-party lists only: a reseller's prices and limits are not the model's own.
FIRST_PARTY = (
    "openai", "anthropic", "google", "mistral", "xai", "zai", "zhipuai", "llama", "deepseek", "moonshotai", "alibaba",
    "cohere", "minimax", "nvidia", "perplexity", "upstage", "xiaomi", "inception", "morph", "stepfun", "nova",
)  # fmt: skip
_PRICES = (
    ("prompt", "input"),
    ("completion", "output"),
    ("internal_reasoning", "reasoning"),
    ("input_cache_read", "cache_read"),
    ("input_cache_write", "cache_write"),
    ("audio", "input_audio"),
    ("audio_output", "output_audio"),
)


class ModelsDev(Enricher):
    kind = "modelsdev"
    title = "models.dev: facts and prices only, no offers"
    default_base_url = "https://models.dev"
    listings: ClassVar[dict[str, str]] = {"models": "/api.json"}
    parts, mark = "providers", "models"

    def rows(self, payload: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        # OpenRouter's part comes last and only fills ids that no first party has.
        for provider in (*FIRST_PARTY, "openrouter"):
            for name, record in mapping(mapping(payload.get(provider)).get("models")).items():
                for model_id in [name] if provider == "openrouter" else our_ids(provider, name):
                    if isinstance(record, dict):
                        yield model_id, record

    def read(self, record: dict[str, Any], draft: ListingBuilder, listing: str) -> None:
        limit = mapping(record.get("limit"))
        draft.text("name", record.get("name"), values.MAX_NAME)
        draft.text("family", record.get("family"))
        draft.put("context_length", limit.get("context"), values.whole, "limit.context")
        modalities = mapping(record.get("modalities"))
        if task_of_name(draft.upstream_id) == EMBEDDINGS:
            # It lists embedding models as answering in text, and has the dimensions where others have the output.
            draft.embedding()
            draft.put("embedding_dimensions", limit.get("output"), values.whole, "limit.output")
        else:
            draft.modalities(_with_files(modalities.get("input")), modalities.get("output"))
            draft.put("max_output_tokens", limit.get("output"), values.whole, "limit.output")
            draft.flag("supports_tools", record.get("tool_call"))
            draft.flag("supports_reasoning", record.get("reasoning"))
            draft.flag("supports_structured_output", record.get("structured_output"))
            _efforts(record, draft)
        draft.put("released_at", record.get("release_date"), _first_moment, "release_date")
        draft.put("knowledge_cutoff", record.get("knowledge"), values.day, "knowledge")
        cost = mapping(record.get("cost"))
        for key, theirs in _PRICES:
            draft.price(key, cost.get(theirs), per_million=True)
        draft.extra("open_weights", record.get("open_weights"))
        draft.extra("status", record.get("status"))


def _with_files(words: Any) -> Any:
    """OpenRouter's word for what it calls "pdf"."""
    return ["file" if word == "pdf" else word for word in words] if isinstance(words, list) else words


def _efforts(record: dict[str, Any], draft: ListingBuilder) -> None:
    options = record.get("reasoning_options")
    for option in options if isinstance(options, list) else []:
        if mapping(option).get("type") == "effort":
            draft.reasoning(mapping(option).get("values"), None)


def _first_moment(value: Any) -> Any:
    """A date as the beginning of its day in UTC."""
    day = values.day(value)
    return day and values.moment(day.isoformat())
