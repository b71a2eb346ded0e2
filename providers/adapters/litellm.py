"""LiteLLM's price map, MIT. Prices are JSON floats in USD per token and are read by their decimal text."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from catalog.capabilities import EMBEDDINGS
from providers.adapters import purposes, values
from providers.adapters.authors import our_ids
from providers.adapters.builder import ListingBuilder
from providers.adapters.enricher import Enricher

# Clouds sell the same models under other prices and limits; only the authors' own rows speak about the model.
FIRST_PARTY = frozenset(
    {"openai", "anthropic", "gemini", "mistral", "xai", "zai", "deepseek", "moonshot", "dashscope", "cohere",
     "cohere_chat", "perplexity", "minimax", "text-completion-openai"}
)  # fmt: skip
_TEXT_MODES = ("chat", "responses", "completion")
# Such as `input_cost_per_second`, whose rows have zeros beside it for tokens, and `output_cost_per_image_token`.
_PAID_OTHERWISE = re.compile(r"cost_per_(?!token|reasoning_token)")
_PRICES = (
    ("prompt", "input_cost_per_token"),
    ("completion", "output_cost_per_token"),
    ("internal_reasoning", "output_cost_per_reasoning_token"),
    ("input_cache_read", "cache_read_input_token_cost"),
    ("input_cache_write", "cache_creation_input_token_cost"),
    ("input_cache_write_1h", "cache_creation_input_token_cost_above_1hr"),
    ("audio", "input_cost_per_audio_token"),
    ("audio_output", "output_cost_per_audio_token"),
    ("image", "input_cost_per_image"),
)
_FLAGS = (
    ("supports_tools", "supports_function_calling"),
    ("supports_parallel_tool_calls", "supports_parallel_function_calling"),
    ("supports_images", "supports_vision"),
    ("supports_audio", "supports_audio_input"),
    ("supports_reasoning", "supports_reasoning"),
    ("supports_structured_output", "supports_response_schema"),
    ("supports_browser", "supports_web_search"),
)


class LiteLLM(Enricher):
    kind = "litellm"
    title = "LiteLLM's table: facts and prices only, no offers"
    default_base_url = "https://raw.githubusercontent.com/BerriAI/litellm/main"
    listings: ClassVar[dict[str, str]] = {"models": "/model_prices_and_context_window.json"}
    parts, mark = "models", "litellm_provider"

    def rows(self, payload: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, row in payload.items():
            # `sample_spec` explains the fields in words where others have numbers.
            if key == "sample_spec" or not isinstance(row, dict) or row.get("litellm_provider") not in FIRST_PARTY:
                continue
            author = row["litellm_provider"].removeprefix("text-completion-").removesuffix("_chat")
            # Keys come bare, or once more under the provider's prefix.
            name = key.removeprefix(f"{row['litellm_provider']}/")
            if "/" not in name:
                for model_id in our_ids(author, name):
                    yield model_id, row

    def read(self, record: dict[str, Any], draft: ListingBuilder, listing: str) -> None:
        draft.put("context_length", record.get("max_input_tokens"), values.whole, "max_input_tokens")
        draft.put("retires_at", record.get("deprecation_date"), values.retirement, "deprecation_date")
        if task := purposes.task_of(record.get("mode")):
            draft.is_for(task)
        if task == EMBEDDINGS:
            draft.put("embedding_dimensions", record.get("output_vector_size"), values.whole, "output_vector_size")
        else:
            draft.put("max_output_tokens", record.get("max_output_tokens"), values.whole, "max_output_tokens")
            _modalities(record, draft)
            for fact, theirs in _FLAGS:
                draft.flag(fact, record.get(theirs))
        for key, theirs in _PRICES:
            draft.price(key, record.get(theirs))
        if any(_PAID_OTHERWISE.search(name) and values.costs(record[name]) for name in record):
            draft.paid_otherwise()


def _modalities(record: dict[str, Any], draft: ListingBuilder) -> None:
    given, produced = record.get("supported_modalities"), record.get("supported_output_modalities")
    if record.get("mode") in _TEXT_MODES:
        # Where it lists none: text, and pictures where the flag is set.
        given = given or (["text", "image"] if record.get("supports_vision") is True else ["text"])
        produced = produced or ["text"]
    draft.modalities(given, produced)
