"""Who sees given models: everyone's sight at once, so that staff learn whom a change would take it from.

Users who stand alike (the same groups and flags, no grant or custom model of their own among the models) see alike, and
so do models that the rule cannot tell apart. The rule is asked once for each pair of the two; the number of statements
does not grow with either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Q

from catalog import extensions
from catalog.access import callers, rules
from catalog.access.viewers import Viewer
from catalog.models import AccessGrant, AIModel

# What the rule reads of a model beside its id and its grants. A change of one of these may take it from somebody.
SIGHT_FIELDS = (
    "kind", "active", "hidden", "experimental", "requires_feature_flag", "restricted", "owner", "delegated",
    "base_model", "alias_of",
)  # fmt: skip

# How often the rule is asked, some seconds' worth; the rest is not asked, and the answer says that it is not whole.
MOST_ASKED = 250_000

# More keys than this are not named in a statement: all models are read instead.
FEW = 500

# Signed in as nobody: who reads a public catalog without an account.
ANYBODY = 0

_READ = ("pk", "model_id", *SIGHT_FIELDS)


@dataclass(frozen=True, slots=True)
class Audience:
    """user -> the models of `models` that they see; ANYBODY stands for those who are not signed in."""

    models: frozenset[int]
    seen: Mapping[int, frozenset[int]]
    names: Mapping[int, str]
    # model -> the ids that a key's policy must allow, for the key to reach what its owner sees.
    ids: Mapping[int, tuple[str, ...]]
    # alias -> the ids of what it stands for, link by link, which a key's policy must not deny.
    targets: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    # group -> the models that a key of its own sees.
    groups: Mapping[int, frozenset[int]] = field(default_factory=dict)
    is_whole: bool = True

    def without(self, after: Audience) -> dict[int, frozenset[int]]:
        """user -> the models that they see here and no longer see in `after`."""
        lost = {user: models - after.seen.get(user, frozenset()) for user, models in self.seen.items()}
        return {user: models for user, models in lost.items() if models}


@dataclass(slots=True)
class _Alike:
    """Models with all that the rule reads of them, grouped: one stands for those that it cannot tell apart."""

    groups: dict[int, frozenset[int]] = field(default_factory=dict)
    ids: dict[int, tuple[str, ...]] = field(default_factory=dict)
    targets: dict[int, tuple[str, ...]] = field(default_factory=dict)
    # The users whom a grant, or what they own, sets apart from those of the same groups and flags.
    apart: set[int] = field(default_factory=set)


def _named(keys: Iterable[Any], path: str) -> Q:
    """The rows whose `path` is one of these keys; all rows where they are many."""
    wanted = sorted(keys)
    return Q(**{f"{path}__in": wanted}) if len(wanted) <= FEW else Q()


def with_built_upon(keys: Iterable[int], former_ids: Collection[str] = ()) -> frozenset[int]:
    """The models, their aliases, and the custom models that are built upon any of these.

    `former_ids` are those that some of the models had: an alias may name one.
    """
    wanted = set(keys)
    aliases = list(AIModel.objects.filter(alias_of__gt="").order_by().values_list("pk", "alias_of"))
    targets = AIModel.objects.filter(model_id__in={target for _, target in aliases}).order_by()
    pk_of = dict(targets.values_list("model_id", "pk"))
    for _ in range(rules.MAX_ALIASES):
        wanted |= {pk for pk, target in aliases if pk_of.get(target) in wanted or target in former_ids}
    found = wanted
    for _ in range(rules.MAX_CHAIN - 1):
        if not found:
            break
        rows = AIModel.objects.custom().filter(_named(found, "base_model")).order_by()
        found = {pk for pk, base in rows.values_list("pk", "base_model") if base in found}
        wanted |= found
    return frozenset(wanted)


def _chains(keys: frozenset[int]) -> list[list[dict[str, Any]]]:
    """Of each model what the rule reads, and the same of the models below it.

    Each level is read by itself: a join of a large table with itself is slow on a database that has not yet counted it.
    """
    rows: dict[int, dict[str, Any]] = {}
    wanted = set(keys)
    for _ in range(rules.MAX_CHAIN):
        for row in AIModel.objects.filter(_named(wanted, "pk")).order_by().values(*_READ):
            if row["pk"] in wanted:
                rows[row["pk"]] = row
        wanted = {row["base_model"] for row in rows.values() if row["base_model"]} - rows.keys()
        if not wanted:
            break
    chains = [[rows[pk]] for pk in sorted(keys & rows.keys())]
    for chain in chains:
        while len(chain) < rules.MAX_CHAIN and chain[-1]["base_model"] in rows:
            chain.append(rows[chain[-1]["base_model"]])
    return chains


def _targets(chains: list[list[dict[str, Any]]]) -> dict[str, tuple[int, str]]:
    """Of each id that aliases among these name, link by link: the model's key, and what it is an alias of itself."""
    found: dict[str, tuple[int, str]] = {}
    wanted = {part["alias_of"] for chain in chains for part in chain} - {""}
    for _ in range(rules.MAX_ALIASES):
        rows = AIModel.objects.filter(_named(wanted, "model_id")).order_by().values_list("model_id", "pk", "alias_of")
        found |= {model_id: (pk, alias_of) for model_id, pk, alias_of in rows if model_id in wanted}
        wanted = {alias_of for _, alias_of in found.values() if alias_of} - found.keys()
        if not wanted:
            break
    return found


