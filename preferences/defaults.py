"""Which model a viewer gets where they name none."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.api.snapshot import VisibleCatalog


@dataclass(frozen=True, slots=True)
class Default:
    """The model's primary key, and whose word it is: `user`, `group`, `site`, `first_usable`; both None without any."""

    pk: int | None = None
    source: str | None = None


def resolve(view: VisibleCatalog) -> Default:
    """The first that the viewer may use of: their own, their groups' by rank, the site's, the catalog's first for chat.

    A stored default that is not usable now is passed over and stays stored. Anonymous callers have the site's or none,
    and a group's key none of its own.
    """
    visibility = view.visibility
    if view.caller.viewer.is_anonymous:
        return Default(visibility.site_default, "site") if visibility.is_usable(visibility.site_default) else Default()
    named = [
        (visibility.own_default, "user"),
        *((pk, "group") for pk in visibility.group_defaults),
        (visibility.site_default, "site"),
        (view.first_for_chat, "first_usable"),
    ]
    return next((Default(pk, source) for pk, source in named if visibility.is_usable(pk)), Default())
