"""Who sees what: the one rule.

Each condition stands here once, in two forms: as a filter for lists and as a decision about one model with its
reason. Tests hold the two to the same answer. Every list, detail, preference write, default and preview asks here.

Filters take the model class, AIModel, from the queryset that asks: the module of that class stands above this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Q
from django.db.models.expressions import RawSQL

from catalog import extensions
from catalog.access.viewers import Viewer, cached_by_viewer
from catalog.db.prepared import subquery

EXPERIMENTAL_FLAG = "experimental_models"

# A custom model, the one it is built on, and the catalog entry below. AIModel refuses a longer chain.
MAX_CHAIN = 3
# From a model to each link of its chain, itself first, as the beginning of a lookup; and to the last, for joins.
CHAIN = tuple("base_model__" * link for link in range(MAX_CHAIN))
LAST_BASE = CHAIN[-1].removesuffix("__")
# What an alias stands for may be an alias itself; one that leads further than this, or in a circle, shows nothing.
MAX_ALIASES = 3
# The grants that the rule reads of a model and of what it stands on, for prefetch_related().
GRANTS = (
    *(f"{link}grants" for link in CHAIN),
    *(f"{'stands_for__' * link}grants" for link in range(1, MAX_ALIASES + 1)),
)

NOTHING = Q(pk__in=())
EVERYTHING = ~NOTHING


@dataclass(frozen=True, slots=True)
class Check:
    """One condition's outcome for one model: `detail` says why, and where it fails what would change it."""

    check: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One part of the rule: as a filter under a prefix ("" or "base_model__"), and as a decision."""

    name: str
    filter: Callable[[Any, Viewer, str], Q]
    holds: Callable[[Viewer, Any], bool]
    passed: str
    failed: str


# The conditions, in the order in which they are explained.


def _active(model_class: Any, viewer: Viewer, prefix: str) -> Q:
    return EVERYTHING if "inactive" in viewer.include else Q(**{f"{prefix}active": True})


def _not_hidden(model_class: Any, viewer: Viewer, prefix: str) -> Q:
    return EVERYTHING if "hidden" in viewer.include else Q(**{f"{prefix}hidden": False})


def _flag(model_class: Any, viewer: Viewer, prefix: str) -> Q:
    return Q(**{f"{prefix}requires_feature_flag__in": ["", *sorted(viewer.flags)]})


def _experimental(model_class: Any, viewer: Viewer, prefix: str) -> Q:
    return EVERYTHING if EXPERIMENTAL_FLAG in viewer.flags else Q(**{f"{prefix}experimental": False})


@lru_cache(maxsize=256)
def _grants(
    model_class: Any, user_id: int | None, groups: frozenset[int], permissions: tuple[str, ...]
) -> RawSQL | tuple[()]:
    """The models granted so. The rule names them many times."""
    principal = Q(principal_type="everyone") | Q(group__in=sorted(groups))
    if user_id is not None:
        principal |= Q(user=user_id)
    grants = model_class.grants.rel.related_model._default_manager
    return subquery(grants.filter(principal, permission__in=permissions).values("model"))


def _granted(model_class: Any, viewer: Viewer, prefix: str, permissions: tuple[str, ...] = ("read", "write")) -> Q:
    # A subquery, not a join: a model granted to two of the viewer's groups is still one row.
    return Q(**{f"{prefix}pk__in": _grants(model_class, viewer.user_id, viewer.groups, permissions)})


def _readable(model_class: Any, viewer: Viewer, prefix: str) -> Q:
    open_to_all = Q(**{f"{prefix}kind": "catalog", f"{prefix}restricted": False})
    return open_to_all | _granted_or_own(model_class, viewer, prefix)


def _granted_or_own(model_class: Any, viewer: Viewer, prefix: str) -> Q:
    return _granted(model_class, viewer, prefix) | owned(viewer, prefix)


def owned(viewer: Viewer, prefix: str = "") -> Q:
    """The viewer's own custom models. What nobody owns is not theirs who are no user, such as a group with its key."""
    return NOTHING if viewer.user_id is None else Q(**{f"{prefix}owner": viewer.user_id})


def _policy(model_class: Any, viewer: Viewer, prefix: str) -> Q:
    return EVERYTHING if viewer.policy is None else viewer.policy.condition(f"{prefix}model_id")


