"""Lookups for lists of any length.

`model_id__matches=["openai/gpt-4*", ...]`, where only `*` is special and case counts: what one of the patterns names.
`model_id__among=[...]` and `pk__among=[...]`, which are `__in`. Each has one parameter for the whole list: what asks
several times stays below the limit of parameters, and a condition for each pattern would take longer to build than to
run.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigAutoField, Lookup
from django.db.models.sql.compiler import SQLCompiler

from catalog.db.fields import ExactCharField

# Keys beyond which PostgreSQL is given rows, of which it makes a hash: through a list it would go once for each model.
# With a list it may still use an index on what else is asked.
_FEW = 100


def collapsed(pattern: str) -> str:
    """`pattern` with each run of stars as one."""
    while "**" in pattern:
        pattern = pattern.replace("**", "*")
    return pattern


def matches(pattern: str, text: str) -> bool:
    """Whether `text` is what `pattern` names. Each part is looked for once, so the time is linear in the pattern."""
    first, *parts = collapsed(pattern).split("*")
    if not parts:
        return text == first
    last = parts.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    position, end = len(first), len(text) - len(last)
    for part in parts:
        found = text.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return position <= end


def expression(patterns: Iterable[str]) -> str:
    """A regular expression of Python for what one of these patterns names, which is as linear as `matches`."""
    return rf"(?s)\A(?:{'|'.join(map(_alternative, patterns))})\Z"


def _alternative(pattern: str) -> str:
    first, *parts = map(re.escape, collapsed(pattern).split("*"))
    if not parts:
        return first
    # Each part where it comes first, and nowhere else.
    return first + "".join(f"(?>.*?{part})" for part in parts[:-1]) + f".*{parts[-1]}"


@ExactCharField.register_lookup
class Matches(Lookup):
    lookup_name = "matches"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        left, params = self.process_lhs(compiler, connection)
        escaped = [_as_like(collapsed(pattern)) for pattern in self.rhs]
        return f"{left} LIKE ANY(%s)", (*params, escaped)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        # Django's function, which keeps the expression compiled.
        left, params = self.process_lhs(compiler, connection)
        return f"{left} REGEXP %s", (*params, expression(self.rhs))


def _as_like(pattern: str) -> str:
    return pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")


@ExactCharField.register_lookup
class Among(Lookup):
    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        left, params = self.process_lhs(compiler, connection)
        return f"{left} = ANY(%s)", (*params, list(self.rhs))

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        left, params = self.process_lhs(compiler, connection)
        # `left` is a column that Django has quoted.
        return f"{left} IN (SELECT value FROM json_each(%s))", (*params, json.dumps(list(self.rhs)))  # noqa: S608


@BigAutoField.register_lookup
class KeyAmong(Among):
    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        if len(self.rhs) <= _FEW:
            return super().as_sql(compiler, connection)
        left, params = self.process_lhs(compiler, connection)
        return f"{left} IN (SELECT unnest(%s::bigint[]))", (*params, list(self.rhs))
