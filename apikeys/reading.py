"""The one statement of a request with a key, compiled once a thread.

Building it through the ORM costs several times what the database takes to answer it, and its text never changes; so
the ORM builds it once, with places held for the values, and turns its rows into objects as it always does.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q
from django.db.models.query import get_related_populators

from apikeys.models import ApiKey
from catalog import viewers

_KEY_ID = "<key id>"
_DIGEST = "<digest {}>"
_local = threading.local()


@dataclass(frozen=True, slots=True)
class _Statement:
    """As django.db.models.query.ModelIterable keeps it while it walks through rows."""

    connection: BaseDatabaseWrapper
    sql: str
    params: tuple[Any, ...]
    compiler: Any
    converters: dict[int, Any]
    fields: list[str]
    first: int
    populators: list[Any]


def key_with_owner(key_id: str, digests: list[str]) -> ApiKey | None:
    """The key of this id that one of the hashes opens, with its owner, its maker and the owner's standing."""
    statement = _statement(len(digests))
    values = {_KEY_ID: key_id} | {_DIGEST.format(n): digest for n, digest in enumerate(digests)}
    with connection.cursor() as cursor:
        cursor.execute(statement.sql, [values.get(p, p) if isinstance(p, str) else p for p in statement.params])
        row = cursor.fetchone()
    if row is None:
        return None
    (row,) = statement.compiler.apply_converters([row], statement.converters)
    key = ApiKey.from_db(connection.alias, statement.fields, row[statement.first :][: len(statement.fields)])
    for populator in statement.populators:
        populator.populate(row, key)
    for name, position in statement.compiler.annotation_col_map.items():
        setattr(key, name, row[position])
    return key


def _statement(digests: int) -> _Statement:
    """For so many hashes: one a pepper."""
    kept: dict[int, _Statement] = _local.__dict__.setdefault("statements", {})
    found = kept.get(digests)
    # A compiler belongs to its connection, of which a thread has one.
    if found is None or found.connection is not connections[DEFAULT_DB_ALIAS]:
        found = kept[digests] = _compiled([_DIGEST.format(n) for n in range(digests)])
    return found


def _compiled(digests: list[str]) -> _Statement:
    rows = (
        ApiKey.objects.filter(Q(secret_hash__in=digests) | Q(previous_hash__in=digests), key_id=_KEY_ID)
        .select_related("user", "made_with")
        .annotate(**viewers.columns("user__"))
        .order_by()
    )
    compiler = rows.query.get_compiler(connection.alias)
    sql, params = compiler.as_sql()
    select, info = compiler.select, compiler.klass_info
    positions = info["select_fields"]
    first, last = positions[0], positions[-1]
    return _Statement(
        connection=compiler.connection,
        sql=sql,
        params=tuple(params),
        compiler=compiler,
        converters=compiler.get_converters([column for column, _, _ in select]),
        fields=[column.target.attname for column, _, _ in select[first : last + 1]],
        first=first,
        # The types are those of a later Django, which asks for one argument more.
        populators=get_related_populators(info, select, connection.alias),  # type: ignore[call-arg]
    )
