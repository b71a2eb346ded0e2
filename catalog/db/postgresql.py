"""Indexes that only PostgreSQL has. What they serve works without them too, reading every row."""

from typing import Any

from django.db import DatabaseError, transaction

# The largest first, and the unknown last.
DESCENDING = {
    "aimodel_price_desc": "prompt_price DESC NULLS LAST, model_id DESC",
    "aimodel_context_desc": "context_length DESC NULLS LAST, model_id DESC",
}
# For substrings; they need the extension pg_trgm.
TRIGRAM = {"aimodel_search_trgm": "search_text", "aimodel_facets_trgm": "facets"}


def make(apps: Any, schema_editor: Any) -> None:
    """For RunPython. Goes on without trigrams where the extension is missing or may not be made."""
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    table = apps.get_model("catalog", "AIModel")._meta.db_table
    with connection.cursor() as cursor:
        for name, columns in DESCENDING.items():
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({columns})")
        if not _has_trigrams(connection):
            return
        for name, column in TRIGRAM.items():
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table} USING gin ({column} gin_trgm_ops)")


def drop(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            for name in (*DESCENDING, *TRIGRAM):
                cursor.execute(f"DROP INDEX IF EXISTS {name}")


def _has_trigrams(connection: Any) -> bool:
    try:
        # A savepoint: the refusal must not end the migration's transaction.
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DatabaseError:
        return False
    return True
