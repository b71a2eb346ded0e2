"""`manage.py migrate`, one process at a time: of two that start on an empty database both succeed."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from catalog.db.exclusion import alone


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> Any:
        with alone(connections[options["database"]]):
            return super().handle(*args, **options)
