"""How much of the catalog is known: which listed models have a context length, a price, modalities."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Count, Q

from catalog.models import AIModel
from providers.models import ProviderModel
from providers.reading.namespaces import ENRICHERS

# OpenAI's bare ids that neither a chat nor an embeddings client calls: sound, pictures, moderation, plain completion.
NOT_FOR_CHAT = (
    "whisper|tts|transcri|dall-e|image|sora|moderation|realtime|audio|davinci|babbage|instruct|translate|-live-"
)

# What the catalog's entry knows, whoever said it.
KNOWN = {
    "context": Q(model__context_length__isnull=False),
    "price": Q(model__pricing__has_key="prompt"),
    "modalities": Q(model__isnull=False) & ~Q(model__input_modalities=[]),
}
# What the provider's own answer says.
SAID = {
    "context": Q(context_length__isnull=False),
    "price": Q(pricing__has_key="prompt"),
    "modalities": Q(facts__has_key="input_modalities"),
}


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of `models`, how many have each."""

    models: int
    context: int
    price: int
    modalities: int
    context_and_price: int

    @property
    def share(self) -> float:
        """Of the models, the part with context and price; 1 where there is none."""
        return self.context_and_price / self.models if self.models else 1.0


def _counts(known: dict[str, Q]) -> dict[str, Any]:
    both = known["context"] & known["price"]
    return {
        "models": Count("pk"),
        **{name: Count("pk", filter=condition) for name, condition in known.items()},
        "context_and_price": Count("pk", filter=both),
    }


def by_provider() -> dict[str, dict[str, Coverage]]:
    """Slug -> "said" (by the provider itself) and "known" (of the same models, by all sources). Two queries."""
    listed = ProviderModel.objects.filter(is_listed=True, model__isnull=False).order_by("provider__slug")
    found: dict[str, dict[str, Coverage]] = {}
    for view, known in (("said", SAID), ("known", KNOWN)):
        for row in listed.values("provider__slug").annotate(**_counts(known)):
            counts: dict[str, Any] = dict(row)
            slug = counts.pop("provider__slug")
            found.setdefault(slug, {})[view] = Coverage(**counts)
    return found


def callable_at_openai() -> tuple[Coverage, list[str]]:
    """What is known of OpenAI's ids that a chat or embeddings user would call, and those without context or price."""
    offers = ProviderModel.objects.filter(is_listed=True, provider__kind="openai", provider__slug="openai")
    offers = offers.exclude(upstream_id__regex=NOT_FOR_CHAT).order_by("upstream_id")
    known = offers.filter(KNOWN["context"] & KNOWN["price"])
    missing = offers.exclude(pk__in=known.values("pk")).values_list("upstream_id", flat=True)
    return Coverage(**offers.aggregate(**_counts(KNOWN))), list(missing)


def of_catalog() -> Coverage:
    """The whole catalog: entries that are available."""
    entries = AIModel.objects.catalog_entries().filter(is_available=True).order_by()
    own = {
        "context": Q(context_length__isnull=False),
        "price": Q(pricing__has_key="prompt"),
        "modalities": ~Q(input_modalities=[]),
    }
    return Coverage(**entries.aggregate(**_counts(own)))


def as_json() -> dict[str, Any]:
    openai, missing = callable_at_openai()
    return {
        "catalog": asdict(of_catalog()),
        "providers": {
            slug: {"enricher": slug in ENRICHERS, **{view: asdict(cover) for view, cover in views.items()}}
            for slug, views in by_provider().items()
        },
        "openai_chat_and_embeddings": {**asdict(openai), "share": round(openai.share, 4), "missing": missing},
    }
