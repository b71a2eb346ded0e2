"""Many rows at once: in batches, and written where they exist already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import NoneType
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models

# How many rows one statement names by key or inserts.
BATCH = 800
_PLAIN = frozenset({str, int, float, NoneType})


def batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    """The items in lists of at most BATCH."""
    rows = list(items)
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def update_rows(model: type[models.Model], rows: Sequence[models.Model], names: Iterable[str]) -> None:
    """Writes these fields of these rows, with one statement executed many times.

    `QuerySet.bulk_update` writes one CASE a field and row, which takes minutes where thousands of rows change many
    fields. Values only: no expressions, no signals, and the caller opens the transaction.
    """
    if not rows:
        return
    connection = connections[DEFAULT_DB_ALIAS]
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    quote: Any = connection.ops.quote_name
    assignments = ", ".join(f"{quote(field.column)} = %s" for field in fields)
    key = quote(model._meta.pk.column)
    # Names of our own tables and columns; every value is a parameter.
    statement = f"UPDATE {quote(model._meta.db_table)} SET {assignments} WHERE {key} = %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(
            statement,
            [
                [*(_prepared(field, getattr(row, field.attname), connection) for field in fields), row.pk]
                for row in rows
            ],
        )


def _prepared(field: Any, value: Any, connection: Any) -> Any:
    # Text and numbers go as they are; asking the field costs more than the database does.
    if type(value) in _PLAIN and not isinstance(field, models.JSONField):
        return value
    return field.get_db_prep_save(value, connection)
