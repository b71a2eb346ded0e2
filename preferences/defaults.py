"""Which model a viewer gets where they name none."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.api.snapshot import VisibleCatalog

# Staff could name models as one another's.
_MOST_SUCCESSORS = 5


@dataclass(frozen=True, slots=True)
class Default:
    """The model's primary key, and whose word it is: `user`, `group`, `site`, `first_usable`; both None without any."""

    pk: int | None = None
    source: str | None = None
    # Why it is not the one that was named; "" where it is.
    reason: str = ""


def resolve(view: VisibleCatalog) -> Default:
    """The first that the viewer may use of: their own, their groups' by rank, the site's, the catalog's first for chat.

    A stored default that is not usable now stays stored. Where it is retired, what replaces it is taken, and the reason
    says so; else it is passed over. Anonymous callers have the site's or none, and a group's key none of its own.
    """
    visibility = view.visibility
    named: list[tuple[int | None, str]] = [(visibility.site_default, "site")]
    if not view.caller.viewer.is_anonymous:
        groups = ((pk, "group") for pk in visibility.group_defaults)
        named = [(visibility.own_default, "user"), *groups, *named, (view.first_for_chat, "first_usable")]
    for pk, source in named:
        if visibility.is_usable(pk):
            return Default(pk, source)
        if pk is not None and pk in visibility.mark_of and (successor := _successor(view, pk)) is not None:
            ids = (view.rendered.by_pk[one].model_id for one in (pk, successor))
            return Default(successor, source, "{} is retired; {} replaces it.".format(*ids))
    return Default()


def _successor(view: VisibleCatalog, pk: int) -> int | None:
    """The first usable one of those that replace a retired model, and one another."""
    for _ in range(_MOST_SUCCESSORS):
        model_id = view.successor_of_retired(view.rendered.by_pk[pk].model_id)
        if not model_id:
            break
        pk = view.rendered.pk_of[model_id]
        if view.visibility.is_usable(pk):
            return pk
    return None