def _followed(alias_of: str, targets: Mapping[str, tuple[int, str]]) -> tuple[str, ...]:
    ids: list[str] = []
    while alias_of and alias_of not in ids:
        ids.append(alias_of)
        alias_of = targets[alias_of][1] if alias_of in targets else ""
    return tuple(ids)


def _alike(keys: frozenset[int]) -> _Alike:
    chains = _chains(keys)
    targets = _targets(chains)
    linked = {part["pk"] for chain in chains for part in chain} | {pk for pk, _ in targets.values()}
    granted: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
    principals = ("model_id", "principal_type", "user_id", "group_id")
    for model, *principal in AccessGrant.objects.filter(_named(linked, "model")).values_list(*principals):
        granted[model].add(tuple(principal))
    found = _Alike()
    sorted_out: dict[Any, list[int]] = defaultdict(list)
    for chain in chains:
        told = tuple(
            (*(part[name] for name in SIGHT_FIELDS if name != "base_model"), frozenset(granted[part["pk"]]))
            for part in chain
        )
        sorted_out[told].append(chain[0]["pk"])
        found.ids[chain[0]["pk"]] = _ids_to_allow(chain)
        if chain[0]["alias_of"]:
            found.targets[chain[0]["pk"]] = _followed(chain[0]["alias_of"], targets)
        found.apart.update(part["owner"] for part in chain if part["owner"] is not None)
        found.apart.update(user for part in chain for _, user, _ in granted[part["pk"]] if user is not None)
    # A target is a catalog entry, which nobody owns.
    found.apart.update(user for pk, _ in targets.values() for _, user, _ in granted[pk] if user is not None)
    found.groups = {models[0]: frozenset(models) for models in sorted_out.values()}
    return found


def _ids_to_allow(chain: list[dict[str, Any]]) -> tuple[str, ...]:
    """Its own id, and those of what it is built on as far down as nobody delegated it."""
    ids = [chain[0]["model_id"]]
    for above, below in pairwise(chain):
        if above["delegated"]:
            break
        ids.append(below["model_id"])
    return tuple(ids)


def of(models: Iterable[int]) -> Audience:
    """Who sees these models, and the custom models built upon them, as things stand now."""
    keys = with_built_upon(models)
    alike = _alike(keys)
    people = get_user_model()._default_manager.filter(is_active=True).annotate(**callers.columns(""))
    ways: dict[Any, Viewer] = {}
    stands: dict[int, Any] = {}
    names: dict[int, str] = {}
    groups: dict[int, Any] = {}
    for row in people.order_by("pk"):
        viewer = callers.from_row(row, user_id=row.pk, is_staff=False).viewer
        way = (viewer.groups, viewer.flags, row.pk if row.pk in alike.apart else None)
        ways.setdefault(way, viewer)
        stands[row.pk] = way
        names[row.pk] = row.get_username()
    for group in Group.objects.annotate(**callers.group_columns()).order_by("pk"):
        viewer = callers.of_group(group, group.pk).viewer
        groups[group.pk] = way = (viewer.groups, viewer.flags, None)
        ways.setdefault(way, viewer)
    if settings.PUBLIC_CATALOG:
        ways["anybody"] = callers.caller_of(None).viewer
        stands[ANYBODY] = "anybody"
        names[ANYBODY] = "anyone who is not signed in"
    asked = dict(islice(ways.items(), max(1, MOST_ASKED // max(1, len(alike.groups)))))
    seen = _ask(asked, alike)
    told = {user: seen[way] for user, way in stands.items() if way in seen}
    of_groups = {group: seen[way] for group, way in groups.items() if way in seen}
    return Audience(keys, told, names, alike.ids, alike.targets, of_groups, is_whole=len(asked) == len(ways))


def _ask(ways: Mapping[Any, Viewer], alike: _Alike) -> dict[Any, frozenset[int]]:
    """The rule's decision for each way to stand, on one model of each group."""
    examples: list[AIModel] = []
    wanted = sorted(alike.groups)
    for start in range(0, len(wanted), FEW):
        rows = AIModel.objects.filter(pk__in=wanted[start : start + FEW]).select_related(rules.LAST_BASE)
        examples += rows.order_by().prefetch_related(*(f"{link}grants" for link in rules.CHAIN))
    # Most ways see the same, so they share one set.
    shared: dict[tuple[int, ...], frozenset[int]] = {}
    seen: dict[Any, frozenset[int]] = {}
    for way, viewer in ways.items():
        visible = tuple(model.pk for model in examples if rules.sees(viewer, model))
        if visible not in shared:
            shared[visible] = frozenset().union(*(alike.groups[pk] for pk in visible))
        seen[way] = shared[visible]
    return seen


@dataclass(frozen=True, slots=True)
class Loss:
    """Who loses sight of what, in words and counts for a page."""

    users: list[tuple[str, int]]  # name, number of models
    keys: list[tuple[str, str]]  # owner, key
    is_whole: bool
    anybody: bool

    def __bool__(self) -> bool:
        return bool(self.users) or bool(self.keys) or self.anybody


def loss(before: Audience, after: Audience) -> Loss:
    """Who sees in `before` what they no longer see in `after`."""
    lost = before.without(after)
    users = sorted((before.names[user], len(models)) for user, models in lost.items() if user != ANYBODY)
    keys = extensions.keys_losing(before, after)
    return Loss(users, keys, before.is_whole and after.is_whole, ANYBODY in lost)
