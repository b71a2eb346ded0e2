"""Statements that every request makes: built and compiled once a process and database, then run with other values.

Building a queryset of a few subqueries and compiling it takes ten times as long as its statement takes to run, and
PostgreSQL takes longer to plan that one than to run it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import DatabaseError, connections, router
from django.db.backends.signals import connection_created
from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.query import get_related_populators  # type: ignore[attr-defined]  # the stubs lack it

logger = logging.getLogger("modeldex.database")

M = TypeVar("M", bound=Model)

# What partial indexes are of. A plan is made before its parameters are known, and finds these by constants alone.
_CONSTANTS = frozenset({"", "custom", "everyone"})
# In place of the values while compiling: nothing else in a statement equals these, and each field can hold them.
_TEXT, _NUMBER = "\x1a a value to come \x1a {}", -1_907_403_000


def first_row(connection: Any, sql: str, parameters: list[Any]) -> Any:
    """The first row of a statement that many requests make, or None."""
    return next(iter(all_rows(connection, sql, parameters)), None)


def all_rows(connection: Any, sql: str, parameters: list[Any]) -> list[Any]:
    """The rows of a statement that many requests make."""
    cursor = connection.planned_cursor() if connection.vendor == "postgresql" else None
    if cursor is None:
        return _unplanned(connection, sql, parameters)
    driver = connection.connection
    try:
        return _run(cursor, sql, parameters)
    except DatabaseError as error:
        if connection.in_atomic_block or not isinstance(error.__cause__, connection.PLAN_LOST):
            raise
        # The table has changed under the plan. A new connection knows of none.
        driver.close()
        connection.close()
        return _unplanned(connection, sql, parameters)


def _look_for_pooler(sender: Any, connection: Any, **_: Any) -> None:
    """Does without what a pooler in transaction mode cannot keep between statements: plans, and cursors on the server.

    A pooler answers for many servers, so the process that it says it is, is not the one that runs the statement.
    """
    settings, driver = connection.settings_dict, connection.connection
    if connection.vendor != "postgresql" or settings["DISABLE_SERVER_SIDE_CURSORS"] or driver.is_direct:
        return
    with connection.wrap_database_errors, driver.cursor() as cursor:
        running = cursor.execute("SELECT pg_backend_pid()").fetchone()[0]
        if running == driver.info.backend_pid:
            # By itself PostgreSQL would plan a search anew for each word, in hope of a better plan for that one, and
            # compile what it takes to be long, which takes seconds and is never made up for.
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            cursor.execute("SET jit = off")
            driver.is_direct = True
            return
    # Shared by the connections of all threads.
    settings["DISABLE_SERVER_SIDE_CURSORS"] = True
    logger.info("A pooler stands before the database: no plans and no cursors are kept on its servers.")


def watch() -> None:
    """Looks at each new connection."""
    connection_created.connect(_look_for_pooler, dispatch_uid="pooler before the database")


def _unplanned(connection: Any, sql: str, parameters: list[Any]) -> list[Any]:
    return _run(connection.cursor(), sql, parameters)


def _run(cursor: Any, sql: str, parameters: list[Any]) -> list[Any]:
    with cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def planned(rows: QuerySet[Any]) -> list[Any]:
    """What this `values_list()` of numbers gives, by a plan that the server keeps for the statement's text."""
    try:
        sql, parameters = _with_constants(*rows.query.sql_with_params())
    except EmptyResultSet:
        return []
    return all_rows(connections[rows.db], sql, parameters)


def _with_constants(sql: str, parameters: Sequence[Any]) -> tuple[str, list[Any]]:
    """The statement with those of its parameters as constants that are any, and the other parameters."""
    parts = sql.split("%s")
    placed = ["%s" if not isinstance(value, str) or value not in _CONSTANTS else f"'{value}'" for value in parameters]
    others = [value for value, place in zip(parameters, placed, strict=True) if place == "%s"]
    return "".join(part + place for part, place in zip(parts, [*placed, ""], strict=True)), others


@dataclass(frozen=True)
class _Statement:
    """A compiled query: its text, where the values go, and how a row of it becomes an instance."""

    sql: str
    # Each is a parameter's own value, or the place of the caller's value among `values`.
    parameters: tuple[tuple[Any, int | None], ...]
    converters: list[tuple[int, Any]]
    model: type[Model]
    columns: slice
    names: list[str]
    populators: list[Any]
    annotations: dict[str, int]


