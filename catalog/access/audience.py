"""Who sees given models: everyone's sight at once, so that staff learn whom a change would take it from.

Users who stand alike (the same groups and flags, no grant or custom model of their own among the models) see alike, and
so do models that the rule cannot tell apart. The rule is asked once for each pair of the two; the number of statements
does not grow with people, and with models only by one for each batch of them.
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
from django.db.models import Q, prefetch_related_objects

from catalog import extensions
from catalog.access import callers, rules
from catalog.access.viewers import Viewer
from catalog.db.bulk import batches
from catalog.models import AIModel

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
# What tells models of one row apart, besides their grants: a base is a row of its own.
_COMPARED = tuple({"owner": "owner_id"}.get(name, name) for name in SIGHT_FIELDS if name != "base_model")


@dataclass(slots=True)
class People:
    """Everybody as the rule reads them: users by key, ANYBODY among them, and groups, as a key of theirs asks."""

    users: dict[int, Viewer] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    groups: dict[int, Viewer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Audience:
    """user -> the models of `models` that they see; ANYBODY stands for those who are not signed in."""

    models: frozenset[int]
    seen: Mapping[int, frozenset[int]]
    people: People
    # model -> the ids that a key's policy must allow, for the key to reach what its owner sees.
    ids: Mapping[int, tuple[str, ...]]
    # alias -> the ids of what it stands for, link by link, which a key's policy must not deny.
    targets: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    # group -> the models that a key of its own sees.
    groups: Mapping[int, frozenset[int]] = field(default_factory=dict)
    is_whole: bool = True


@dataclass(slots=True)
class _Alike:
    """Models with all that the rule reads of them, grouped: one stands for those that it cannot tell apart."""

    groups: dict[int, frozenset[int]] = field(default_factory=dict)
    examples: list[AIModel] = field(default_factory=list)
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
    # A union, as each level is found by its own index.
    bases = [f"{link}base_model" for link in rules.CHAIN[:-1]]
    first, *deeper = (
        AIModel.objects.custom().filter(_named(wanted, base)).order_by().values_list("pk", "base_model")
        for base in bases
    )
    built = list(first.union(*deeper))
    for _ in bases:
        wanted |= {pk for pk, base in built if base in wanted}
    return frozenset(wanted)


def _read_along(keys: Iterable[Any], field: str, link: str, levels: int) -> dict[Any, AIModel]:
    """The models that `field` has these keys of, and those that `link` leads to from them: by key, with their grants.

    Each level is read by itself: a join of a large table with itself is slow on a database that has not yet counted it.
    """
    rows: dict[Any, AIModel] = {}
    wanted = set(keys)
    for _ in range(levels):
        found = AIModel.objects.filter(_named(wanted, field)).order_by().only(*_READ)
        rows |= {key: row for row in found if (key := getattr(row, field)) in wanted}
        wanted = {key for row in rows.values() if (key := getattr(row, link))} - rows.keys()
        if not wanted:
            break
    for chunk in batches(rows.values()):
        prefetch_related_objects(chunk, "grants")
    return rows


def _chains(keys: frozenset[int]) -> list[list[AIModel]]:
    """Each model with what the rule reads of it, and the same of the models below it."""
    rows = _read_along(keys, "pk", "base_model_id", rules.MAX_CHAIN)
    for row in rows.values():
        if row.base_model_id in rows:
            row.base_model = rows[row.base_model_id]
    chains = [[rows[pk]] for pk in sorted(keys & rows.keys())]
    for chain in chains:
        while len(chain) < rules.MAX_CHAIN and chain[-1].base_model_id in rows:
            chain.append(rows[chain[-1].base_model_id])
    return chains


def _targets(chains: list[list[AIModel]]) -> dict[str, AIModel]:
    """Of each id that aliases among these name, link by link, the model; each alias is given its own.

    The rule would read them again for everybody whom it is asked about.
    """
    named = {part.alias_of for chain in chains for part in chain} - {""}
    found = _read_along(named, "model_id", "alias_of", rules.MAX_ALIASES)
    for row in (*(part for chain in chains for part in chain), *found.values()):
        if row.alias_of in found:
            row.stands_for = found[row.alias_of]
    return found


def _followed(alias_of: str, targets: Mapping[str, AIModel]) -> tuple[str, ...]:
    ids: list[str] = []
    while alias_of and alias_of not in ids:
        ids.append(alias_of)
        alias_of = targets[alias_of].alias_of if alias_of in targets else ""
    return tuple(ids)


def _alike(keys: frozenset[int]) -> _Alike:
    chains = _chains(keys)
    targets = _targets(chains)
    found = _Alike()
    sorted_out: dict[Any, list[AIModel]] = defaultdict(list)
    for chain in chains:
        model, told = chain[0], []
        for part in chain:
            granted = frozenset((grant.principal_type, grant.user_id, grant.group_id) for grant in part.grants.all())
            told.append((*(getattr(part, name) for name in _COMPARED), granted))
            found.apart |= {user for user in (part.owner_id, *(user for _, user, _ in granted)) if user is not None}
        sorted_out[tuple(told)].append(model)
        found.ids[model.pk] = _ids_to_allow(chain)
        if model.alias_of:
            found.targets[model.pk] = _followed(model.alias_of, targets)
    # A target is a catalog entry, which nobody owns.
    found.apart |= {grant.user_id for target in targets.values() for grant in target.grants.all() if grant.user_id}
    found.examples = [models[0] for models in sorted_out.values()]
    found.groups = {models[0].pk: frozenset(model.pk for model in models) for models in sorted_out.values()}
    return found


def _ids_to_allow(chain: list[AIModel]) -> tuple[str, ...]:
    """Its own id, and those of what it is built on as far down as nobody delegated it."""
    ids = [chain[0].model_id]
    for above, below in pairwise(chain):
        if above.delegated:
            break
        ids.append(below.model_id)
    return tuple(ids)


def _people() -> People:
    found = People()
    users = get_user_model()._default_manager.filter(is_active=True).annotate(**callers.columns(""))
    for row in users.order_by("pk"):
        found.users[row.pk] = callers.from_row(row, user_id=row.pk, is_staff=False).viewer
        found.names[row.pk] = row.get_username()
    for group in Group.objects.annotate(**callers.group_columns()).order_by("pk"):
        found.groups[group.pk] = callers.of_group(group, group.pk).viewer
    if settings.PUBLIC_CATALOG:
        found.users[ANYBODY] = callers.caller_of(None).viewer
        found.names[ANYBODY] = "anyone who is not signed in"
    return found


def of(models: Iterable[int]) -> Audience:
    """Who sees these models, and the custom models built upon them, as things stand now."""
    return _audience(with_built_upon(models), _people())


def again(before: Audience) -> Audience:
    """The same after a change of these models alone: people, their groups and their flags are as they were."""
    return _audience(before.models, before.people)


def _audience(keys: frozenset[int], people: People) -> Audience:
    alike = _alike(keys)
    ways: dict[Any, Viewer] = {}
    stands: dict[int, Any] = {}
    groups: dict[int, Any] = {}
    for pk, viewer in people.users.items():
        # Who is not signed in holds other flags than those of the same groups, and stands alone.
        stands[pk] = way = (viewer.groups, viewer.flags, pk if pk in alike.apart or pk == ANYBODY else None)
        ways.setdefault(way, viewer)
    for pk, viewer in people.groups.items():
        groups[pk] = way = (viewer.groups, viewer.flags, None)
        ways.setdefault(way, viewer)
    asked = dict(islice(ways.items(), max(1, MOST_ASKED // max(1, len(alike.groups)))))
    seen = _ask(asked, alike)
    told = {user: seen[way] for user, way in stands.items() if way in seen}
    of_groups = {group: seen[way] for group, way in groups.items() if way in seen}
    return Audience(keys, told, people, alike.ids, alike.targets, of_groups, is_whole=len(asked) == len(ways))


def _ask(ways: Mapping[Any, Viewer], alike: _Alike) -> dict[Any, frozenset[int]]:
    """The rule's decision for each way to stand, on one model of each group."""
    # Most ways see the same, so they share one set.
    shared: dict[tuple[int, ...], frozenset[int]] = {}
    seen: dict[Any, frozenset[int]] = {}
    for way, viewer in ways.items():
        visible = tuple(model.pk for model in alike.examples if rules.sees(viewer, model))
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
    lost = {user: models - after.seen.get(user, frozenset()) for user, models in before.seen.items()}
    anybody = bool(lost.pop(ANYBODY, None))
    users = sorted((before.people.names[user], len(models)) for user, models in lost.items() if models)
    keys = extensions.keys_losing(before, after)
    return Loss(users, keys, before.is_whole and after.is_whole, anybody)
