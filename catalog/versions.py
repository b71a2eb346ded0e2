"""The catalog's version number: grows in every transaction that changes what a reader may get.

Readers cache what they have made under the number that they read before making it, so a number may be too old for what
is cached under it (it is then made again once) but never too new.

Numbers never repeat. A database that was restored, or that lost its last writes in a failover, goes back to an earlier
number; the next one is ahead of the clock's reading then, and so of every number that was given before.
"""

import time

from django.db import models
from django.db.models import F
from django.db.models.functions import Greatest

_ONLY_ROW = 1


def first() -> int:
    """The number that a row begins with: the clock's reading in microseconds."""
    return time.time_ns() // 1000


def after(field: str) -> Greatest:
    """The number that follows the one in `field`: more than that, and not behind the clock."""
    return Greatest(F(field) + 1, first())


class CatalogVersionManager(models.Manager["CatalogVersion"]):
    def bump(self) -> None:
        """Raises the number, in the caller's transaction."""
        if not self.filter(pk=_ONLY_ROW).update(number=after("number")):
            _, made = self.get_or_create(pk=_ONLY_ROW, defaults={"number": first()})
            if not made:
                self.bump()

    def current(self) -> int:
        """The number now; 0 for a catalog that was never written."""
        return self.filter(pk=_ONLY_ROW).values_list("number", flat=True).first() or 0


class CatalogVersion(models.Model):
    """One row whose number grows in each transaction that changes what a reader of the catalog may get."""

    number = models.BigIntegerField()

    objects = CatalogVersionManager()

    def __str__(self) -> str:
        return str(self.number)