def subquery(rows: QuerySet[Any]) -> RawSQL | tuple[()]:
    """What `pk__in` takes in the place of these rows, compiled: a rule of many subqueries takes a third of the time.

    For what is kept and asked again; it stays as it is whatever happens to the queryset.
    """
    try:
        sql, parameters = rows.query.sql_with_params()
    except EmptyResultSet:
        # Django finds that no row can match, as for a key whose policy nobody understands.
        return ()
    return RawSQL(sql, parameters)  # noqa: S611 - Django's own SQL and its parameters


V = TypeVar("V", str, int)


def padded(values: Sequence[V], least: int = 1) -> list[V]:
    """These values, at least one, the last of them repeated until they are as many as a power of two, and `least`.

    For IN with a CompiledQuery, which has a statement for each number of values. A plan takes megabytes where the
    statement is wide; `least` is another power of two.
    """
    size = max(least, 1 << (len(values) - 1).bit_length())
    return list(values) + [values[-1]] * (size - len(values))


class CompiledQuery(Generic[M]):
    """`CompiledQuery(build).first(*values)` is `build(*values).first()`, for text and numbers.

    `build` gives the same query for all values of the same types; it is called once for each number of them, with
    stand-ins. Rows are found by equality or IN with the values, which no field changes on their way.
    """

    def __init__(self, build: Callable[..., QuerySet[M]], is_one: bool = True) -> None:
        """`is_one`: no more than the first row is asked for."""
        self._build, self._is_one = build, is_one
        self._statements: dict[Any, _Statement] = {}

    def first(self, *values: str | int) -> M | None:
        row = self.row(*values)
        return None if row is None else self.instance(row, *values)

    def all(self, *values: str | int) -> list[M]:
        return [self.instance(row, *values) for row in self.rows(*values)]

    def row(self, *values: str | int) -> tuple[Any, ...] | None:
        """The row as the database gave it: equal to another one where their instances would be."""
        return next(iter(self.rows(*values)), None)

    def rows(self, *values: str | int) -> list[tuple[Any, ...]]:
        using, statement = self._statement(values)
        parameters = [own if place is None else values[place] for own, place in statement.parameters]
        return [tuple(row) for row in all_rows(connections[using], statement.sql, parameters)]

    def instance(self, found: tuple[Any, ...], *values: str | int) -> M:
        """What `first` makes of this row, which was found by these values."""
        using, statement = self._statement(values)
        row, connection = list(found), connections[using]
        for column, (converters, expression) in statement.converters:
            for convert in converters:
                row[column] = convert(row[column], expression, connection)
        instance: Any = statement.model.from_db(using, statement.names, row[statement.columns])
        for populator in statement.populators:
            populator.populate(row, instance)
        for name, column in statement.annotations.items():
            setattr(instance, name, row[column])
        return instance

    def _statement(self, values: tuple[str | int, ...]) -> tuple[str, _Statement]:
        using = router.db_for_read(Model)
        key = (using, tuple(map(type, values)))
        return using, self._statements.get(key) or self._statements.setdefault(key, self._compile(using, values))

    def _compile(self, using: str, values: tuple[str | int, ...]) -> _Statement:
        stand_ins = [_TEXT.format(n) if isinstance(value, str) else _NUMBER - n for n, value in enumerate(values)]
        places: dict[Any, int] = {stand_in: n for n, stand_in in enumerate(stand_ins)}
        found = self._build(*stand_ins).order_by()
        query: Any = (found[:1] if self._is_one else found).query
        # What QuerySet and ModelIterable do, with the statement kept.
        compiler = query.get_compiler(using=using)
        sql, parameters = _with_constants(*compiler.as_sql())
        held = tuple(
            (None, places[own]) if isinstance(own, str | int) and own in places else (own, None) for own in parameters
        )
        if {place for _, place in held} - {None} != set(places.values()):
            raise ValueError("a value does not stand in the compiled statement as it was given")
        select, info = compiler.select, compiler.klass_info
        columns = slice(info["select_fields"][0], info["select_fields"][-1] + 1)
        converters = compiler.get_converters([expression for expression, *_ in select])
        return _Statement(
            sql,
            held,
            list(converters.items()),
            info["model"],
            columns,
            [expression[0].target.attname for expression in select[columns]],
            get_related_populators(info, select, using),
            dict(compiler.annotation_col_map),
        )
