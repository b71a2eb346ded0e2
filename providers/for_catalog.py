"""What providers add to the catalog's pages and admin; `ProvidersConfig.ready()` registers it."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from catalog.models import AIModel, FieldChange
from providers.models import Provider, ProviderModel
from providers.offers.history import price_history
from providers.reading.namespaces import ENRICHERS, offering
from providers.sync.merge import Merger


class SourceOffer(NamedTuple):
    """What a provider says of a model: facts by field, prices by kind, and where its offer stands in the admin."""

    name: str
    facts: dict[str, Any]
    prices: dict[str, Any]
    provider: str
    state: str
    address: str


def offers_of(user: Any, model: AIModel) -> list[tuple[str, dict[str, Any], dict[str, Any]]] | None:
    """The offers that make the model available now, the best precedence first; None for who may not see offers."""
    found = _told(user, offering().filter(model=model))
    return None if found is None else [one[:3] for one in found]


def sources_of(user: Any, model: AIModel) -> list[SourceOffer] | None:
    """The same of all that the entry's facts may be from: whoever only describes the model or is switched off too."""
    return _told(user, ProviderModel.objects.filter(model=model, is_listed=True))


def _told(user: Any, offers: QuerySet[ProviderModel]) -> list[SourceOffer] | None:
    if not user.has_perm("providers.view_providermodel"):
        return None
    return [
        SourceOffer(
            f"{offer.provider.slug} ({offer.upstream_id})",
            offer.facts,
            offer.pricing,
            offer.provider.slug,
            offer.state,
            reverse("admin:providers_providermodel_change", args=[offer.pk]),
        )
        for offer in offers.select_related("provider").order_by("provider__precedence", "provider__slug", "upstream_id")
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
