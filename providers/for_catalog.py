"""What providers add to the catalog's pages and admin; `ProvidersConfig.ready()` registers it."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils import timezone

from catalog.models import AIModel, FieldChange
from providers.models import Provider, ProviderModel
from providers.offers.history import price_history
from providers.reading.namespaces import ENRICHERS
from providers.sync.merge import Merger


def offers_of(user: Any, model: AIModel) -> list[tuple[str, dict[str, Any], dict[str, Any]]] | None:
    """The offers of the model that are listed now, the best precedence first; None for who may not see offers."""
    if not user.has_perm("providers.view_providermodel"):
        return None
    offers = ProviderModel.objects.filter(model=model, is_listed=True).select_related("provider")
    return [
        (f"{offer.provider.slug} ({offer.upstream_id})", offer.facts, offer.pricing)
        for offer in offers.order_by("provider__precedence", "provider__slug", "upstream_id")
    ]


def is_available(model: AIModel) -> bool:
    """Whether the entry is available, by the rule that every merge asks.

    Its own word that it is may come from staff's tick. So that the curated list opens nothing that a provider, which
    may be gone since, has listed, the history of its offers is asked as well.
    """
    enrichers = Provider.objects.filter(kind__in=ENRICHERS).values_list("slug", flat=True)
    listed = FieldChange.objects.filter(subject=model.model_id, field="is_listed").exclude(offered_by="")
    decided = [model.pk] if model.pk and listed.exclude(offered_by__in=list(enrichers)).exists() else []
    merger = Merger.from_database(timezone.now(), decided=decided)
    return merger.is_available(model, ProviderModel.objects.filter(model__model_id=model.model_id))


def price_history_of(model: AIModel) -> list[tuple[str, Any, Any]]:
    """What each provider asked for the model, by provider and the oldest first."""
    return [(step.provider, step.since, step.pricing) for step in price_history(model)]


def provider_names() -> list[tuple[str, str]]:
    """Slug and name of each provider."""
    return list(Provider.objects.order_by("slug").values_list("slug", "name"))


def address_of_run(run_id: int) -> str:
    """The page of a sync run in the admin."""
    return reverse("admin:providers_syncrun_change", args=(run_id,))
