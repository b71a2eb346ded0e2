"""`manage.py prune`: deletes old runs and old history, as cron does it once a day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.utils import timezone

from catalog.models import AuditEntry, CatalogVersion, FieldChange, SentForm
from config.api.durations import duration
from providers.models import SyncRun

_LONGEST = timedelta(days=36_500)
# Rows of one transaction: it must hold no lock for long.
_BATCH = 2_000


class Command(BaseCommand):
    help = (
        "Deletes sync runs, audit entries and changes of fields that are older than given. What an undecided or the "
        "last run of a provider holds, and the last change of each field, stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--runs", type=duration(_LONGEST), default=timedelta(days=90), metavar="DURATION")
        parser.add_argument(
            "--audit", type=duration(_LONGEST), default=timedelta(days=730), metavar="DURATION",
            help="Of audit entries and changes of fields. Two years where it is left out.",
        )  # fmt: skip
        parser.add_argument("--dry-run", action="store_true", help="Count, and delete nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        changes = old_changes(now - options["audit"])
        old: dict[str, QuerySet[Any]] = {
            "sync runs": old_runs(now - options["runs"]),
            "audit entries": AuditEntry.objects.filter(at__lt=now - options["audit"]),
            "changes of fields": changes,
            "sessions": Session.objects.filter(expire_date__lt=now),
            # Sent again after this long, a form of the admin is no longer a second click.
            "sent forms": SentForm.objects.filter(at__lt=now - timedelta(days=30)),
        }
        if not options["dry_run"]:
            _note_history_is_cut(changes)
        for name, rows in old.items():
            count = rows.count() if options["dry_run"] else _delete(rows)
            self.stdout.write(f"{name}: {count} {'would be deleted' if options['dry_run'] else 'deleted'}")


def _note_history_is_cut(rows: QuerySet[FieldChange]) -> None:
    """Before the rows go: whoever asks for changes from before the last of them is told that they are not all here."""
    last = rows.aggregate(last=Max("version"))["last"]
    with transaction.atomic():
        if last is not None and CatalogVersion.objects.filter(pruned__lt=last).update(pruned=last):
            # No model has changed, but what is answered from the begin of history has.
            CatalogVersion.objects.bump([])


def old_runs(before: datetime) -> QuerySet[SyncRun]:
    """Ended runs, but for those that wait for a decision, the last of each provider, and the last confirmed ones."""
    later = SyncRun.objects.filter(provider=OuterRef("provider"), pk__gt=OuterRef("pk"))
    runs = SyncRun.objects.filter(started_at__lt=before).exclude(state=SyncRun.State.RUNNING)
    runs = runs.exclude(state=SyncRun.State.HELD, decision="")
    # The size of a listing is measured against the last confirmed run, whenever that was.
    return runs.filter(Exists(later), Exists(later.filter(confirmed=True)))


def old_changes(before: datetime) -> QuerySet[FieldChange]:
    """All but the last change of each field, which says where its value comes from."""
    same = {name: OuterRef(name) for name in ("subject", "offered_by", "field")}
    return FieldChange.objects.filter(changed_at__lt=before).filter(
        Exists(FieldChange.objects.filter(**same, pk__gt=OuterRef("pk")))
    )


def _delete(rows: QuerySet[Any]) -> int:
    deleted = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:_BATCH]):
        rows.model._base_manager.filter(pk__in=keys).delete()
        deleted += len(keys)
    return deleted
