"""Expressions that read alike from both databases."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Case, Func, Q, TextField, Value, When
from django.db.models.sql.compiler import SQLCompiler


class JSONArray(Func):
    """The values of a subquery's rows as the text of a JSON array."""

    template = "%(function)s(%(expressions)s)"
    output_field = TextField()
    arity = 1

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        return super().as_sql(compiler, connection, function="json_group_array", **extra)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        return super().as_sql(compiler, connection, template="json_agg(%(expressions)s)::text", **extra)


def as_bool(condition: Q) -> Case:
    """Whether a row meets the condition, as a column: false also where a NULL leaves it open."""
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())
