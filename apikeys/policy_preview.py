"""What a policy comes to for one user or group now: for a form to show while it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from apikeys.policy import KeyPolicy, problems_of, too_many
from catalog.access.callers import GroupPrincipal, caller_of
from catalog.access.rights import Rights
from catalog.db import lookups
from catalog.models import AIModel


@dataclass(frozen=True, slots=True)
class Match:
    """`allowed` of the `visible` models that the user sees; the patterns that name none of them, and those refused."""

    visible: int
    allowed: int
    nothing: list[str]
    problems: list[str]
    # Whether that is all; else it is of the models that who asks may look at.
    whole: bool
    # Whether who asks is the user.
    own: bool = False
    who: str = "this user"

    @property
    def told(self) -> str:
        """In words."""
        sees = "you see" if self.own else f"{self.who} sees"
        parts = [f"Allows {self.allowed} of the {self.visible} models that {sees} now."]
        if not self.whole:
            parts.append("Models that you may not look at are not counted.")
        if self.nothing:
            parts.append(f"Matches nothing: {', '.join(self.nothing)}.")
        return " ".join([*parts, *self.problems])


def match(user: Any, mode: str, patterns: Sequence[str], asking: Rights | None = None) -> Match:
    """Two queries for the models and one for each person's rights, however many patterns there are.

    `asking` is whoever looks at another's; None: the user themselves. Ids and counts are of the models that who asks
    may look at: patterns could otherwise guess the user's own ones.
    """
    viewer = caller_of(user).viewer
    models: Any = AIModel.objects.all()
    shown = models if asking is None else asking.to_look_at(models)
    ids = list(shown.visible_to(viewer).values_list("model_id", flat=True))
    # Asked of the rule, as an alias and a custom model are denied with what they stand for or upon.
    within = replace(viewer, policy=KeyPolicy(mode, tuple(patterns)))
    allowed = 0 if too_many(patterns) else shown.visible_to(within).count()
    present = set(ids)
    nothing = [
        pattern
        for pattern in patterns
        if (pattern not in present if "*" not in pattern else not any(lookups.matches(pattern, id_) for id_ in ids))
    ]
    problems = [f"{patterns[n]}: {problem}" for n, problem in problems_of(patterns).items()]
    problems += [problem] if (problem := too_many(patterns)) else []
    whole = asking is None or set(asking.kinds_shown) == set(AIModel.Kind.values)
    who = "this group" if isinstance(user, GroupPrincipal) else "this user"
    return Match(len(ids), allowed, [] if mode == "all" else nothing, problems, whole, own=asking is None, who=who)
