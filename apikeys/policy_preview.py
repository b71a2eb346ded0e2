"""What a policy comes to for one user or group now: for a form to show while it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from apikeys.policy import KeyPolicy, problems_of, too_many
from catalog.access.callers import GroupPrincipal, caller_of
from catalog.access.rights import Rights
from catalog.db import lookups
from catalog.models import AIModel


def told(user: Any, mode: str, patterns: Sequence[str], asking: Rights | None = None) -> str:
    """In words: how many of the models that the user sees it allows, which patterns name none, and which are refused.

    Two queries for the models and one for each person's rights, however many patterns there are. `asking` is whoever
    looks at another's; None: the user themselves. Ids and counts are of the models that who asks may look at: patterns
    could otherwise guess the user's own ones.
    """
    viewer = caller_of(user).viewer
    models: Any = AIModel.objects.all()
    shown = models if asking is None else asking.to_look_at(models)
    ids = list(shown.visible_to(viewer).values_list("model_id", flat=True))
    # Asked of the rule, as an alias and a custom model are denied with what they stand for or upon.
    within = replace(viewer, policy=KeyPolicy(mode, tuple(patterns)))
    refused = too_many(patterns)
    allowed = 0 if refused else shown.visible_to(within).count()
    who = "you see" if asking is None else f"this {'group' if isinstance(user, GroupPrincipal) else 'user'} sees"
    parts = [f"Allows {allowed} of the {len(ids)} models that {who} now."]
    if asking is not None and set(asking.kinds_shown) != set(AIModel.Kind.values):
        parts.append("Models that you may not look at are not counted.")
    present = set(ids)
    nothing = [
        pattern
        for pattern in patterns
        if (pattern not in present if "*" not in pattern else not any(lookups.matches(pattern, id_) for id_ in ids))
    ]
    if nothing and mode != "all":
        parts.append(f"Matches nothing: {', '.join(nothing)}.")
    parts += [f"{patterns[n]}: {problem}" for n, problem in problems_of(patterns).items()]
    return " ".join([*parts, *([refused] if refused else [])])
