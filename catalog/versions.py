"""The catalog's version number and its journal: what each version changed.

The number grows in every transaction that changes what a reader may get. Readers cache what they have made under the
number that they read before making it, so a number may be too old for what is cached under it (it is then made again
once) but never too new. A process that is behind reads in the journal which models have changed, and reads only those.

Numbers never repeat. A database that was restored, or that lost its last writes in a failover, goes back to an earlier
number; the next one is the clock's reading, and so ahead of every number that was given before. Where the number is
ahead of the clock, which was set back or is another machine's, the clock says nothing of what was given: the next one
is then a random distance away.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from django.db import connections, models, transaction
from django.db.models import BigIntegerField, Case, F, Subquery, Value, When

from catalog.db.fields import StoredJSON

_ONLY_ROW = 1
# More changed models than this are not named: processes then read all of them.
MOST_NAMED = 500
# How many versions the journal reaches back, at least, and after how many entries it is cut to that.
REACH, CUT_EVERY = 4_096, 256
# How far a number goes at most that cannot follow the clock: so far that two of the same number differ.
_FAR = 2**32


def first() -> int:
    """The number that a row begins with: the clock's reading in microseconds."""
    return time.time_ns() // 1000


def after(column: str) -> Case:
    """The number that follows the one in `column`: more than that, and not behind the clock."""
    now = first()
    return Case(
        When(**{f"{column}__lt": now}, then=Value(now)),
        default=F(column) + 1 + secrets.randbelow(_FAR),
        output_field=BigIntegerField(),
    )


@dataclass(frozen=True, slots=True)
class Changed:
    """What a version changed: the models of these keys (None: any model), and beyond them the sight of others."""

    keys: frozenset[int] | None = None
    sight: bool = False

    @classmethod
    def of(cls, keys: Iterable[int] | None, sight: bool = False) -> Changed:
        named = None if keys is None else frozenset(keys)
        return cls(None if named is None or len(named) > MOST_NAMED else named, sight)

    def __or__(self, other: Changed) -> Changed:
        keys = None if self.keys is None or other.keys is None else self.keys | other.keys
        return Changed.of(keys, self.sight or other.sight)

    def covers(self, other: Changed) -> bool:
        return self | other == self


@dataclass(frozen=True, slots=True)
class _Raised:
    """Marks a transaction in which the number was raised. Django forgets it with the savepoint that is rolled back."""

    entry: int
    changed: Changed
    # The list that it is noted in. Django makes another one with each savepoint that is rolled back, also of one that
    # was made by hand, of which it does not know that this was noted within.
    noted_in: list[Any] = field(compare=False, repr=False)

    def __call__(self) -> None:
        """Nothing is left to do on commit."""


def _raised_in(connection: Any) -> Iterator[_Raised]:
    """The marks of what certainly is written when this transaction commits, as far as it is now.

    One of a savepoint that is over says nothing: whether that was rolled back is not known of what was added to it. The
    transaction that a test is wrapped in is none, as its readers see each change.
    """
    blocks = connection.atomic_blocks
    in_test = any(getattr(block, "_from_testcase", False) for block in blocks)
    is_real = any(not getattr(block, "_from_testcase", False) for block in blocks)
    noted_in = connection.run_on_commit
    for savepoints, mark, *_ in noted_in if is_real else ():
        # None stands for a block without a savepoint of its own.
        within = set(savepoints) - {None}
        if (
            isinstance(mark, _Raised)
            and mark.noted_in is noted_in
            and within <= set(connection.savepoint_ids)
            and (within or not in_test)
        ):
            yield mark


class CatalogVersionManager(models.Manager["CatalogVersion"]):
    def bump(self, keys: Iterable[int] | None = None, *, sight: bool = False) -> None:
        """Raises the number in the caller's transaction, once, and notes the models of these keys as changed.

        Without keys any model may have changed. `sight`: somebody may see more or less, for a reason that is no change
        of these models.
        """
        connection, changed = connections[self.db], Changed.of(keys, sight)
        if connection.in_atomic_block:
            self._bump(connection, changed)
        else:
            with transaction.atomic(using=self.db):
                self._bump(connection, changed)

    def _bump(self, connection: Any, changed: Changed) -> None:
        marks = list(_raised_in(connection))
        if any(mark.changed.covers(changed) for mark in marks):
            return
        if marks:
            entry = CatalogChange.objects.get(pk=marks[-1].entry)
            entry.set(entry.changed | changed)
            entry.save(update_fields=["keys", "sight"])
        else:
            self._raise()
            # The numbers are read within the statement that writes them down.
            row = self.filter(pk=_ONLY_ROW)
            entry = CatalogChange(version=Subquery(row.values("number")), previous=Subquery(row.values("previous")))
            entry.set(changed)
            entry.save(force_insert=True)
            if entry.pk % CUT_EVERY == 0:
                CatalogChange.objects.filter(pk__lt=entry.pk - REACH).delete()
        transaction.on_commit(_Raised(entry.pk, changed, connection.run_on_commit), using=self.db)

    def _raise(self) -> None:
        if not self.filter(pk=_ONLY_ROW).update(previous=F("number"), number=after("number")):
            _, made = self.get_or_create(pk=_ONLY_ROW, defaults={"number": first()})
            if not made:
                self._raise()

    def hold(self) -> None:
        """Waits for the transactions that change the catalog, and lets no other one commit before the caller's."""
        list(self.filter(pk=_ONLY_ROW).select_for_update().values_list("pk"))

    def current(self) -> int:
        """The number now; 0 for a catalog that was never written."""
        return self.filter(pk=_ONLY_ROW).values_list("number", flat=True).first() or 0


class CatalogVersion(models.Model):
    """One row whose number grows in each transaction that changes what a reader of the catalog may get."""

    number = models.BigIntegerField()
    # The number before this one.
    previous = models.BigIntegerField(default=0, db_default=0)
    # That of the last change of a field that was deleted from history: what is asked for from before it is not whole.
    pruned = models.BigIntegerField(default=0, db_default=0)

    objects = CatalogVersionManager()

    def __str__(self) -> str:
        return str(self.number)


class CatalogChangeManager(models.Manager["CatalogChange"]):
    def between(self, version: int, now: int) -> Changed | None:
        """What changed after `version`, up to and with `now`; None where the journal does not say it all."""
        entries = list(self.filter(version__gte=version, version__lte=now).order_by("version"))
        if not entries or entries[0].version != version or entries[-1].version != now:
            return None
        # A version without an entry, of code that knows no journal, breaks the chain.
        if any(later.previous != earlier.version for earlier, later in pairwise(entries)):
            return None
        changed = Changed(frozenset())
        for entry in entries[1:]:
            changed |= entry.changed
        return changed


class CatalogChange(models.Model):
    """The journal: what one version of the catalog changed."""

    version = models.BigIntegerField(unique=True)
    previous = models.BigIntegerField(help_text="The version before this one.")
    keys = StoredJSON(null=True, help_text="Of AI models; null: any of them.")
    sight = models.BooleanField(default=False)

    objects = CatalogChangeManager()

    def __str__(self) -> str:
        return f"{self.version}: {'any' if self.keys is None else len(self.keys)}"

    @property
    def changed(self) -> Changed:
        # What is no list of keys was written by other means, and says nothing.
        named = isinstance(self.keys, list) and all(isinstance(key, int) for key in self.keys)
        return Changed.of(self.keys if named else None, self.sight)

    def set(self, changed: Changed) -> None:
        self.keys, self.sight = None if changed.keys is None else sorted(changed.keys), changed.sight
