"""Who is asking, as the rule needs to know it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from django.db.models import Q

P = ParamSpec("P")
T = TypeVar("T")


class Policy(Protocol):
    """Which ids the key in use may name; the app of API keys makes it.

    `spares` is asked of what an alias stands for: a deny list that names it denies the alias too, while an allow list
    is content to name the alias.
    """

    @property
    def length(self) -> int:
        """Characters of all its patterns."""

    def allows(self, model_id: str) -> bool: ...

    def condition(self, field: str) -> Q: ...

    def spares(self, target_id: str) -> bool: ...

    def sparing(self, field: str) -> Q: ...


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking. `policy` is None where no key is in use.

    Without a user, but in one group, it is that group itself, by a key of its own.
    """

    user_id: int | None = None
    groups: frozenset[int] = frozenset()
    flags: frozenset[str] = frozenset()
    policy: Policy | None = None
    no_new_since: datetime | None = None
    is_staff: bool = False
    # What a member of staff asked to see besides: of "hidden" and "inactive".
    include: frozenset[str] = field(default=frozenset())

    @property
    def is_anonymous(self) -> bool:
        return self.user_id is None and not self.groups

    def including(self, words: Iterable[str]) -> Viewer:
        """This viewer, shown hidden or inactive models too. Only staff are."""
        return replace(self, include=frozenset(words)) if self.is_staff else self


ANONYMOUS = Viewer()

# Characters of a policy beyond which what is made for its viewer takes megabytes, as statements hold it several times;
# and for how many such viewers it is kept.
_LONG, _FEW = 4_000, 8


def cached_by_viewer(maxsize: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """`lru_cache` for a function whose last argument is a viewer; for few of those whose policies are long."""

    def decorate(make: Callable[P, T]) -> Callable[P, T]:
        cached: Any = lru_cache(maxsize)(make)
        cached_of_few: Any = lru_cache(_FEW)(make)

        @wraps(make)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            viewer: Any = args[-1]
            is_short = viewer.policy is None or viewer.policy.length <= _LONG
            made: T = (cached if is_short else cached_of_few)(*args, **kwargs)
            return made

        return call

    return decorate