def _all(conditions: Iterable[Condition], model_class: Any, viewer: Viewer, prefix: str = "") -> Q:
    seen = Q()
    for condition in conditions:
        seen &= condition.filter(model_class, viewer, prefix)
    return seen


def _target_seen(model_class: Any, viewer: Viewer) -> Q:
    """Aliases of what is not denied to the viewer, link by link."""
    seen, ended, path = Q(), NOTHING, ""
    for _ in range(MAX_ALIASES):
        path += "stands_for__"
        target = Q(**{f"{path}kind": "catalog"}) & _all(OF_THE_ROW, model_class, viewer, path)
        if viewer.policy is not None:
            target &= viewer.policy.sparing(f"{path}model_id")
        seen &= ended | target
        ended |= Q(**{f"{path}alias_of": ""})
    return seen & ended


def _plain(viewer: Viewer) -> Viewer:
    """The viewer as far as the sight of targets and base models depends on them."""
    return replace(viewer.including(()), no_new_since=None)


@cached_by_viewer(256)
def _aliases_seen(model_class: Any, viewer: Viewer) -> RawSQL | tuple[()]:
    """The keys of the aliases whose targets this viewer sees."""
    aliases = model_class._default_manager.filter(_target_seen(model_class, viewer), alias_of__gt="")
    return subquery(aliases.values("pk"))


def _alias(model_class: Any, viewer: Viewer, prefix: str) -> Q:
    # A subquery: the joins to targets are made for aliases alone, which few models are. These are judged as bases are:
    # what staff ask to see besides is not what an alias of it may show.
    seen = _aliases_seen(model_class, _plain(viewer))
    return Q(**{f"{prefix}alias_of": ""}) | Q(**{f"{prefix}pk__in": seen})


def _targets(model: Any) -> Iterator[Any]:
    """What an alias stands for, link by link, and None where that ends in no model or goes on for too long."""
    link: Any = model
    for _ in range(MAX_ALIASES):
        if link is None or not link.alias_of:
            return
        try:
            link = link.stands_for
        except ObjectDoesNotExist:
            link = None
        yield link
    if link is not None and link.alias_of:
        yield None


def _sees_target(viewer: Viewer, model: Any) -> bool:
    plain = viewer.including(())
    return all(
        target is not None
        and target.kind == "catalog"
        and all(condition.holds(plain, target) for condition in OF_THE_ROW)
        and (plain.policy is None or plain.policy.spares(target.model_id))
        for target in _targets(model)
    )


def grants_to(viewer: Viewer, model: Any) -> list[str]:
    """The permissions that grants give this viewer."""
    return [
        grant.permission
        for grant in model.grants.all()
        if grant.principal_type == "everyone"
        or (viewer.user_id is not None and grant.user_id == viewer.user_id)
        or (grant.group_id is not None and grant.group_id in viewer.groups)
    ]


def _is_readable(viewer: Viewer, model: Any) -> bool:
    if model.kind == "catalog" and not model.restricted:
        return True
    if viewer.user_id is not None and model.owner_id == viewer.user_id:
        return True
    return bool(grants_to(viewer, model))


# What a row says by itself.
OF_THE_ROW: tuple[Condition, ...] = (
    Condition(
        "active",
        _active,
        lambda viewer, model: model.active or "inactive" in viewer.include,
        "The entry is active.",
        "The entry is switched off; staff, or the owner of a custom model, can activate it.",
    ),
    Condition(
        "not_hidden",
        _not_hidden,
        lambda viewer, model: not model.hidden or "hidden" in viewer.include,
        "The entry is not hidden.",
        "Staff have hidden the entry; they can show it again.",
    ),
    Condition(
        "feature_flag",
        _flag,
        lambda viewer, model: model.requires_feature_flag in ("", *viewer.flags),
        "No feature flag is required, or the caller holds it.",
        "The entry requires a feature flag that the caller does not hold; staff can switch it on for them.",
    ),
    Condition(
        "experimental",
        _experimental,
        lambda viewer, model: not model.experimental or EXPERIMENTAL_FLAG in viewer.flags,
        "The entry is not experimental, or the caller takes part in experiments.",
        f"The entry is experimental; staff can switch the flag {EXPERIMENTAL_FLAG} on for the caller.",
    ),
    Condition(
        "readable",
        _readable,
        _is_readable,
        "The entry is open to all, the caller's own, or granted to them.",
        "The entry is only for those granted; a grant to the caller or one of their groups would show it.",
    ),
)
KEY_POLICY = Condition(
    "key_policy",
    _policy,
    lambda viewer, model: viewer.policy is None or viewer.policy.allows(model.model_id),
    "No key is in use, or its policy allows this id.",
    "The policy of the key in use does not allow this id.",
)
ALIAS_TARGET = Condition(
    "alias_target",
    _alias,
    _sees_target,
    "It is no alias, or what it stands for is not denied to the caller.",
    "It is an alias or built on one, and what that stands for is denied to the caller; sight of that would show it.",
)
_NO_TARGET = (
    "It is an alias or built on one that leads to no model: the one that it names is gone, or aliases name each other "
    f"in a circle or over more than {MAX_ALIASES} steps; naming another model would show it."
)
SIGHT = (*OF_THE_ROW, KEY_POLICY, ALIAS_TARGET)


