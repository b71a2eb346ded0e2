"""Which ids a provider may write.

An aggregator (OpenRouter, Vercel) lists the models of many authors under `author/...`; a vendor those under its slug.
The two meet in one entry on purpose: OpenRouter's `openai/gpt-4o` and OpenAI's are the same model. Every other kind, an
Ollama or an OpenAI-compatible host, has the namespace of its slug to itself, whether it is active or not: neither may
it write elsewhere, nor anyone else there.
"""

from __future__ import annotations

from collections.abc import Iterable

from catalog.modelids import author_of
from providers.adapters import ADAPTERS
from providers.models import Provider

AGGREGATORS = frozenset({"openrouter", "vercel"})
VENDORS = frozenset({"openai", "anthropic", "google", "mistral"})
# They describe models that others offer, and offer none themselves.
ENRICHERS = frozenset(kind for kind, adapter in ADAPTERS.items() if adapter.enricher)
# Listings that hold one kind of models only; any other may hold both.
LANGUAGE, EMBEDDINGS = "language", "embeddings"


class Namespace:
    """What one provider may write, among the providers that there are."""

    def __init__(self, provider: Provider, others: Iterable[Provider]) -> None:
        self.prefix = "" if provider.kind in AGGREGATORS | ENRICHERS else f"{provider.slug}/"
        self.private = {p.slug for p in others if p.kind not in AGGREGATORS | VENDORS | ENRICHERS} | {"ollama"}

    def problem_of(self, model_id: str) -> str | None:
        """A sentence on why the provider may not write this id, or None."""
        if self.prefix:
            if model_id.startswith(self.prefix) and len(model_id) > len(self.prefix):
                return None
            return f"This provider writes only ids that begin with {self.prefix}"
        author, _, name = model_id.partition("/")
        if not author or not name:
            return "The id of a model here is author/name."
        if author_of(model_id) in self.private:
            return f"The ids that begin with {author}/ belong to another provider."
        return None


def covers(kind: str, slug: str, listing: str, model_id: str, is_embedding: bool) -> bool:
    """Whether a provider's listing decides on a curated entry: its namespace and its kind of models hold it."""
    if kind in ENRICHERS or listing == (LANGUAGE if is_embedding else EMBEDDINGS):
        return False
    return kind in AGGREGATORS or model_id.startswith(f"{slug}/")
