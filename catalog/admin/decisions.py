"""What waits for a person: the cards on the admin's first page. Each app adds what it knows of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from catalog.admin.filters import RetirementFilter
from catalog.models import AIModel

# How many of what waits a card names.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Decision:
    """One kind of thing to decide, and where that is done. The most urgent has the lowest `place`."""

    place: int
    number: int
    title: str
    named: tuple[str, ...]
    button: str
    address: str
    # There are more than `number`, which is as far as they were counted.
    is_least: bool = False

    @property
    def unnamed(self) -> int:
        return self.number - len(self.named)


# A person -> the cards that they may see and that have something in them. A bounded number of statements each.
asked: list[Callable[[Any], Iterable[Decision]]] = []


def cards(user: Any) -> list[Decision]:
    """What this person has to decide, the most urgent first."""
    return sorted((card for ask in asked for card in ask(user)), key=lambda card: card.place)


def _retiring(user: Any) -> Iterable[Decision]:
    if not user.has_perm("catalog.view_aimodel"):
        return
    soon = AIModel.objects.catalog_entries().filter(RetirementFilter.soon())
    if number := soon.count():
        first = soon.order_by("retires_at", "model_id").values_list("model_id", "retires_at")[:NAMED]
        yield Decision(
            60,
            number,
            "retired by their makers within 30 days",
            tuple(f"{model_id} on {day:%Y-%m-%d}" for model_id, day in first),
            "See these models",
            f"{reverse('admin:catalog_aimodel_changelist')}?{RetirementFilter.parameter_name}=soon",
        )


asked.append(_retiring)
