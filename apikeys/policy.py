"""Which model ids a key may name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from catalog import lookups, modelids
from catalog.access import EVERYTHING, NOTHING

MAX_PATTERNS = 1000
MAX_STARS = 8


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """A mode and its patterns; an unknown mode allows nothing."""

    mode: str
    patterns: tuple[str, ...] = ()

    @property
    def _exact(self) -> frozenset[str]:
        return frozenset(pattern for pattern in self.patterns if "*" not in pattern)

    @property
    def _wild(self) -> tuple[str, ...]:
        return tuple(pattern for pattern in self.patterns if "*" in pattern)

    def _named(self, model_id: str) -> bool:
        return model_id in self._exact or any(lookups.matches(pattern, model_id) for pattern in self._wild)

    def allows(self, model_id: str) -> bool:
        if self.mode == "all":
            return True
        if self.mode == "allow_list":
            return self._named(model_id)
        return self.mode == "deny_list" and not self._named(model_id)

    def condition(self, field: str) -> Q:
        """The same as a filter on the field that holds the model id."""
        if self.mode == "all":
            return EVERYTHING
        if self.mode not in ("allow_list", "deny_list"):
            return NOTHING
        named = Q(**{f"{field}__in": sorted(self._exact)})
        for pattern in self._wild:
            named |= Q(**{f"{field}__matches": pattern})
        return named if self.mode == "allow_list" else ~named


@dataclass(frozen=True, slots=True)
class Conjunction:
    """All of several policies: of a key and of those that it was made with."""

    policies: tuple[KeyPolicy, ...]

    def allows(self, model_id: str) -> bool:
        return all(policy.allows(model_id) for policy in self.policies)

    def condition(self, field: str) -> Q:
        both = EVERYTHING
        for policy in self.policies:
            both &= policy.condition(field)
        return both


def problem_of(pattern: object) -> str | None:
    """A sentence on why `pattern` cannot stand in a policy, or None."""
    if problem := modelids.problem_of(pattern):
        return problem
    if str(pattern).count("*") > MAX_STARS:
        return f"A pattern has at most {MAX_STARS} stars."
    return None


def problems_of(patterns: Sequence[object]) -> dict[int, str]:
    """position -> sentence, for the patterns that cannot stand; a repeated one is named too."""
    problems = {n: problem for n, pattern in enumerate(patterns) if (problem := problem_of(pattern))}
    for n, pattern in enumerate(patterns):
        if n not in problems and pattern in patterns[:n]:
            problems[n] = "This one stands in the list twice."
    return problems
