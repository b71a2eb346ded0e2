"""What a switch of provider models would do to the entries and to those who use them. Nothing is written here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.utils import timezone

from catalog.access import audience
from catalog.db.bulk import batches
from catalog.models import AIModel
from providers.offers.bulk import Offer
from providers.reading.namespaces import offering
from providers.sync.merge import Merger
from providers.sync.plan import merge_entries


@dataclass(frozen=True, slots=True)
class SwitchEffect:
    """Entries by id; offers by provider."""

    # The entries that nobody could use any more, and those that come into use.
    gone: Sequence[str]
    come: Sequence[str]
    # An entry's key -> the other providers that offer it, the best precedence first.
    others: Mapping[int, Sequence[str]]
    # How many entries stay in use through each of these others: an entry is counted for the best of them alone.
    stay: Sequence[tuple[str, int]]
    # Who sees an entry that would be gone.
    loss: audience.Loss | None

    @property
    def staying(self) -> int:
        return sum(number for _, number in self.stay)


def effect(changing: Iterable[Offer], enable: bool) -> SwitchEffect:
    """What it would come to if these offers were switched on, or off."""
    offers = list(changing)
    switched = dict.fromkeys((offer.pk for offer in offers), enable)
    keys = {offer.model.pk: offer.model.model_id for offer in offers if offer.model}
    merged = merge_entries(keys, Merger.from_database(timezone.now()), lock=False, switched=switched, facts=False)
    moved = {row.subject: row.new for row in merged.history if row.field == "is_available"}
    gone = sorted(model_id for model_id, available in moved.items() if not available)
    elsewhere = others(keys, switched)
    stay = Counter(names[0] for key, names in elsewhere.items() if keys[key] not in moved)
    return SwitchEffect(
        gone,
        sorted(moved.keys() - set(gone)),
        elsewhere,
        stay.most_common(),
        loss_of({key for key, model_id in keys.items() if model_id in set(gone)}),
    )


def others(keys: Iterable[int], without: Container[int]) -> dict[int, list[str]]:
    """The providers that offer these entries now by other offers than `without`."""
    found: dict[int, list[str]] = {}
    rows = offering().order_by("provider__precedence", "provider__slug")
    for chunk in batches(sorted(keys)):
        for pk, model, slug in rows.filter(model__in=chunk).values_list("pk", "model_id", "provider__slug"):
            if pk not in without and model is not None and slug not in found.setdefault(model, []):
                found[model].append(slug)
    return {model: slugs for model, slugs in found.items() if slugs}


def loss_of(gone: set[int]) -> audience.Loss | None:
    """Who would lose these entries: those who see one now, or a custom model that is built upon one."""
    if not gone:
        return None
    before = audience.of(gone)
    # An alias of one of them has offers of its own.
    out = gone | set(AIModel.objects.custom().filter(pk__in=before.models - gone).values_list("pk", flat=True))
    before = replace(before, seen={user: models & out for user, models in before.seen.items()})
    return audience.loss(before, replace(before, seen={}))
