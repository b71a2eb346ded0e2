"""Nobody gives more than they have: what a member of staff may hand out, and whom they may change.

What a person has is authority (superuser, staff, permissions) and sight (the models that the one rule shows them).
Every form, action and page that gives any of it asks here. A superuser may do everything. Each question is answered by
a sentence on why not, for the person who asked; "" is yes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from waffle import get_waffle_flag_model

from catalog.access import callers
from catalog.access.rules import EXPERIMENTAL_FLAG
from catalog.access.viewers import Viewer
from catalog.models import AccessGrant, AIModel, AIModelQuerySet, FieldChange

# What is switched off or hidden today may be shown tomorrow, so it counts as sight too.
_ALL_STATES = ("hidden", "inactive")


def permissions_of(user: Any) -> frozenset[int]:
    """The permissions of a user and their groups, also while the user is deactivated: a tick brings them back."""
    held = Permission.objects.filter(Q(user=user.pk) | Q(group__user=user.pk))
    return frozenset(held.order_by().values_list("pk", flat=True))


def sight_of(user: Any) -> Viewer:
    """A user as a viewer, also while deactivated, or a group, with what is hidden or inactive."""
    if isinstance(user, callers.GroupPrincipal):
        return _whole(callers.caller_of(user).viewer)
    row: Any = get_user_model()._default_manager.annotate(**callers.columns("")).get(pk=user.pk)
    return _whole(callers.from_row(row, user_id=row.pk, is_staff=True).viewer)


def _whole(viewer: Viewer) -> Viewer:
    return replace(viewer, is_staff=True).including(_ALL_STATES)


class Rights:
    """What one person has. It is read once, when it is first asked for."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self.is_superuser = bool(user.is_active and user.is_superuser)
        self._over: dict[int, str] = {}
        self._enter: dict[int, str] = {}

    @cached_property
    def permissions(self) -> frozenset[int]:
        return permissions_of(self.user)

    @cached_property
    def sight(self) -> Viewer:
        return sight_of(self.user)

    @property
    def _unseen(self) -> QuerySet[AIModel]:
        return AIModel.objects.exclude(pk__in=AIModel.objects.visible_to(self.sight).values("pk"))

    # Authority.

    def givable_permissions(self) -> QuerySet[Permission]:
        every = Permission.objects.all()
        return every if self.is_superuser else every.filter(pk__in=self.permissions)

    def over_user(self, user: Any) -> str:
        """Why this person may not change or delete a user: one has authority over those who have less, and oneself.

        Of a group's key this is nothing to ask: it has the group's sight, and none of its permissions.
        """
        if self.is_superuser or user.pk == self.user.pk or isinstance(user, callers.GroupPrincipal):
            return ""
        if user.pk not in self._over:
            self._over[user.pk] = self._over_other(user)
        return self._over[user.pk]

    def _over_other(self, user: Any) -> str:
        if user.is_superuser:
            return f"{user} is a superuser: only a superuser changes them or what is theirs."
        theirs = permissions_of(user)
        if beyond := theirs - self.permissions:
            named = Permission.objects.filter(pk__in=beyond).select_related("content_type")[:1]
            return f"{user} has a permission that you do not have ({named[0]}): only who has it changes them."
        if user.is_staff and theirs == self.permissions:
            return f"{user} is a member of staff with the same rights as you: only who has more changes them."
        return ""

    # Sight.

    def to_enter(self, user: Any) -> str:
        """Why this person may not take what lets one act as a user: their password, the names they sign in with."""
        if self.is_superuser or user.pk == self.user.pk:
            return ""
        if user.pk not in self._enter:
            self._enter[user.pk] = self.over_user(user) or self.sight_beyond(sight_of(user), user, is_key=True)
        return self._enter[user.pk]

    def to_ask_about(self, user: Any) -> str:
        """Why this person may not ask what a user sees of the models that this person may look at."""
        if self.is_superuser or user.pk == self.user.pk:
            return ""
        return self.over_user(user) or self.sight_beyond(sight_of(user), user)

    def sight_beyond(self, after: Viewer, owner: Any, before: Viewer | None = None, is_key: bool = False) -> str:
        """Why this person may not let `after` look, who is `owner` or a key of theirs; `before` is what it saw already.

        An owner is a user or a group, which owns no model.

        `is_key`: it is a key or a password, which lets this person look as the owner does. Then custom models that the
        owner made count, too, unless they may view all custom models; the owner sees them anyhow. Models are not named:
        who asks does not see them.
        """
        if self.is_superuser:
            return ""
        gained = self._unseen.filter(pk__in=AIModel.objects.visible_to(_whole(after)).values("pk"))
        if owner.pk is not None and (not is_key or self.user.has_perm("catalog.view_custommodel")):
            gained = gained.exclude(owner=owner.pk)
        if before is not None:
            gained = gained.exclude(pk__in=AIModel.objects.visible_to(_whole(before)).values("pk"))
        if gained.exists():
            return (
                f"There are models that you do not see and {owner} sees: only who sees them, or a superuser, gives "
                "access to them."
            )
        return ""

    def sees(self, model: Any) -> bool:
        """Whether this person sees a model, be it hidden or inactive, and so may decide who else does."""
        return self.is_superuser or AIModel.objects.filter(pk=model.pk).visible_to(self.sight).exists()

    @cached_property
    def kinds_shown(self) -> list[str]:
        """The kinds of models of which the admin shows this person each one."""
        names = {AIModel.Kind.CATALOG: "aimodel", AIModel.Kind.CUSTOM: "custommodel"}
        may = self.user.has_perm
        return [kind for kind, name in names.items() if may(f"catalog.view_{name}") or may(f"catalog.change_{name}")]

    def to_look_at(self, models: AIModelQuerySet) -> AIModelQuerySet:
        """Those of these models of which this person may learn: what they see themselves or in the admin."""
        if set(self.kinds_shown) == set(AIModel.Kind.values):
            return models
        seen = AIModel.objects.visible_to(self.sight).values("pk")
        return models.filter(Q(kind__in=self.kinds_shown) | Q(pk__in=seen))

    def to_read_past(self, changes: QuerySet[FieldChange]) -> QuerySet[FieldChange]:
        """Those of these changes of which this person may learn: of custom models where the admin shows them all.

        Of a model that is gone it is what no person wrote: of a custom model people wrote everything.
        """
        if AIModel.Kind.CUSTOM in self.kinds_shown:
            return changes
        gone = Q(model=None) & ~Q(source=FieldChange.Source.PERSON)
        return changes.filter(Q(model__kind=AIModel.Kind.CATALOG) | gone)

    def to_give_write(self, models: AIModelQuerySet) -> str:
        """Why this person may not let others write to these custom models, which shows them what is behind them."""
        if self.is_superuser or self.user.has_perm("catalog.change_custommodel"):
            return ""
        beyond = models.custom().exclude(pk__in=models.writable_by(self.sight).values("pk")).order_by("model_id")
        if model := beyond.first():
            return f"You may not change {model} yourself, so you cannot let others change it."
        return ""

    def unseen_of(self, keys: Any) -> list[str]:
        """The ids of those of these models that this person does not see."""
        if self.is_superuser:
            return []
        found = AIModel.objects.filter(pk__in=keys)
        found = found.exclude(pk__in=AIModel.objects.filter(pk__in=keys).visible_to(self.sight).values("pk"))
        return list(found.order_by("model_id").values_list("model_id", flat=True))

    # Groups and flags: what they give, they give to whoever is put into them.

    def givable_groups(self) -> QuerySet[Group]:
        """The groups that this person may put others into, and change: those that give nothing beyond them."""
        return Group.objects.all() if self.is_superuser else Group.objects.exclude(pk__in=self._groups_beyond)

    @cached_property
    def _groups_beyond(self) -> set[int]:
        # Read one by one: as one statement they nest deeper than SQLite parses.
        permissions: Any = Group.permissions.through
        more = permissions.objects.exclude(permission__in=self.permissions)
        grants = AccessGrant.objects.filter(group__isnull=False, model__in=self._unseen.values("pk"))
        flag: Any = get_waffle_flag_model()
        flags = flag.groups.through.objects.filter(flag__name__in=self._flags_beyond())
        return {group for rows in (more, grants, flags) for group in rows.order_by().values_list("group", flat=True)}

    def over_group(self, group: Group) -> str:
        """Why this person may not change or delete a group."""
        if self.is_superuser:
            return ""
        if group.pk in self._groups_beyond:
            return f"The group {group} gives permissions or sight that you do not have: only who has them changes it."
        # What it gives is taken from its members with it, and who then has less could be changed. Superusers lose none.
        staff = group.user_set.filter(is_staff=True, is_superuser=False).exclude(pk=self.user.pk)
        return next((told for user in staff if (told := self.over_user(user))), "")

    def over_flag(self, name: str) -> str:
        """Why this person may not say who holds the flag of this name."""
        if self.is_superuser or not self._flags_beyond(name):
            return ""
        return f"The flag {name} shows models that you do not see: only who sees them says who holds it."

    def _flags_beyond(self, *names: str) -> list[str]:
        """The flags (of these, where some are named) that this person lacks and that show models they do not see."""
        required = set(self._unseen.order_by().values_list("requires_feature_flag", flat=True).distinct()) - {""}
        if self._unseen.filter(experimental=True).exists():
            required.add(EXPERIMENTAL_FLAG)
        beyond = required - self.sight.flags
        return sorted(beyond & set(names) if names else beyond)


def of(request: HttpRequest) -> Rights:
    """The rights of who asks, read once a request. Below pages, make `Rights(user)`."""
    found: Rights | None = getattr(request, "rights", None)
    if found is None:
        found = Rights(request.user)
        request.rights = found  # type: ignore[attr-defined]
    return found
