"""Which model ids a key may name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import Q

from catalog.access.rules import EVERYTHING, NOTHING
from catalog.access.viewers import Policy
from catalog.db import lookups
from catalog.db.fields import Unreadable
from catalog.validation import model_ids

if TYPE_CHECKING:
    from apikeys.models import ApiKey

MAX_PATTERNS = 1000
MAX_STARS = 8
# Each is tried on each id, in the process and on the database.
MAX_WILD = 200
# Characters that stand between two stars, in the whole list: each may be looked for at every place of each id.
MAX_SOUGHT = 400


@dataclass(frozen=True)
class KeyPolicy:
    """A mode and its patterns; an unknown mode allows nothing."""

    mode: str
    patterns: tuple[str, ...] = ()

    @classmethod
    def of(cls, key: ApiKey) -> KeyPolicy:
        if isinstance(key.patterns, Unreadable) or not all(isinstance(pattern, str) for pattern in key.patterns):
            # Written past every check: no list that can be followed, so nothing is allowed.
            return cls("unreadable")
        return _policy(key.mode, tuple(key.patterns))

    @cached_property
    def length(self) -> int:
        return sum(map(len, self.patterns))

    @cached_property
    def _exact(self) -> frozenset[str]:
        return frozenset(pattern for pattern in self.patterns if "*" not in pattern)

    @cached_property
    def _wild(self) -> tuple[str, ...]:
        return tuple(pattern for pattern in self.patterns if "*" in pattern)

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(lookups.expression(self._wild))

    def names(self, model_id: str) -> bool:
        return model_id in self._exact or (bool(self._wild) and self._expression.match(model_id) is not None)

    def allows(self, model_id: str) -> bool:
        if self.mode == "all":
            return True
        if self.mode == "allow_list":
            return self.names(model_id)
        return self.mode == "deny_list" and not self.names(model_id)

    def spares(self, target_id: str) -> bool:
        """Whether an alias of this id is not denied on its account. An allow list names the alias, not its target."""
        return self.mode == "allow_list" or self.allows(target_id)

    def is_within(self, other: KeyPolicy) -> bool:
        """Whether this policy surely allows nothing that the other does not. In doubt it says no.

        A pattern that matches the text of another one matches everything that the other matches: its own characters
        are no stars, so each star of the other falls where it has a star itself.
        """
        if other.mode == "all":
            return True
        if other.mode == "allow_list":
            return self.mode == "allow_list" and all(other.names(pattern) for pattern in self.patterns)
        if other.mode != "deny_list":
            return False
        if self.mode == "deny_list":
            return all(self.names(pattern) for pattern in other.patterns)
        # Whether two patterns with stars have no id in common is not worked out; nor what an alias will stand for. An
        # id that is none may become one of what is denied: then it is staff or a source who let this id, which the key
        # had all along, mean that. An allow list has what its ids mean, and no answer names what they stand for.
        plain = not self._wild and not any(exact.startswith(model_ids.ALIAS_MARK) for exact in self._exact)
        return self.mode == "allow_list" and plain and all(other.allows(exact) for exact in self._exact)

    def condition(self, field: str) -> Q:
        """The same as a filter on the field that holds the model id."""
        if self.mode == "all":
            return EVERYTHING
        if self.mode not in ("allow_list", "deny_list"):
            return NOTHING
        named = Q(**{f"{field}__among": sorted(self._exact)})
        if self._wild:
            named |= Q(**{f"{field}__matches": self._wild})
        return named if self.mode == "allow_list" else ~named

    def sparing(self, field: str) -> Q:
        """`spares` as a filter on the field that holds the id."""
        return EVERYTHING if self.mode == "allow_list" else self.condition(field)


@lru_cache(maxsize=128)
def _policy(mode: str, patterns: tuple[str, ...]) -> KeyPolicy:
    """The same policy for the same list, with what was made of it for the requests before."""
    return KeyPolicy(mode, patterns)


@dataclass(frozen=True, slots=True)
class Conjunction:
    """All of several policies: of a key and of those that it was made with."""

    policies: tuple[KeyPolicy, ...]

    @property
    def length(self) -> int:
        return sum(policy.length for policy in self.policies)

    def allows(self, model_id: str) -> bool:
        return all(policy.allows(model_id) for policy in self.policies)

    def spares(self, target_id: str) -> bool:
        return all(policy.spares(target_id) for policy in self.policies)

    def condition(self, field: str) -> Q:
        return reduce(and_, (policy.condition(field) for policy in self.policies))

    def sparing(self, field: str) -> Q:
        return reduce(and_, (policy.sparing(field) for policy in self.policies))


def policy_of(key: ApiKey) -> Policy:
    """What the key's own list allows, within that of the key it was made with."""
    own = KeyPolicy.of(key)
    return Conjunction((KeyPolicy.of(key.made_with), own)) if key.made_with else own


