"""Pages of a long list, at the same price wherever they lie."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any

from cachetools import LRUCache
from django.db.models import Count, F, Func, IntegerField, Subquery, Window

from catalog.db.prepared import planned
from config.api.pagination import NumberedPages

# Totals by what they depend on. A total is stored under the version of the catalog that was read before it was counted,
# so it is never older than its version.
_totals: LRUCache[Hashable, int] = LRUCache(5000)
_lock = threading.Lock()


class DeferredPages(NumberedPages):
    """Reads the keys of a page by an index and then, for those alone, the wide rows.

    The queryset is in a total order. The view has `by_key(keys)`, what it shows of each of these rows that there is,
    `total_depends_on`: the total is counted in the statement that reads the keys, once for each of its values; and
    `is_usual_search`: whether few rows match and others ask by the same statement, so that the server keeps its plan,
    which takes longer to make than to run. A kept plan takes memory in each connection.
    """

    def cut(self, queryset: Any, start: int, view: Any) -> tuple[list[Any], int]:
        basis, end = view.total_depends_on, start + self.page_size
        with _lock:
            total = _totals.get(basis)
        if total is None:
            counting = queryset.annotate(n=_all(queryset, view.is_usual_search)).values_list("pk", "n")[start:end]
            rows = planned(counting) if view.is_usual_search else list(counting)
            total = rows[0][1] if rows else queryset.count() if start else 0
            with _lock:
                _totals[basis] = total
            keys = [key for key, _ in rows]
        else:
            keys = list(queryset.values_list("pk", flat=True)[start:end]) if start < total else []
        by_key = view.by_key(keys)
        # A row that was deleted in between is left out.
        return [by_key[key] for key in keys if key in by_key], total


def _all(queryset: Any, are_few: bool) -> Any:
    """The number of all rows, beside each."""
    if are_few:
        return Window(Count("*"))
    # Of many, a page is found by an index that is in its order, and the others are counted by a narrower one.
    counted = queryset.order_by().annotate(
        n=Func(F("pk"), function="COUNT", output_field=IntegerField())  # no GROUP BY, unlike Count
    )
    return Subquery(counted.values("n"))
