"""How many random worlds the properties are tried in: few in each run, many with LONG_TESTS=1 (`make test-long`)."""

import os

from django.db import connection

IS_LONG = os.environ.get("LONG_TESTS") == "1"


def seeds(few: int, many: int) -> range:
    """Of the few, SQLite takes every other one, and PostgreSQL those between; all of the many are tried on both."""
    return range(many) if IS_LONG else range(few)[connection.vendor == "postgresql" :: 2]
