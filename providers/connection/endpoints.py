"""Where each provider is reached."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

from providers.adapters import ADAPTERS
from providers.client.errors import UpstreamError
from providers.models import Provider

# The kinds whose address the environment may name.
_FROM_ENVIRONMENT = ("openrouter", "openai", "ollama")
# The vendors that list nothing to a caller without a key.
_NEED_CREDENTIAL = frozenset({"openai", "anthropic", "google", "mistral"})
# What the path of an address usually is, and the hint for one that is another.
_USUAL_PATHS = {
    "ollama": ("", "the address of an Ollama host is the bare origin"),
    "compatible": ("/v1", "the address of such a server usually ends in /v1"),
    "openai": ("/v1", "the address usually ends in /v1"),
    "openrouter": ("/api/v1", "the address usually ends in /api/v1"),
    "anthropic": ("/v1", "the address usually ends in /v1"),
    "mistral": ("/v1", "the address usually ends in /v1"),
    "vercel": ("/v1", "the address usually ends in /v1"),
    "google": ("/v1beta", "the address usually ends in /v1beta"),
}


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


def hinted(error: UpstreamError, provider: Provider) -> UpstreamError:
    """The error, with a hint where nothing usable was found below an address that is probably mistyped."""
    usual, hint = _USUAL_PATHS.get(provider.kind, ("", ""))
    path = urlsplit(base_url(provider)).path.rstrip("/")
    is_usual = path.endswith(usual) if usual else not path
    if usual and path.endswith("/models"):
        hint = "the address is without the /models at its end: drop that"
    if not hint or is_usual or not (error.status == 404 or error.reason == "malformed"):
        return error
    return error.worded(f"{error.message.rstrip('.')}; {hint}.")


def needs_credential(provider: Provider) -> bool:
    """Whether the address is a vendor's own, which lists nothing to a caller without a key."""
    return provider.kind in _NEED_CREDENTIAL and base_url(provider) == ADAPTERS[provider.kind].default_base_url
