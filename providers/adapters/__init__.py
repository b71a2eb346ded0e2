"""The registry of adapters: a new kind of provider is one file and one line here."""

from providers.adapters.base import Adapter, Answer, BadRecord, Listing, short_name
from providers.adapters.compatible import Compatible
from providers.adapters.ollama import Ollama
from providers.adapters.openai import OpenAI
from providers.adapters.openrouter import OpenRouter

ADAPTERS: dict[str, type[Adapter]] = {
    "openrouter": OpenRouter,
    "openai": OpenAI,
    "ollama": Ollama,
    "compatible": Compatible,
}

__all__ = ["ADAPTERS", "Adapter", "Answer", "BadRecord", "Listing", "short_name"]
