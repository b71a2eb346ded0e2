"""What a policy comes to for one user now: for a form to show while it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from apikeys.policy import KeyPolicy, problems_of, too_many
from catalog.access.callers import caller_of
from catalog.db import lookups
from catalog.models import AIModel


@dataclass(frozen=True, slots=True)
class Match:
    """`allowed` of the `visible` models that the user sees; the patterns that name none of them, and those refused."""

    visible: int
    allowed: int
    nothing: list[str]
    problems: list[str]

    @property
    def told(self) -> str:
        """In words."""
        parts = [f"Allows {self.allowed} of the {self.visible} models that this user sees now."]
        if self.nothing:
            parts.append(f"Matches nothing: {', '.join(self.nothing)}.")
        return " ".join([*parts, *self.problems])


def match(user: Any, mode: str, patterns: Sequence[str]) -> Match:
    """Two queries for the models and one for the user's rights, however many patterns there are."""
    viewer = caller_of(user).viewer
    ids = list(AIModel.objects.visible_to(viewer).values_list("model_id", flat=True))
    # Asked of the rule, as an alias and a custom model are denied with what they stand for or upon.
    within = replace(viewer, policy=KeyPolicy(mode, tuple(patterns)))
    allowed = 0 if too_many(patterns) else AIModel.objects.visible_to(within).count()
    present = set(ids)
    nothing = [
        pattern
        for pattern in patterns
        if (pattern not in present if "*" not in pattern else not any(lookups.matches(pattern, id_) for id_ in ids))
    ]
    problems = [f"{patterns[n]}: {problem}" for n, problem in problems_of(patterns).items()]
    problems += [problem] if (problem := too_many(patterns)) else []
    return Match(len(ids), allowed, [] if mode == "all" else nothing, problems)
