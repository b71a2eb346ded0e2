"""What a new catalog begins with: the default providers and the curated lists."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from catalog.editing.entries import Author, change_row
from catalog.models import AIModel, AuditEntry
from providers.models import Provider
from providers.reading import curated
from providers.sync.merge import Merger
from providers.sync.write import Plan, batches, merge_existing, write

# Slug (and kind), name, precedence. OpenRouter first: it alone names prices and limits.
_ALWAYS = (("openrouter", "OpenRouter", 50), ("openai", "OpenAI", 60), ("ollama", "Ollama", 70))
# They describe what the others list, and come after them.
_ENRICHERS = (("modelsdev", "models.dev", 200), ("litellm", "LiteLLM", 210))
_WITH_KEY = (("anthropic", "Anthropic", 61), ("google", "Google", 62), ("mistral", "Mistral", 63))


def create_providers() -> list[Provider]:
    """Makes the default providers that are not there yet, and returns those made. One that was deleted stays away."""
    wanted = [*_ALWAYS, *(row for row in _WITH_KEY if getattr(settings, f"{row[0].upper()}_API_KEY", "")), *_ENRICHERS]
    deleted = AuditEntry.objects.filter(subject_type=Provider._meta.model_name, action="delete")
    gone = set(deleted.values_list("subject", flat=True))
    made = []
    for slug, name, precedence in wanted:
        if slug in gone:
            continue
        provider, created = Provider.objects.get_or_create(
            slug=slug, defaults={"name": name, "kind": slug, "precedence": precedence}
        )
        if created:
            made.append(provider)
    return made


def load_curated() -> tuple[int, int]:
    """Brings the curated entries into the catalog; returns how many were added and how many changed."""
    author, now = Author.curated(), timezone.now()
    plan = Plan(author)
    with transaction.atomic():
        merger = Merger.from_database(now)
        ids = list(curated.entries())
        known: dict[str, int] = {}
        for chunk in batches(ids):
            known |= dict(AIModel.objects.filter(model_id__in=chunk).values_list("model_id", "pk"))
        merge_existing(known.values(), merger, plan, lock=True)
        for model_id in ids:
            if model_id not in known:
                model = AIModel(model_id=model_id, created_at=now, updated_at=now)
                merger.merge(model, [])
                plan.new_models.append(model)
                plan.history.append(change_row(author, model_id, "created", None, model_id, model=model))
        write(plan)
    return len(plan.new_models), len(plan.changed_models)
