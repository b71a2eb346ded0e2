"""What a new catalog begins with: the default providers and the curated lists."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from catalog.editing.history import Author
from catalog.models import AuditEntry
from providers.models import Provider
from providers.reading import curated
from providers.sync.merge import Merger
from providers.sync.plan import Plan, created, keys_of, merge_entries, new_entry
from providers.sync.write import write

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
    there = (
        Provider.objects.get_or_create(slug=slug, defaults={"name": name, "kind": slug, "precedence": precedence})
        for slug, name, precedence in wanted
        if slug not in gone
    )
    return [provider for provider, is_new in there if is_new]


def load_curated() -> tuple[int, int]:
    """Brings the curated entries into the catalog; returns how many were added and how many changed."""
    with transaction.atomic():
        merger = Merger.from_database(timezone.now())
        ids = list(curated.entries())
        known = keys_of(ids)
        merged = merge_entries(known.values(), merger)
        entries = {model_id: new_entry(model_id, merger) for model_id in ids if model_id not in known}
        history = [*merged.history, *(created(model_id) for model_id in entries)]
        write(Plan(Author.curated(), entries, merged.entries, history=history))
    return len(entries), len(merged.entries)
