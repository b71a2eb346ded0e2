"""The registry of adapters: a new kind of provider is one file and one line here."""

from providers.adapters.anthropic import Anthropic
from providers.adapters.base import Adapter, Answer, BadRecord
from providers.adapters.builder import ListedModel
from providers.adapters.compatible import Compatible
from providers.adapters.google import Google
from providers.adapters.litellm import LiteLLM
from providers.adapters.mistral import Mistral
from providers.adapters.modelsdev import ModelsDev
from providers.adapters.ollama import Ollama
from providers.adapters.openai import OpenAI
from providers.adapters.openrouter import OpenRouter
from providers.adapters.vercel import Vercel

ADAPTERS: dict[str, type[Adapter]] = {
    "openrouter": OpenRouter,
    "openai": OpenAI,
    "ollama": Ollama,
    "compatible": Compatible,
    "anthropic": Anthropic,
    "google": Google,
    "mistral": Mistral,
    "vercel": Vercel,
    "modelsdev": ModelsDev,
    "litellm": LiteLLM,
}

__all__ = ["ADAPTERS", "Adapter", "Answer", "BadRecord", "ListedModel"]
