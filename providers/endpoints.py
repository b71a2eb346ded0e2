"""Where each provider is reached."""

from __future__ import annotations

from django.conf import settings

from providers.models import Provider

# The kinds whose address the environment may name, and the vendors' own addresses.
_FIXED = {
    "anthropic": "https://api.anthropic.com/v1",
    "google": "https://generativelanguage.googleapis.com/v1beta",
    "mistral": "https://api.mistral.ai/v1",
    "vercel": "https://ai-gateway.vercel.sh/v1",
    "modelsdev": "https://models.dev",
    "litellm": "https://raw.githubusercontent.com/BerriAI/litellm/main",
}
_FROM_ENVIRONMENT = ("openrouter", "openai", "ollama")


def default(kind: str) -> str:
    """The address of a kind where the provider's own is blank; "" where the kind has none."""
    if kind in _FROM_ENVIRONMENT:
        return str(getattr(settings, f"{kind.upper()}_BASE_URL"))
    return _FIXED.get(kind, "")


def base_url(provider: Provider) -> str:
    return provider.base_url or default(provider.kind)


def trusted() -> list[str]:
    """The addresses that the deployment names itself: they may be private."""
    return [default(kind) for kind in _FROM_ENVIRONMENT]