def problem_of(pattern: object) -> str | None:
    """A sentence on why `pattern` cannot stand in a policy, or None."""
    if problem := model_ids.problem_of_pattern(pattern):
        return problem
    if str(pattern).count("*") > MAX_STARS:
        return f"A pattern has at most {MAX_STARS} stars."
    return None


def problems_of(patterns: Sequence[object]) -> dict[int, str]:
    """position -> sentence, for the patterns that cannot stand; a repeated one is named too."""
    problems = {n: problem for n, pattern in enumerate(patterns) if (problem := problem_of(pattern))}
    seen: set[object] = set()
    for n, pattern in enumerate(patterns):
        if n in problems:
            continue
        if pattern in seen:
            problems[n] = "This one stands in the list twice."
        seen.add(pattern)
    return problems


_LISTS = {"allowed_models": "allow_list", "denied_models": "deny_list"}


def chosen(current: KeyPolicy | None, sent: Mapping[str, Any]) -> KeyPolicy:
    """The policy that a caller asks for with `mode`, `allowed_models` and `denied_models`, as far as they are sent.

    `current` is that of the key to change, None for a new one. A new key without a list, or with an empty one, has
    every model; an existing list is only ever emptied or left where `mode` says so too. Raises ValidationError.
    """
    lists = {name: sent[name] for name in _LISTS if sent.get(name) is not None}
    if len(lists) > 1:
        raise ValidationError({"denied_models": "Send allowed_models or denied_models, not both."})
    name, patterns = next(iter(lists.items()), ("", None))
    if patterns is not None:
        _refuse_problems(name, patterns)
    mode = sent.get("mode")
    if mode is not None:
        return _of_mode(mode, name, patterns, current)
    if current is None:
        return KeyPolicy(_LISTS[name], tuple(patterns)) if patterns else KeyPolicy("all")
    if patterns:
        if current.mode == "allow_list" and name == "denied_models":
            raise ValidationError({name: 'The key has an allow list. To give that up, send "mode": "deny_list" too.'})
        return KeyPolicy(_LISTS[name], tuple(patterns))
    for cleared, listed in _LISTS.items():
        # null for the other kind of list is how it is shown, and says nothing.
        if cleared in sent and current.mode != "all" and (current.mode == listed or sent[cleared] is not None):
            raise ValidationError(
                {
                    cleared: ValidationError(
                        f'This would empty the list of the key. Send mode too: "{listed}" with [] for a list of '
                        'nothing, or "all" for every model.',
                        code="mode_required",
                    )
                }
            )
    return current


def _of_mode(mode: str, name: str, patterns: Sequence[str] | None, current: KeyPolicy | None) -> KeyPolicy:
    wanted = next((field for field, listed in _LISTS.items() if listed == mode), None)
    if wanted is None:
        if patterns:
            raise ValidationError({name: 'With "mode": "all" there is no list; leave it out or send [].'})
        return KeyPolicy("all")
    if patterns is None and current is not None and current.mode == mode:
        return current
    if name != wanted or patterns is None:
        raise ValidationError({wanted: f'With "mode": "{mode}" send {wanted}; [] is an empty list.'})
    return KeyPolicy(mode, tuple(patterns))


def too_many(patterns: Sequence[object]) -> str | None:
    """A sentence on why a list of so many patterns cannot stand, or None."""
    if len(patterns) > MAX_PATTERNS:
        return f"A list has at most {MAX_PATTERNS} entries."
    if sum("*" in str(pattern) for pattern in patterns) > MAX_WILD:
        return f"At most {MAX_WILD} entries of a list may have a star."
    if sum(map(_sought, patterns)) > MAX_SOUGHT:
        return f"At most {MAX_SOUGHT} characters of a list may stand between two stars of their entry, in all."
    return None


def _sought(pattern: object) -> int:
    """The characters between the first star and the last, stars included."""
    text = lookups.collapsed(str(pattern))
    return max(0, text.rfind("*") - text.find("*"))


def _refuse_problems(name: str, patterns: Sequence[object]) -> None:
    if len(patterns) <= MAX_PATTERNS and (problems := problems_of(patterns)):
        raise ValidationError({f"{name}.{n}": f"{patterns[n]!r:.100}: {text}" for n, text in problems.items()})
    if problem := too_many(patterns):
        raise ValidationError({name: problem})
