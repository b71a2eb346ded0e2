"""What changed for readers, in the order in which it was committed, so that whoever asks again misses nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from catalog import extensions
from catalog.access.rules import MAX_ALIASES
from catalog.access.viewers import Viewer
from catalog.db.unreadable import render_or_report
from catalog.fields import DECIDED_FIELDS, SYNCED_FIELDS
from catalog.models import AIModel, CatalogVersion, FieldChange

# What no reader gets, and who may see a model: it is in their sight or not.
_NOT_SHOWN = {
    "notes",
    "restricted",
    "requires_feature_flag",
    "always_available",
    "enabled_by_default",
    "extras",
    "task",
}
# With these a model comes into sight, or back into it; where they are the other way, nobody sees that it went.
_SWITCHES = {"is_available": True, "active": True, "hidden": False}
FIELDS = frozenset(
    {"created", "is_available", "pricing", "tags", "base_model", *SYNCED_FIELDS, *DECIDED_FIELDS} - _NOT_SHOWN
)
# With these an entry may have come into the sight of somebody: its field, and the value after. Of flags, of targets,
# and of grants where they decide, any change counts: whom each lets in is not worked out.
_INTO_SIGHT = {"hidden": False, "active": True, "experimental": False, "restricted": False}
_ANY = ("grants", "requires_feature_flag", "alias_of")
# Named apart, for the index of history by subject.
_OPENED = Q(offered_by="", field__in=(*_INTO_SIGHT, *_ANY)) & reduce(
    or_,
    (Q(field=field, new=value) for field, value in _INTO_SIGHT.items()),
    Q(field__in=_ANY) & (~Q(field="grants") | Q(model__restricted=True)),
)


def _targets(prefix: str) -> list[str]:
    """The paths to the ids of what an alias stands for, link by link: it comes into sight with them."""
    return [f"{prefix}{'stands_for__' * link}alias_of" for link in range(MAX_ALIASES)]


def _ungated(prefix: str) -> Q:
    """Neither the entry nor what it stands for is behind a flag: whom a flag lets in since when, no history says."""
    links = (f"{prefix}{'stands_for__' * link}" for link in range(MAX_ALIASES + 1))
    behind = (Q(**{f"{link}requires_feature_flag__gt": ""}) | Q(**{f"{link}experimental": True}) for link in links)
    return ~reduce(or_, behind)


# They say that something came or went, and never what stood in it.
_WORDLESS = frozenset({"created", *_SWITCHES})
# Fields that name another model.
_NAMING = frozenset({"alias_of", "successor", "base_model"})
KINDS = ("added", "retired", "returned", "changed")


Rendered = TypeVar("Rendered")


class Gone(Exception):
    """History does not reach back to the cursor."""

    code = "cursor_gone"

    def __init__(self) -> None:
        super().__init__(
            "Changes from so long ago are no longer kept. Read the catalog anew, and begin without `since`."
        )


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """The place of a change in the order of commits."""

    version: int = 0
    key: int = 0

    def __str__(self) -> str:
        return f"{self.version}-{self.key}"

    @classmethod
    def of(cls, change: FieldChange) -> Cursor:
        return cls(change.version, change.pk)

    @classmethod
    def read(cls, text: str) -> Cursor:
        """Raises ValueError."""
        version, dash, key = text.partition("-")
        if not dash or not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in (version, key)):
            raise ValueError("This is no cursor: send `next` of an answer before, or nothing to begin.")
        return cls(int(version), int(key))


def shown_to(viewer: Viewer, fields: Iterable[str] = FIELDS) -> QuerySet[FieldChange]:
    """The changes of what the viewer sees now, in order, but not what it was before they could see it.

    What an entry was called while it was hidden stays hidden when it is shown again: what changed before it last came
    into sight, or with that, is not told. That holds for whoever saw it all the time too, and for staff, who have the
    history of the admin. Of what is behind a flag it is told only that it came or went; of a custom model
    those who may change it alone are told what changed: sharing shows what it is now, not what it was.
    """
    visible = AIModel.objects.visible_to(viewer).values("pk")
    written = AIModel.objects.writable_by(viewer).values("pk")
    changes = FieldChange.objects.filter(model__in=visible, offered_by="", field__in=fields)
    opened = FieldChange.objects.filter(_OPENED, version__gte=OuterRef("version")).exclude(pk=OuterRef("pk"))
    of_old = [~Exists(opened.filter(subject=OuterRef(path))) for path in ("subject", *_targets("model__"))]
    told = Q(model__kind=AIModel.Kind.CATALOG) & (Q(field__in=_WORDLESS) | Q(*of_old) & _ungated("model__"))
    # Of a model its id alone: the rest of its row is wide.
    wanted = ("version", "changed_at", "field", "old", "new", "source", "actor", "model__model_id")
    changes = changes.filter(told | Q(model__in=written))
    return changes.select_related("model").only(*wanted).order_by("version", "pk")


def opened_at(model: AIModel) -> datetime | None:
    """When the entry last came into sight, from when on its past is told; None where it always was."""
    entry = AIModel.objects.filter(pk=model.pk)
    if not entry.filter(_ungated("")).exists():
        return timezone.now()
    names = entry.values_list("model_id", *_targets("")).first() or ()
    opened = FieldChange.objects.filter(_OPENED, subject__in=[name for name in names if name])
    return opened.order_by("-version", "-pk").values_list("changed_at", flat=True).first()


def rendered(
    rows: Iterable[FieldChange], render: Callable[[FieldChange], Rendered]
) -> list[tuple[FieldChange, Rendered]]:
    """Each row with what `render` makes of it. One with a stored value that prevents that is left out and logged."""
    pairs = ((row, render_or_report(f"A change of {row.model}", render, row)) for row in rows)
    return [(row, made) for row, made in pairs if made is not None]


def place(sent: Cursor | None) -> Cursor:
    """Where to go on: at the cursor that was sent, or from where on history is whole. Raises Gone."""
    begin = Cursor(CatalogVersion.objects.values_list("pruned", flat=True).first() or 0)
    cursor = begin if sent is None else sent
    if cursor.version < begin.version:
        raise Gone
    return cursor


def after(changes: QuerySet[FieldChange], cursor: Cursor) -> QuerySet[FieldChange]:
    return changes.filter(Q(version__gt=cursor.version) | Q(version=cursor.version, pk__gt=cursor.key))


def of_kind(kind: str) -> Q:
    """The changes of one of KINDS, as `kind_of` tells them."""
    came = reduce(or_, (Q(field=field, new=value) for field, value in _SWITCHES.items()))
    went = reduce(or_, (Q(field=field, new=not value) for field, value in _SWITCHES.items()))
    return {
        "added": Q(field="created"),
        "returned": came,
        "retired": went,
        "changed": ~Q(field__in=("created", *_SWITCHES)),
    }[kind]


def kind_of(change: FieldChange) -> str:
    """`added`, `retired`, `returned` or `changed`."""
    if change.field == "created":
        return "added"
    if change.field in _SWITCHES:
        return "returned" if change.new is _SWITCHES[change.field] else "retired"
    return "changed"


def provider_of(change: FieldChange) -> str | None:
    """The slug of the provider whose sync made the change, which the name of its author begins with."""
    return change.actor.partition(",")[0] if change.source == FieldChange.Source.SYNC else None


def source_of(change: FieldChange, providers: Mapping[str, str]) -> str:
    """Who made the change, in words for any reader: people are not named. `providers` are names by slug."""
    slug = provider_of(change)
    if slug is not None:
        return f"as {providers.get(slug, slug)} lists it"
    return "from the curated list" if change.source == FieldChange.Source.CURATED else "by your staff"


def by_provider(slug: str) -> Q:
    """The changes that syncs of this provider made."""
    by_name = Q(actor=slug) | Q(actor__startswith=f"{slug},")
    return Q(source=FieldChange.Source.SYNC) & by_name


def of_interest_to(user_id: int) -> Q:
    """Of changes: those of models that this user has switched on, set as default, named in a key or built upon."""
    mine: Any = [interest(user_id) for interest in extensions.interests]
    mine.append(AIModel.objects.filter(custom_models__owner=user_id))
    return reduce(or_, (Q(model__in=models.values("pk")) for models in mine))


def values_for(changes: list[FieldChange], viewer: Viewer) -> Callable[[FieldChange], dict[str, Any]]:
    """What gives a change's `old` and `new` to this viewer: ids of models out of their sight are unknown."""
    told = (value for change in changes if change.field in _NAMING for value in (change.old, change.new))
    named = {value for value in told if value and isinstance(value, str)}
    seen: set[Any] = set()
    if named:
        seen = set(AIModel.objects.visible_to(viewer).filter(model_id__in=named).values_list("model_id", flat=True))

    def values(change: FieldChange) -> dict[str, Any]:
        if change.field == "created":
            return {"old": None, "new": None}
        if change.field in _NAMING:
            old, new = (value if not value or value in seen else None for value in (change.old, change.new))
            return {"old": old, "new": new}
        return {"old": change.old, "new": change.new}

    return values
