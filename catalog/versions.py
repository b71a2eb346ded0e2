"""The catalog's version number: grows in every transaction that changes what a reader may get.

Readers keep what they have made under the number they read before making it, so a number may be too old for what is
kept under it (it is then made anew once) but never too new.

Numbers never repeat. A database that was restored, or that lost its last writes in a failover, goes back to an earlier
number; the next one is ahead of the clock's reading then, and so of every number that was given before.
"""

import time
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group
from django.db.models import F, Manager
from django.db.models.functions import Greatest
from django.db.models.signals import m2m_changed, post_delete, post_save
from waffle import get_waffle_flag_model

_ONLY_ROW = 1


def _rows() -> Manager:
    # By name: catalog/models.py imports this module.
    return apps.get_model("catalog", "CatalogVersion")._default_manager


def first() -> int:
    """The number that a row begins with: the clock's reading in microseconds."""
    return time.time_ns() // 1000


def after(field: str) -> Greatest:
    """The number that follows the one in `field`: more than that, and not behind the clock."""
    return Greatest(F(field) + 1, first())


def bump() -> None:
    """Raises the number, in the caller's transaction."""
    if not _rows().filter(pk=_ONLY_ROW).update(number=after("number")):
        _, made = _rows().get_or_create(pk=_ONLY_ROW, defaults={"number": first()})
        if not made:
            bump()


def current() -> int:
    """The number now; 0 for a catalog that was never written."""
    return _rows().filter(pk=_ONLY_ROW).values_list("number", flat=True).first() or 0


def _changed(sender: Any, **_: Any) -> None:
    bump()


def watch() -> None:
    """Bumps on each write of a row that decides what a reader gets; bulk writes bump in AIModelQuerySet."""
    own: list[Any] = [apps.get_model("catalog", name) for name in ("AIModel", "AccessGrant", "Tag", "ModelImage")]
    for model in (*own, Group, get_waffle_flag_model()):
        for signal in (post_save, post_delete):
            signal.connect(_changed, sender=model, dispatch_uid=f"catalog version {model.__name__}")
    tagged = apps.get_model("catalog", "AIModel").tags.through
    m2m_changed.connect(_changed, sender=tagged, dispatch_uid="catalog version tags")
