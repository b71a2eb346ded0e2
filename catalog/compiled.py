"""Statements that every request makes: built and compiled once a process and database, then run with other values.

Building a queryset of a few subqueries and compiling it takes ten times as long as its statement takes to run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import connections, router
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=Model)

# In place of the values while compiling: nothing else in a statement equals these.
_TEXT, _NUMBER = "\x1a a value to come \x1a {}", -7_403_000_000_000


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


class CompiledQuery(Generic[M]):
    """`CompiledQuery(build).first(*values)` is `build(*values).first()`, for text and numbers.

    `build` gives the same query for all values of the same types; it is called once for each number of them, with
    stand-ins. Rows are found by equality or IN with the values, which no field changes on their way.
    """

    def __init__(self, build: Callable[..., QuerySet[M]]) -> None:
        self._build = build
        self._statements: dict[Any, _Statement] = {}

    def first(self, *values: str | int) -> M | None:
        using = router.db_for_read(Model)
        key = (using, tuple(type(value) for value in values))
        statement = self._statements.get(key) or self._statements.setdefault(key, self._compile(using, values))
        connection = connections[using]
        parameters = [own if place is None else values[place] for own, place in statement.parameters]
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, parameters)
            found = cursor.fetchone()
        if found is None:
            return None
        row = list(found)
        for column, (converters, expression) in statement.converters:
            for convert in converters:
                row[column] = convert(row[column], expression, connection)
        instance: Any = statement.model.from_db(using, statement.names, row[statement.columns])
        for populator in statement.populators:
            populator.populate(row, instance)
        for name, column in statement.annotations.items():
            setattr(instance, name, row[column])
        return instance

    def _compile(self, using: str, values: tuple[str | int, ...]) -> _Statement:
        stand_ins = [_TEXT.format(n) if isinstance(value, str) else _NUMBER - n for n, value in enumerate(values)]
        places: dict[Any, int] = {stand_in: n for n, stand_in in enumerate(stand_ins)}
        query: Any = self._build(*stand_ins).order_by()[:1].query
        # What QuerySet and ModelIterable do, with the statement kept.
        compiler = query.get_compiler(using=using)
        sql, parameters = compiler.as_sql()
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