def _sight_of_base(model_class: Any, viewer: Viewer, prefix: str, levels: int) -> Q:
    base = f"{prefix}base_model__"
    # What an alias stands for is not asked here: a custom model that is built on one has it on its own row.
    seen = _all((*OF_THE_ROW, KEY_POLICY), model_class, viewer.including(()), base)
    if levels > 1:
        return seen & (Q(**{f"{base}kind": "catalog"}) | _base_seen(model_class, viewer, base, levels - 1))
    return seen & Q(**{f"{base}kind": "catalog"})


def _base_seen(model_class: Any, viewer: Viewer, prefix: str, levels: int) -> Q:
    """A custom model needs sight of the one it is built on, unless staff delegated it. Without a base it is broken."""
    seen = _sight_of_base(model_class, viewer, prefix, levels)
    return Q(**{f"{prefix}base_model__isnull": False}) & (Q(**{f"{prefix}delegated": True}) | seen)


def base_visible(model_class: Any, viewer: Viewer) -> Q:
    """Custom models whose base model the viewer sees, delegated or not: an answer may name it."""
    seen = _sight_of_base(model_class, viewer, "", MAX_CHAIN - 1)
    return seen & _alias(model_class, viewer.including(()), "base_model__")


@cached_by_viewer(256)
def _custom_seen(model_class: Any, viewer: Viewer) -> RawSQL | tuple[()]:
    """The keys of the custom models whose base model the viewer sees.

    The joins to base models are made for custom models alone, not for each entry of a large catalog; and for those that
    the viewer may read at all, as the others are out of sight whatever they are built on.
    """
    custom = model_class._default_manager.filter(kind="custom").filter(_granted_or_own(model_class, viewer, ""))
    return subquery(custom.filter(_base_seen(model_class, viewer, "", MAX_CHAIN - 1)).values("pk"))


def _founded(model_class: Any, viewer: Viewer) -> Q:
    """Catalog entries, and custom models whose base model the viewer sees."""
    return Q(kind="catalog") | Q(pk__in=_custom_seen(model_class, _plain(viewer)))


def visible(model_class: Any, viewer: Viewer) -> Q:
    """What the viewer may see, as a filter on AIModel."""
    return _all(SIGHT, model_class, viewer) & _founded(model_class, viewer)


def writable(model_class: Any, viewer: Viewer) -> Q:
    """Custom models that are the viewer's own or that a write grant lets them change."""
    if viewer.is_anonymous:
        return NOTHING
    return Q(kind="custom") & (owned(viewer) | _granted(model_class, viewer, "", ("write",)))


def findable(model_class: Any, viewer: Viewer) -> Q:
    """What the viewer finds in the list and by id: what is visible, and inactive custom models they may change."""
    found = _founded(model_class, viewer)
    for condition in SIGHT:
        if condition.name == "active":
            found &= condition.filter(model_class, viewer, "") | (Q(active=False) & writable(model_class, viewer))
        else:
            found &= condition.filter(model_class, viewer, "")
    return found


def available() -> Q:
    """Offered by some provider, or said to be by a person; a custom model is where its base model is."""
    return Q(is_available=True)


def enabled(viewer: Viewer) -> Q:
    """Switched on for this user: by their own word, else by default, unless it came after they stopped new ones."""
    default = Q(enabled_by_default=True)
    if viewer.no_new_since is not None:
        default &= Q(created_at__lte=viewer.no_new_since)
    if viewer.user_id is None:
        return default
    own = extensions.own_switches(viewer.user_id)
    switched_on = own.filter(is_enabled=True).values("model")
    return Q(pk__in=switched_on) | (default & ~Q(pk__in=own.values("model")))


