"""`manage.py backup FOLDER`: one more copy of the database in a folder, and the oldest ones out of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

SUFFIXES = {"postgresql": "dump", "sqlite": "sqlite3"}


class Command(BaseCommand):
    help = (
        "Writes the database into a new file of the folder: what pg_restore reads (pg_dump has to be installed), or a "
        "SQLite file. Readers and writers go on meanwhile. A copy holds no CREDENTIAL_KEYS: keep those elsewhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="Made where it is missing.")
        parser.add_argument("--keep", type=int, default=14, help="How many copies stay, the newest (default: 14).")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["keep"] < 1:
            raise CommandError("--keep must be 1 or more.")
        connection.ensure_connection()  # Where there is none, it is said as everywhere.
        folder, suffix = options["folder"], SUFFIXES[connection.vendor]
        copy = folder / f"modeldex-{timezone.now():%Y%m%dT%H%M%S.%fZ}.{suffix}"
        draft = copy.with_name(f".{copy.name}.partial")
        os.umask(0o077)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(draft)
            draft.rename(copy)
            for old in sorted(folder.glob(f"modeldex-*.{suffix}"))[: -options["keep"]]:
                old.unlink()
        except OSError as error:
            raise CommandError(f"{error.filename or folder} cannot be used ({error.strerror}).") from error
        finally:
            draft.unlink(missing_ok=True)
        self.stdout.write(str(copy))


def _write(path: Path) -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(path)])
        return
    # What Django would hand to psql: pg_dump takes the same words, and the password from the environment.
    (_, *words), environment = connection.client.settings_to_cmd_args_env(connection.settings_dict, [])
    command = ["pg_dump", "--format=custom", "--no-owner", f"--file={path}", *words]
    try:
        done = subprocess.run(command, env=os.environ | (environment or {}), stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own command.
    except FileNotFoundError:
        raise CommandError("pg_dump is not installed: it is in postgresql-client, of the server's version.") from None
    if done.returncode:
        raise CommandError(f"pg_dump failed: {' '.join(done.stderr.split())[-500:]}")
