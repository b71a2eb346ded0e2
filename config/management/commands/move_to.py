"""`manage.py move_to URL`: copies everything from this database into an empty one, then compares the two."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.color import no_style
from django.db import DatabaseError, connections, models, transaction

from config import environment as env

TARGET = "target"
# Tables that have rows where nothing but the migrations has run.
_MADE_BY_MIGRATIONS = (
    "contenttypes.ContentType",
    "auth.Permission",
    "catalog.CatalogVersion",
    "catalog.CatalogChange",
)
_BATCH = 500


class Command(BaseCommand):
    help = (
        "Copies every row from this database into the empty one at the address given (postgresql://... or "
        "sqlite:///...), counts and compares both, and leaves this one as it is. Stop the server and the syncs first: "
        "what is written meanwhile is not moved."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url", metavar="DATABASE_URL", help="The other database, which is to become this one.")

    def handle(self, *args: Any, **options: Any) -> None:
        for model in _models():
            _rows(model, "default").exists()  # Where this database is gone or old, before the other one is touched.
        _connect(options["url"])
        try:
            self._move(options["url"])
        finally:
            connections[TARGET].close()
            del connections[TARGET], connections.settings[TARGET]

    def _move(self, url: str) -> None:
        try:
            _refuse_filled()
            _migrate(url)
            found = list(_models())
            with transaction.atomic(TARGET), connections[TARGET].constraint_checks_disabled():
                # What migrations have put there; what stands here counts.
                for model in reversed(found):
                    _rows(model, TARGET).all()._raw_delete(TARGET)
                for model in found:
                    self.stdout.write(f"{model._meta.label}: {_copy(model)}")
                connections[TARGET].check_constraints()
            _reset_sequences(found)
        except DatabaseError as error:
            raise CommandError(f"The other database refused: {' '.join(str(error).split())}") from error
        differing = [model._meta.label for model in found if not _is_equal(model)]
        if differing:
            raise CommandError(f"The copy differs in {', '.join(differing)}. Was something written meanwhile?")
        self.stdout.write(f"{len(found)} tables are equal. Now set DATABASE_URL to the other database, and start.")


def _connect(url: str) -> None:
    found = env.database_of(url)
    if found is None or found["NAME"] == ":memory:":
        raise CommandError("Write the address as postgresql://USER:PASSWORD@HOST:PORT/NAME or sqlite:///PATH.")
    here = connections["default"].settings_dict
    if all(str(found.get(name, "")) == str(here.get(name, "")) for name in ("NAME", "HOST", "PORT")):
        raise CommandError("This is the database that is in use: name another one.")
    connections.settings[TARGET] = connections.configure_settings(
        {"default": found | {"DISABLE_SERVER_SIDE_CURSORS": False}}
    )["default"]


def _migrate(url: str) -> None:
    """In a process that knows the other database alone: what migrations do to rows, they do to those of their own."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate", "--verbosity", "0"]
    done = subprocess.run(command, env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True)  # noqa: S603 - our own command.
    if done.returncode:
        raise CommandError(f"The other database could not be migrated: {done.stderr.strip()[-500:]}")


def _refuse_filled() -> None:
    try:
        tables = connections[TARGET].introspection.table_names()
    except DatabaseError as error:
        raise CommandError(f"The other database cannot be used: {' '.join(str(error).split())}") from error
    for model in _models():
        if model._meta.db_table not in tables or model._meta.label in _MADE_BY_MIGRATIONS:
            continue
        if _rows(model, TARGET).exists():
            raise CommandError(f"The other database is not empty: it has rows of {model._meta.label}.")


def _models() -> Iterator[type[models.Model]]:
    """Each table once, many-to-many ones included."""
    seen = set()
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy and model._meta.db_table not in seen:
            seen.add(model._meta.db_table)
            yield model


def _rows(model: type[models.Model], using: str) -> models.QuerySet[Any]:
    return models.QuerySet(model, using=using).order_by("pk")


def _fields(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    return [field for field in model._meta.local_concrete_fields if not field.generated]


def _copy(model: type[models.Model]) -> int:
    """Row by row as it is stored: no signals, no times of now. Returns the number."""
    count, fields = 0, _fields(model)
    rows = _rows(model, "default").iterator(_BATCH)
    while batch := list(islice(rows, _BATCH)):
        _rows(model, TARGET)._insert(batch, fields, using=TARGET, raw=True)  # type: ignore[attr-defined]
        count += len(batch)
    return count


def _reset_sequences(found: list[type[models.Model]]) -> None:
    connection = connections[TARGET]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), found):
            cursor.execute(statement)


def _is_equal(model: type[models.Model]) -> bool:
    names = [field.attname for field in _fields(model)]
    here, there = (_rows(model, using).values_list(*names).iterator(_BATCH) for using in ("default", TARGET))
    return all(one == other for one, other in zip_longest(here, there))
