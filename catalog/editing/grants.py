"""Sharing: who else may read or write a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.deletion import Collector

from catalog.db.functions import as_bool
from catalog.editing.history import Author, Grants, by_model, change_row, grants_of
from catalog.models import AccessGrant, AIModel, FieldChange

MAX_GRANTS = 200


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One grant as it is asked for; `principal` is 0 for everyone."""

    principal_type: str
    principal: int
    permission: str


def problems(wanted: Sequence[Grant]) -> dict[int, str]:
    """What is wrong, by position: grants that name nobody, or somebody twice.

    People are named by id: trying ids out reveals which exist, and nothing about who they are.
    """
    people = set(
        get_user_model()
        ._default_manager.filter(pk__in=_of("user", wanted), is_active=True)
        .values_list("pk", flat=True)
    )
    groups = set(Group.objects.filter(pk__in=_of("group", wanted)).values_list("pk", flat=True))
    known = {"user": people, "group": groups, "everyone": {0}}
    found: dict[int, str] = {}
    seen: set[tuple[str, int]] = set()
    for position, grant in enumerate(wanted):
        principal = (grant.principal_type, grant.principal)
        if grant.principal not in known[grant.principal_type]:
            found[position] = f"There is no such {grant.principal_type}."
        elif principal in seen:
            found[position] = "This one stands in the list twice."
        seen.add(principal)
    return found


def _of(kind: str, wanted: Iterable[Grant]) -> list[int]:
    return [grant.principal for grant in wanted if grant.principal_type == kind]


def replace(model: AIModel, wanted: Sequence[Grant], author: Author) -> bool:
    """Makes these the model's grants, with a row of history, and returns whether any differed.

    Grants that do not change have the same ids afterwards. Raises ValidationError naming positions. The model's row
    must be locked.
    """
    if found := problems(wanted):
        raise ValidationError({str(position): sentence for position, sentence in found.items()}, code="bad_grant")
    with transaction.atomic():
        present = {(grant.principal_type, grant.user_id or grant.group_id or 0): grant for grant in model.grants.all()}
        before = by_model([model.pk], present.values())[model.pk]
        rows = []
        for grant in sorted(wanted):
            row = present.pop((grant.principal_type, grant.principal), None) or _new(model, grant)
            if row.pk is None or row.permission != grant.permission:
                row.permission = grant.permission
                row.save()
            rows.append(row)
        for row in present.values():
            row.delete()
        after = by_model([model.pk], rows)[model.pk]
        if before == after:
            return False
        FieldChange.objects.bulk_create([change_row(author, model.model_id, "grants", before, after, model=model)])
    return True


def give(grant: AccessGrant, author: Author) -> None:
    """Stores a grant that was validated. A model that was open to all is restricted from then on."""
    with transaction.atomic():
        model = AIModel.objects.select_for_update().get(pk=grant.model_id)
        before = grants_of([model.pk])
        grant.save()
        history = _record([model], before, grants_of(before), author)
        if not model.restricted:
            history.append(change_row(author, model.model_id, "restricted", False, True, model=model))
        FieldChange.objects.bulk_create(history)


def take(rows: QuerySet[AccessGrant], author: Author) -> int:
    """Deletes these grants, and returns how many. The models stay restricted, also where no grant is left."""
    with transaction.atomic(savepoint=False):
        models, grants = _locked(rows)
        taken = [grant for grant in grants if grant.chosen]
        before, after = by_model(models, grants), by_model(models, [grant for grant in grants if not grant.chosen])
        # A queryset would read them once more.
        collector = Collector(using=rows.db)
        collector.collect(taken)
        collector.delete()
        FieldChange.objects.bulk_create(_record(models.values(), before, after, author))
    return len(taken)


def permit(rows: QuerySet[AccessGrant], permission: str, author: Author) -> int:
    """Makes these grants permit this, and returns how many did not before."""
    with transaction.atomic(savepoint=False):
        models, grants = _locked(rows)
        before = by_model(models, grants)
        changed = rows.exclude(permission=permission).update(permission=permission)
        FieldChange.objects.bulk_create(_record(models.values(), before, grants_of(before), author))
    return changed


def _locked(rows: QuerySet[AccessGrant]) -> tuple[dict[int, AIModel], list[Any]]:
    """The models of these grants, locked, and all grants of theirs; `chosen` tells which are these."""
    grants = AccessGrant.objects.filter(model__in=rows.order_by().values("model")).select_related("model")
    grants = grants.annotate(chosen=as_bool(Q(pk__in=rows.order_by().values("pk"))))
    of_grant, of_model = ("principal_type", "user", "group", "permission"), ("model__model_id", "model__restricted")
    found = list(grants.only(*of_grant, *of_model).order_by("model_id", "pk").select_for_update(of=("model",)))
    return {grant.model_id: grant.model for grant in found}, found


def _record(models: Iterable[AIModel], before: Grants, after: Grants, author: Author) -> list[FieldChange]:
    """Rows of history for the models whose grants differ; marks those models as changed now."""
    changed = [model for model in models if before[model.pk] != after[model.pk]]
    # Which raises the catalog's version as well.
    AIModel.objects.touch(model.pk for model in changed)
    return [
        change_row(author, model.model_id, "grants", before[model.pk], after[model.pk], model=model)
        for model in changed
    ]


def _new(model: AIModel, grant: Grant) -> AccessGrant:
    fields: dict[str, Any] = {}
    if grant.principal_type != AccessGrant.Principal.EVERYONE:
        fields[f"{grant.principal_type}_id"] = grant.principal
    return AccessGrant(model=model, principal_type=grant.principal_type, permission=grant.permission, **fields)
