"""Pages of a long list, at the same price wherever they lie."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from django.db.models import F, Func, IntegerField, QuerySet, Subquery

# Totals by what they depend on, the oldest first. A total is kept under the version of the catalog that
# was read before it was counted, so it is never older than its version.
_totals: OrderedDict[Hashable, int] = OrderedDict()
_MOST_TOTALS = 5000


class DeferredRows:
    """Reads the keys of a page by an index and then, for those alone, the wide rows.

    `found` is filtered and in a total order; `read` makes the rows of a list of keys, in any order; `basis` is what the
    total depends on. Counts in the statement that reads the keys, and not again for the same basis.
    """

    def __init__(self, found: QuerySet[Any], read: Callable[[list[int]], list[Any]], basis: Hashable) -> None:
        self.found = found
        self.read = read
        self.basis = basis

    def page(self, start: int, size: int) -> tuple[list[Any], int]:
        keys = self.found.values_list("pk", flat=True)
        total = _totals.get(self.basis)
        if total is None:
            counted = self.found.order_by().annotate(
                n=Func(F("pk"), function="COUNT", output_field=IntegerField())  # no GROUP BY, unlike Count
            )
            rows = list(
                self.found.annotate(n=Subquery(counted.values("n"))).values_list("pk", "n")[start : start + size]
            )
            total = rows[0][1] if rows else self.found.count()
            _keep(self.basis, total)
            found = [key for key, _ in rows]
        else:
            found = list(keys[start : start + size]) if start < total else []
        if not found:
            return [], total
        by_key = {row.pk: row for row in self.read(found)}
        # A row that was deleted in between is left out.
        return [by_key[key] for key in found if key in by_key], total


def _keep(basis: Hashable, total: int) -> None:
    _totals[basis] = total
    _totals.move_to_end(basis)
    while len(_totals) > _MOST_TOTALS:
        _totals.popitem(last=False)
