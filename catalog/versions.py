"""The catalog's version number: grows in every transaction that changes what a reader may get.

Readers keep what they have made under the number they read before making it, so a number may be too old for what is
kept under it (it is then made anew once) but never too new.
"""

import time
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group
from django.db.models import F, Manager
from django.db.models.signals import m2m_changed, post_delete, post_save
from waffle import get_waffle_flag_model

_ONLY_ROW = 1


def _rows() -> Manager:
    # By name: catalog/models.py imports this module.
    return apps.get_model("catalog", "CatalogVersion")._default_manager


def bump() -> None:
    """Raises the number, in the caller's transaction."""
    if not _rows().filter(pk=_ONLY_ROW).update(number=F("number") + 1):
        # Begins at the clock, so that a catalog begun anew repeats no number that a process may have kept.
        _rows().get_or_create(pk=_ONLY_ROW, defaults={"number": time.time_ns() // 1000})


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
