"""Which ids a provider may write.

An aggregator (OpenRouter, Vercel) lists the models of many authors under `author/...`; a vendor those under its slug.
The two meet in one entry on purpose: OpenRouter's `openai/gpt-4o` and OpenAI's are the same model. Every other one, an
Ollama or an OpenAI-compatible host, has the namespace of its slug to itself: neither may it write elsewhere, nor, while
it is active, anyone else there (providers/reading/claims.py).
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet

from catalog.validation.model_ids import author_of
from providers.models import Provider, ProviderModel

AGGREGATORS = frozenset({"openrouter", "vercel"})
VENDORS = frozenset({"openai", "anthropic", "google", "mistral"})
# They describe models that others offer, and offer none themselves. Named here, as adapters load an HTTP client.
ENRICHERS = frozenset({"modelsdev", "litellm"})
# Listings of one kind of models only; any other may have both.
LANGUAGE, EMBEDDINGS = "language", "embeddings"


def offering() -> QuerySet[ProviderModel]:
    """The offers that make models available now."""
    return ProviderModel.objects.live().exclude(provider__kind__in=ENRICHERS)


def owns_namespace(kind: str, slug: str) -> bool:
    """Whether the ids under the slug are the provider's own: it is no aggregator, enricher or vendor's own adapter."""
    return kind not in AGGREGATORS | ENRICHERS and not (kind in VENDORS and kind == slug)


class Namespace:
    """What one provider may write. `private` are the slugs that providers have to themselves."""

    def __init__(self, provider: Provider, private: Collection[str]) -> None:
        self.prefix = "" if provider.kind in AGGREGATORS | ENRICHERS else f"{provider.slug}/"
        self.is_shared = not owns_namespace(provider.kind, provider.slug)
        self.only_describes = provider.kind in ENRICHERS
        self.private = frozenset(private)

    def leaves_out(self, model_id: str) -> bool:
        """Whether the id is passed over without a word: what a host lists under its slug is no vendor's model."""
        return self.only_describes and author_of(model_id) in self.private

    def problem_of(self, model_id: str) -> str | None:
        """A sentence on why the provider may not write this id, or None."""
        if self.is_shared and not model_id.isascii():
            return "An id that vendors share has no letters beyond ASCII: one may look like another."
        if self.prefix:
            if model_id.startswith(self.prefix) and len(model_id) > len(self.prefix):
                return None
            return f"This provider writes only ids that begin with {self.prefix}"
        author, _, name = model_id.partition("/")
        if not author or not name:
            return "The id of a model here is author/name."
        if author_of(model_id) in self.private:
            return f"The ids that begin with {author}/ belong to the provider {author_of(model_id)}."
        return None


def covers(kind: str, slug: str, listing: str, model_id: str, is_embedding: bool) -> bool:
    """Whether a provider's listing decides on a curated entry: its namespace and its kind of models cover it."""
    if kind in ENRICHERS or listing == (LANGUAGE if is_embedding else EMBEDDINGS):
        return False
    return kind in AGGREGATORS or model_id.startswith(f"{slug}/")