def switched_off(viewer: Viewer) -> Q:
    """Switched off by the user's own word. Terminal pickers leave these out and no others."""
    if viewer.user_id is None:
        return NOTHING
    return Q(pk__in=extensions.own_switches(viewer.user_id).filter(is_enabled=False).values("model"))


def usable(model_class: Any, viewer: Viewer) -> Q:
    """What the viewer may use: visible, available and enabled."""
    return visible(model_class, viewer) & available() & enabled(viewer)


# One model, with reasons.


def switches_of(viewer: Viewer, keys: Iterable[int]) -> dict[int, bool]:
    """The viewer's own switches of these models."""
    if viewer.user_id is None:
        return {}
    return dict(extensions.own_switches(viewer.user_id).filter(model__in=keys).values_list("model", "is_enabled"))


def is_enabled(viewer: Viewer, model: Any, own: bool | None) -> bool:
    """`enabled` for a row at hand; `own` is the viewer's own switch of it, or None."""
    if own is not None:
        return own
    return model.enabled_by_default and (viewer.no_new_since is None or model.created_at <= viewer.no_new_since)


def _sees_base(viewer: Viewer, model: Any, levels: int = MAX_CHAIN - 1) -> bool:
    if model.kind == "catalog":
        return True
    base = model.base_model
    if base is None:
        return False
    if model.delegated:
        return True
    plain = viewer.including(())
    if not all(condition.holds(plain, base) for condition in SIGHT):
        return False
    return _sees_base(viewer, base, levels - 1) if levels > 1 else base.kind == "catalog"


def sight(viewer: Viewer, model: Any) -> Iterator[Check]:
    """Each condition of `visible`, in a fixed order."""
    for condition in SIGHT:
        ok = condition.holds(viewer, model)
        leads_nowhere = not ok and condition is ALIAS_TARGET and None in _targets(model)
        failed = _NO_TARGET if leads_nowhere else condition.failed
        yield Check(condition.name, ok, condition.passed if ok else failed)
    ok = _sees_base(viewer, model)
    yield Check(
        "base_model",
        ok,
        "It needs no base model, or the caller sees it, or staff have delegated this custom model."
        if ok
        else "The caller does not see the model that this one is built on; sight of that one, or staff's word that "
        "this one is delegated, would change it.",
    )


def explain(viewer: Viewer, model: Any) -> list[Check]:
    """Every condition of `visible` and `usable`, each decided for this viewer."""
    own = switches_of(viewer, [model.pk]).get(model.pk)
    is_available, switched_on = model.is_available, is_enabled(viewer, model, own)
    return [
        *sight(viewer, model),
        Check(
            "available",
            is_available,
            "A provider lists it now, or staff say that it is available."
            if is_available
            else "No active provider lists it now; it returns with the listing.",
        ),
        Check(
            "enabled",
            switched_on,
            "The user's own switch or the default is on."
            if switched_on
            else "It is switched off by default, and who is no user has no switch of it."
            if viewer.user_id is None
            else "It is switched off for this user; PATCH /api/models switches it on.",
        ),
    ]


def permitted(viewer: Viewer, model: Any) -> bool:
    """Whether the policy of the key in use allows this model, whatever else hides it."""
    policy = viewer.policy
    if policy is None:
        return True
    targets = [target.model_id for target in _targets(model) if target is not None]
    return policy.allows(model.model_id) and all(policy.spares(target) for target in targets)


def target_allowed(viewer: Viewer, target_id: str) -> bool:
    """Whether an answer about an alias that the viewer sees may name what it stands for.

    They see the alias, so nothing denies them the target; but an allow list may name the alias alone.
    """
    return viewer.policy is None or viewer.policy.allows(target_id)


def target_seen(model_class: Any, viewer: Viewer) -> Q:
    """What an alias without a row of its own may stand for, as a filter on AIModel."""
    seen = _all((*OF_THE_ROW, ALIAS_TARGET), model_class, viewer)
    return seen if viewer.policy is None else seen & viewer.policy.sparing("model_id")


def sees(viewer: Viewer, model: Any) -> bool:
    """Whether the viewer may see this one model: `visible` for a row at hand."""
    return all(check.ok for check in sight(viewer, model))
