"""`manage.py check_freshness`: for monitoring, whether each source was read lately."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from config.api.durations import duration
from providers.reports import freshness

STALE = 2


class Command(BaseCommand):
    help = "Exits with 2 where an active provider was not read whole within the time given, else with 0."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than", required=True, type=duration(timedelta(days=3650)), metavar="DURATION", help="3h, 2d."
        )
        parser.add_argument("--json", action="store_true", help="For machines.")

    def handle(self, *args: Any, **options: Any) -> None:
        since = timezone.now() - options["older_than"]
        sources = freshness.sources()
        stale = [source for source in sources if source.last_success_at is None or source.last_success_at < since]
        if options["json"]:
            rows = [
                {
                    "provider": source.slug,
                    "last_success_at": source.last_success_at and source.last_success_at.isoformat(),
                    "last_run": source.words,
                    "stale": source in stale,
                }
                for source in sources
            ]
            self.stdout.write(json.dumps(rows, indent=2))
        else:
            for source in stale:
                self.stdout.write(f"{source.slug}, last read whole: {source.age}; last run: {source.words}")
            if not stale:
                self.stdout.write(f"All {len(sources)} active providers were read in time.")
        if stale:
            sys.exit(STALE)
