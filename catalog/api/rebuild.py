"""What a process has rendered, brought to a later version by reading only what the journal says has changed."""

from __future__ import annotations

from array import array
from bisect import insort
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import prefetch_related_objects

from catalog.access import rules
from catalog.access.audience import with_built_upon
from catalog.access.viewers import Viewer
from catalog.db.prepared import CompiledQuery, padded
from catalog.models import AIModel, AIModelQuerySet

# Columns that no answer holds; some are large.
UNUSED = ("upstream", "notes", "extras", "params", "meta", "pinned_fields")
# So many changed models are read by themselves, and remembered for those who were last here some versions ago.
_MOST_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class Step:
    """One change of version, with the models that it concerns as they are then; None for one that is gone."""

    before: int
    models: Mapping[int, AIModel | None]
    # Those that were not there before.
    born: frozenset[int]
    # Whether somebody may see more or less for a reason that is no change of these models.
    sight: bool


def tagged(rows: AIModelQuerySet) -> AIModelQuerySet:
    """The rows as they are rendered: with the names of their tags."""
    return rows.defer(*UNUSED).with_tag_names()


# To compile it takes as long as all else that follows a change of one model.
_ROWS = CompiledQuery(
    lambda *keys: tagged(AIModel.objects.filter(pk__in=keys)).select_related(rules.LAST_BASE), is_one=False
)


def read(keys: Iterable[int], former_ids: Collection[str]) -> dict[int, AIModel | None] | None:
    """These models, their aliases and what is built upon them, with all that the rule and the renderers read.

    None where these are so many that the whole catalog is read as fast.
    """
    wanted = with_built_upon(keys, former_ids)
    if len(wanted) > _MOST_REMEMBERED:
        return None
    rows = _ROWS.all(*padded(sorted(wanted)))
    prefetch_related_objects(rows, *rules.GRANTS)
    return dict.fromkeys(wanted) | {row.pk: row for row in rows}


def remembered(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    """The steps with this one, less the oldest where they name too many models."""
    found = [*steps, step]
    while len(found) > 1 and sum(len(one.models) + 1 for one in found) > _MOST_REMEMBERED:
        found.pop(0)
    return tuple(found)


def since(steps: tuple[Step, ...], version: int) -> Step | None:
    """All steps from this version on as one; None where they do not reach back to it, or sight itself has changed."""
    start = next((place for place, step in enumerate(steps) if step.before == version), None)
    if start is None or any(step.sight for step in steps[start:]):
        return None
    models: dict[int, AIModel | None] = {}
    born: frozenset[int] = frozenset()
    for step in steps[start:]:
        models |= step.models
        born |= step.born
    return Step(version, models, born, False)


def marks_of(viewer: Viewer, models: Iterable[AIModel]) -> dict[int, tuple[bool, bool, bool]]:
    """Of those of these models that the viewer sees: available, enabled, switched off by their own word."""
    seen = [model for model in models if rules.sees(viewer, model)]
    switches = rules.switches_of(viewer, [model.pk for model in seen])
    return {
        model.pk: (
            # What staff asked to see besides may not be used for that, so it counts as not available.
            model.is_available and model.active and not model.hidden,
            rules.is_enabled(viewer, model, switches.get(model.pk)),
            switches.get(model.pk) is False,
        )
        for model in seen
    }


def moved(pks: array[int], gone: Iterable[int], come: Iterable[int], rank: Any) -> array[int]:
    """The keys without those that are gone or move, with those that come in their places by `rank`."""
    leaving = frozenset(gone)
    left = [pk for pk in pks if pk not in leaving]
    for pk in come:
        insort(left, pk, key=rank)
    return array("q", left)
