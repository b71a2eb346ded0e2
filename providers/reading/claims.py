"""Who has a namespace to itself: the slug of a provider, where nobody else has entries under it.

A claim counts from the first sync on: whoever lists ids under a claimed slug later is refused those, by name. One that
meets others' entries is none, so that it takes nothing from them, and its provider is not read until it is deleted and
added under another slug.
"""

from __future__ import annotations

from django.db.models import F, Min, Q

from catalog.models import AIModel, FieldChange
from catalog.validation.model_ids import author_of
from providers.models import Provider, ProviderModel, SyncRun
from providers.reading import curated
from providers.reading.namespaces import ENRICHERS, VENDORS, owns_namespace

# Reserved for the host of that name as long as there is no provider of that name.
_RESERVED = frozenset({"ollama"})


def private() -> set[str]:
    """The slugs under which nobody but their provider writes. One that is switched off claims nothing."""
    providers = list(Provider.objects.all())
    claiming = {p.slug for p in providers if p.is_active and owns_namespace(p.kind, p.slug) and not foreign_entry(p)}
    others = ProviderModel.objects.filter(model__author__in=claiming).exclude(provider__kind__in=ENRICHERS)
    taken = set(others.exclude(provider__slug=F("model__author")).order_by().values_list("model__author", flat=True))
    return (claiming - taken - _named()) | (_RESERVED - {p.slug for p in providers})


def rival(provider: Provider) -> str:
    """Who else has entries under the provider's slug, in words; "" where it may have them to itself."""
    slug = provider.slug
    if not owns_namespace(provider.kind, slug):
        return ""
    others = ProviderModel.objects.filter(model__author=slug).exclude(provider__kind__in=ENRICHERS)
    names = others.exclude(provider=provider.pk).order_by("provider__name").values_list("provider__name", flat=True)
    if found := list(names.distinct()):
        return " and ".join(found)
    if slug in VENDORS:
        return f"the kind of provider {slug}"
    return "the curated list" if slug in _named() else ""


def foreign_entry(provider: Provider) -> str:
    """The id of an entry that is none of the provider's, under a slug where it has none yet; "" where there is none.

    Entries that a person made, or that another provider offered before it was deleted; that an enricher describes one
    makes it nobody's. What a provider of this slug offered before it was deleted returns as itself, and what a person
    added after such a provider was first read was meant for it.
    """
    slug = provider.slug
    offers = ProviderModel.objects.filter(model__author=slug).exclude(provider__kind__in=ENRICHERS)
    if not owns_namespace(provider.kind, slug) or offers.filter(provider=provider.pk).exists():
        return ""
    changes = FieldChange.objects.filter(model__author=slug)
    own = changes.filter(offered_by=slug).values("model")
    entries = AIModel.objects.catalog_entries().filter(author=slug).exclude(pk__in=offers.values("model"))
    entries = entries.exclude(pk__in=own).order_by("model_id")
    runs = SyncRun.objects.filter(Q(provider__slug=slug) | Q(deleted_provider=slug))
    if first := runs.aggregate(at=Min("started_at"))["at"]:
        synced = changes.filter(field="created", source=FieldChange.Source.SYNC).values("model")
        entries = entries.exclude(~Q(pk__in=synced), created_at__gt=first)
    return entries.values_list("model_id", flat=True).first() or ""


def _named() -> set[str]:
    """The authors that have a kind of provider of their own, or that the curated list names."""
    return {*VENDORS, *(author_of(model_id) for model_id in curated.entries())}
