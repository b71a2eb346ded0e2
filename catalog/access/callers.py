"""Who is asking, read from the database: a viewer, and the versions that what they get depends on."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import BooleanField, Case, OuterRef, Q, Subquery, Value, When
from waffle import get_waffle_flag_model

from catalog import extensions
from catalog.access.digests import keyed
from catalog.access.viewers import ANONYMOUS, Policy, Viewer
from catalog.db.functions import JSONArray
from catalog.db.prepared import CompiledQuery
from catalog.models import CatalogVersion


@dataclass(frozen=True)
class Caller:
    """A viewer, with the versions of the catalog and of their preferences at one moment."""

    viewer: Viewer
    catalog_version: int
    preferences_version: int = 0
    # How the user wants pages to look; no answer of the API depends on it.
    theme: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """A short text that differs wherever the answers could. Keyed: it covers rights that no answer names."""
        return keyed("caller", f"{self.catalog_version} {self.identity}".encode())

    @cached_property
    def identity(self) -> str:
        """The same, whatever the version of the catalog is."""
        viewer = self.viewer
        parts = (
            self.preferences_version,
            viewer.user_id,
            sorted(viewer.groups),
            sorted(viewer.flags),
            repr(viewer.policy),
            viewer.no_new_since,
            sorted(viewer.include),
        )
        return keyed("viewer", repr(parts).encode())

    def including(self, words: Any) -> Caller:
        return replace(self, viewer=self.viewer.including(words))


class GroupPrincipal:
    """A group whose own key asks, where Django and DRF expect a user: with no row, no permission and nothing saved."""

    pk = id = None
    is_active = is_authenticated = True
    is_anonymous = is_staff = is_superuser = False

    def __init__(self, group: Group) -> None:
        self.group = group

    def __str__(self) -> str:
        return f"the group {self.group.name}"

    def get_username(self) -> str:
        return str(self)

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return False


def columns(user: str, group: str = "") -> dict[str, Any]:
    """Annotations that read a user as a caller within another statement; `user` is the path to the user's row.

    `group` is the path to the row of the group that it may be instead of a user, to be read by `of_group`.
    """
    pk, staff, superuser = OuterRef(f"{user}pk"), OuterRef(f"{user}is_staff"), OuterRef(f"{user}is_superuser")
    # Flags as waffle decides them, but without shares of users by chance: those follow a cookie of the browser.
    groups = Group.objects.filter(user=pk).order_by()
    flags = get_waffle_flag_model().objects.order_by()
    flags = flags.annotate(
        _staff=Case(When(staff=True, then=staff), default=Value(False), output_field=BooleanField()),
        _super=Case(When(superusers=True, then=superuser), default=Value(False), output_field=BooleanField()),
    )
    # One level further in.
    inner = OuterRef(pk)
    held = (
        Q(_staff=True)
        | Q(_super=True)
        | Q(pk__in=flags.model.users.through.objects.filter(user=inner).values("flag"))
        | Q(pk__in=flags.model.groups.through.objects.filter(group__user=inner).values("flag"))
    )
    if group:
        held |= _given_to(OuterRef(f"{group}pk"))
    return {
        "caller_groups": Subquery(groups.annotate(ids=JSONArray("pk")).values("ids")),
        **_flags_and_version(flags, held),
        **extensions.caller_columns(user),
    }


def group_columns() -> dict[str, Any]:
    """Annotations of groups that read each as a caller, as its key is one."""
    return _flags_and_version(get_waffle_flag_model().objects.order_by(), _given_to(OuterRef("pk")))


def _given_to(group: OuterRef) -> Q:
    flag: Any = get_waffle_flag_model()
    return Q(pk__in=flag.groups.through.objects.filter(group=OuterRef(group)).values("flag"))


def _flags_and_version(flags: Any, held: Q) -> dict[str, Any]:
    """`held` says which flags a caller has besides those of everyone and of whoever is signed in, or has a key."""
    held = Q(everyone=True) | Q(everyone__isnull=True) & (Q(authenticated=True) | held)
    return {
        "caller_flags": Subquery(flags.filter(held).annotate(names=JSONArray("name")).values("names")),
        "caller_version": Subquery(CatalogVersion.objects.values("number")[:1]),
    }


def of_group(row: Any, group_id: int, policy: Policy | None = None) -> Caller:
    """A group as a caller, of a row that was read with `group_columns`, or with `columns` and the path to the group.

    It sees what a member of this group alone would who has set nothing.
    """
    viewer = Viewer(groups=frozenset({group_id}), flags=frozenset(json.loads(row.caller_flags or "[]")), policy=policy)
    return Caller(viewer, row.caller_version or 0)


def from_row(row: Any, *, user_id: int, is_staff: bool, policy: Policy | None = None) -> Caller:
    """The caller of a row that was read with `columns`."""
    viewer = Viewer(
        user_id=user_id,
        groups=frozenset(json.loads(row.caller_groups or "[]")),
        flags=frozenset(json.loads(row.caller_flags or "[]")),
        policy=policy,
        no_new_since=row.caller_no_new_since,
        is_staff=is_staff,
    )
    return Caller(viewer, row.caller_version or 0, row.caller_preferences or 0, row.caller_theme or "")


def _user(pk: int) -> Any:
    return get_user_model()._default_manager.filter(pk=pk, is_active=True).annotate(**columns(""))


def _now() -> Any:
    names = get_waffle_flag_model().objects.filter(everyone=True).order_by()
    return CatalogVersion.objects.annotate(flags=Subquery(names.annotate(names=JSONArray("name")).values("names")))


def _group(pk: int) -> Any:
    return Group.objects.filter(pk=pk).annotate(**group_columns())


_GROUP: CompiledQuery[Any] = CompiledQuery(_group)
_USER: CompiledQuery[Any] = CompiledQuery(_user)
_NOW: CompiledQuery[Any] = CompiledQuery(_now)


def caller_of(user: Any, policy: Policy | None = None) -> Caller:
    """A user as a caller now, or a group (a GroupPrincipal), or an anonymous caller. One statement.

    A user who was deleted or deactivated meanwhile is an anonymous one who sees nothing more; so is a deleted group.
    """
    if isinstance(user, GroupPrincipal):
        group: Any = _GROUP.first(user.group.pk)
        return caller_of(None) if group is None else of_group(group, group.pk, policy)
    if user is None or not user.is_authenticated:
        now: Any = _NOW.first()
        if now is None:
            return Caller(ANONYMOUS, 0)
        return Caller(replace(ANONYMOUS, flags=frozenset(json.loads(now.flags or "[]"))), now.number)
    row: Any = _USER.first(user.pk)
    if row is None:
        return caller_of(None)
    return from_row(row, user_id=row.pk, is_staff=row.is_staff, policy=policy)
