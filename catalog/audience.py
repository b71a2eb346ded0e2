"""Who sees given models: everyone's sight at once, so that staff learn whom a change would take it from.

Users who stand alike (the same groups and flags, no grant or custom model of their own among the models) see alike,
so the rule is asked once for each way to stand, not once for each user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Q

from catalog import viewers
from catalog.access import Viewer
from catalog.models import AccessGrant, AIModel

# Beyond this many ways to stand the rest is not asked, and the answer says that it is not whole.
MAX_WAYS = 300

# Signed in as nobody: who reads a public catalog without an account.
ANYBODY = 0


@dataclass(frozen=True, slots=True)
class Audience:
    """user -> the models of `models` that they see; ANYBODY stands for those who are not signed in."""

    models: frozenset[int]
    seen: Mapping[int, frozenset[int]]
    names: Mapping[int, str]
    is_whole: bool = True

    def without(self, after: Audience) -> dict[int, frozenset[int]]:
        """user -> the models that they see here and no longer see in `after`."""
        lost = {user: models - after.seen.get(user, frozenset()) for user, models in self.seen.items()}
        return {user: models for user, models in lost.items() if models}


def _with_built_upon(keys: Iterable[int]) -> frozenset[int]:
    """The models and the custom models that stand upon them."""
    wanted = set(keys)
    rows = AIModel.objects.custom().values_list("pk", "base_model", "base_model__base_model")
    wanted |= {pk for pk, base, below in rows if base in wanted or below in wanted}
    return frozenset(wanted)


def of(models: Iterable[int]) -> Audience:
    """Who sees these models, and the custom models built upon them, as things stand now."""
    keys = _with_built_upon(models)
    # All models are named by one condition; a list of thousands of keys is more than a statement takes.
    few = Q(pk__in=sorted(keys)) if len(keys) <= 500 else Q()
    of_their_own = set(AIModel.objects.filter(few).exclude(owner=None).values_list("owner", flat=True))
    granted = AccessGrant.objects.exclude(user=None)
    if len(keys) <= 500:
        granted = granted.filter(model__in=sorted(keys))
    of_their_own |= set(granted.values_list("user", flat=True))

    people = get_user_model()._default_manager.filter(is_active=True).annotate(**viewers.columns(""))
    ways: dict[Any, Viewer] = {}
    stands: dict[int, Any] = {}
    names: dict[int, str] = {}
    for row in people.order_by("pk"):
        viewer = viewers.from_row(row, user_id=row.pk, is_staff=False).viewer
        way = (viewer.groups, viewer.flags, row.pk if row.pk in of_their_own else None)
        ways.setdefault(way, viewer)
        stands[row.pk] = way
        names[row.pk] = row.get_username()
    if settings.PUBLIC_CATALOG:
        ways["anybody"] = viewers.standing_of(None).viewer
        stands[ANYBODY] = "anybody"
        names[ANYBODY] = "anyone who is not signed in"
    asked = dict(list(ways.items())[:MAX_WAYS])
    seen = {
        way: frozenset(AIModel.objects.filter(few).visible_to(viewer).order_by().values_list("pk", flat=True)) & keys
        for way, viewer in asked.items()
    }
    told = {user: seen[way] for user, way in stands.items() if way in seen}
    return Audience(keys, told, names, is_whole=len(asked) == len(ways))


@dataclass(frozen=True, slots=True)
class Loss:
    """Who loses sight of what, in words and counts for a page."""

    users: list[tuple[str, int]]  # name, number of models
    keys: list[tuple[str, str]]  # owner, key
    is_whole: bool
    anybody: bool

    def __bool__(self) -> bool:
        return bool(self.users) or self.anybody


def loss(before: Audience, after: Audience) -> Loss:
    """Who sees in `before` what they no longer see in `after`."""
    lost = before.without(after)
    users = sorted((before.names[user], len(models)) for user, models in lost.items() if user != ANYBODY)
    # By its name: keys live in an app above this one.
    model: Any = get_user_model()._meta.get_field("api_keys").related_model
    keys = model._default_manager
    alive = keys.filter(is_active=True, revoked_at=None).order_by("user__username", "name")
    owned = [(key.user.get_username(), str(key)) for key in alive.select_related("user") if key.user_id in lost]
    return Loss(users, owned, before.is_whole and after.is_whole, ANYBODY in lost)
