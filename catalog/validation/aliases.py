"""What a model may be an alias of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def problem_of(
    model_id: str, target: str, target_of: Callable[[str], str | None], longest: int, above: int = 0
) -> str | None:
    """A sentence on why nobody would see the model, or an alias of it, if it was an alias of `target`; or None.

    `target_of` returns what a model is an alias of: "" where it is none, None where there is no such model. `above` is
    the number of steps from the farthest alias to the model.
    """
    chain = [model_id, target]
    while chain[-1] and len(chain) - 1 <= longest:
        if chain[-1] in chain[:-1]:
            return f"An alias leads to a model, and {chain[-1]} leads back to itself."
        found = target_of(chain[-1])
        if found is None:
            return f"There is no model {chain[-1]} in the catalog."
        chain.append(found)
    steps = above + len(chain) - (1 if chain[-1] else 2)
    return f"From an alias to its model there are at most {longest} steps." if steps > longest else None


def problem_of_entry(entries: Any, model_id: str, target: str, longest: int) -> str | None:
    """The same for one of the catalog's `entries`, and for the aliases of it that there are."""
    above, names = -1, [model_id]
    while names and above < longest:
        above += 1
        names = list(entries.filter(alias_of__in=names).values_list("model_id", flat=True))
    targets = entries.values_list("alias_of", flat=True)
    return problem_of(model_id, target, lambda named: targets.filter(model_id=named).first(), longest, above)
