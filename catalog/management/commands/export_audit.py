"""`manage.py export_audit`: who changed what and when, a JSON object a line, oldest first. It holds no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from catalog.models import AuditEntry, FieldChange
from catalog.validation import moments

_CHUNK = 1_000


class Command(BaseCommand):
    help = "Writes audit entries and changes of fields as NDJSON: one object a line, oldest first of each kind."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", metavar="WHEN", help="A date or moment in ISO 8601; all where it is left out.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            since = moments.since(options["since"]) if options["since"] else None
        except ValueError as error:
            raise CommandError(f"--since: {error}") from error
        for line in lines(since):
            self.stdout.write(json.dumps(line, cls=DjangoJSONEncoder, ensure_ascii=False))


def lines(since: datetime | None) -> Iterator[dict[str, Any]]:
    """Each change: `at`, `who` (null: nobody signed in), `kind`, `subject`, `action`, and what it was and is."""
    audits, changes = AuditEntry.objects.order_by("pk"), FieldChange.objects.order_by("pk")
    if since is not None:
        audits, changes = audits.filter(at__gte=since), changes.filter(changed_at__gte=since)
    for entry in audits.iterator(_CHUNK):
        yield {
            "at": entry.at,
            "who": entry.actor or None,
            "kind": entry.subject_type,
            "id": entry.subject_id,
            "subject": entry.subject,
            "action": entry.action,
            "changes": entry.changes,
        }
    for change in changes.iterator(_CHUNK):
        yield {
            "at": change.changed_at,
            "who": change.actor or None,
            "kind": "offer" if change.offered_by else "model",
            "id": change.subject,
            "subject": change.subject,
            "action": "change",
            "source": change.source,
            "provider": change.offered_by or None,
            "run": change.run_id,
            "changes": {change.field: [change.old, change.new]},
        }
