"""Where each provider is reached."""

from __future__ import annotations

from django.conf import settings

from providers.adapters import ADAPTERS
from providers.models import Provider

# The kinds whose address the environment may name.
_FROM_ENVIRONMENT = ("openrouter", "openai", "ollama")


def default(kind: str) -> str:
    """The address of a kind where the provider's own is blank; "" where the kind has none."""
    if kind in _FROM_ENVIRONMENT:
        return str(getattr(settings, f"{kind.upper()}_BASE_URL"))
    adapter = ADAPTERS.get(kind)
    return adapter.default_base_url if adapter else ""


def base_url(provider: Provider) -> str:
    return provider.base_url or default(provider.kind)


def trusted_for(provider: Provider) -> list[str]:
    """The address that the deployment names itself for this kind: it may be private."""
    return [default(provider.kind)] if provider.kind in _FROM_ENVIRONMENT else []
