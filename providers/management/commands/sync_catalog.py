"""`manage.py sync_catalog`: reads providers, and reports what came of it."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections

from catalog import formatting
from config.api.durations import duration
from providers.connection import credentials, endpoints
from providers.management.tables import table
from providers.models import Provider, SyncRun
from providers.sync import run
from providers.sync.lease import AlreadyRunning
from providers.sync.plan import Change
from providers.sync.run import Outcome

OK, FAILED, HELD, RUNNING = 0, 1, 3, 75
# A wait of centuries is more than the clock of a process takes.
EVERY = duration(timedelta(days=365))
_COUNTS = ("added", "updated", "retired", "returned", "unchanged", "bad", "held")
# Changes of a dry run, and problems, that are shown; --json has them all.
_SHOWN = 200
# Of one value in a line.
_WIDTH = 60


class Command(BaseCommand):
    help = (
        "Reads the catalogs of providers: those named, else all that are active. "
        "Exits with 0 (all read and applied; bad records are remarks), 1 (a provider or one of its listings could not "
        "be read), 3 (something is held for a person) or 75 (already running)."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("providers", nargs="*", metavar="PROVIDER", help="Slug of a provider.")
        parser.add_argument("--from-file", metavar="PATH", type=Path, help="Take one answer saved to disk instead.")
        parser.add_argument("--dry-run", action="store_true", help="Show what would change, and write nothing.")
        parser.add_argument(
            "--allow-shrink", action="store_true", help="Retire what is gone, even if that is suspiciously much."
        )
        parser.add_argument("--every", metavar="DURATION", type=EVERY, help="Go on for ever: 15m, 1h, 1d.")
        parser.add_argument("--json", action="store_true", help="Print the result as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["from_file"] and len(options["providers"]) != 1:
            raise CommandError("--from-file takes the answer of one provider: name it.")
        if options["from_file"] and options["every"]:
            raise CommandError("--from-file reads a file once: leave out --every.")
        with _terminated_as_interrupted():
            code = self._round(options)
            while options["every"]:
                self.stdout.flush()
                close_old_connections()
                time.sleep(options["every"].total_seconds())
                self._round(options)
        if code:
            sys.exit(code)

    def _round(self, options: dict[str, Any]) -> int:
        outcomes = [self._one(provider, options) for provider in self._providers(options)]
        self._note("")
        if options["json"]:
            self.stdout.write(json.dumps([as_json(outcome) for outcome in outcomes], indent=2))
        else:
            self._print(outcomes, options["dry_run"])
        states = {outcome.state for outcome in outcomes}
        # What was not read is told before what waits: nobody decides on what nobody has seen.
        if states & {SyncRun.State.FAILED, SyncRun.State.SUPERSEDED} or any(outcome.unread for outcome in outcomes):
            return FAILED
        if SyncRun.State.HELD in states:
            return HELD
        return RUNNING if SyncRun.State.RUNNING in states else OK

    def _providers(self, options: dict[str, Any]) -> list[Provider]:
        names = options["providers"]
        if not names:
            found = [p for p in Provider.objects.filter(is_active=True) if _has_what_it_needs(p)]
            if not found:
                raise CommandError("There is no active provider: run `manage.py quickstart`, or add one in the admin.")
            return found
        known = {provider.slug: provider for provider in Provider.objects.all()}
        if unknown := [name for name in names if name not in known]:
            there = ", ".join(known) or "none; `manage.py quickstart` makes the usual ones"
            raise CommandError(f"No such provider: {', '.join(unknown)}. There are: {there}.")
        return [known[name] for name in dict.fromkeys(names)]

    def _one(self, provider: Provider, options: dict[str, Any]) -> Outcome:
        path, allow_shrink = options["from_file"], options["allow_shrink"]
        if options["dry_run"]:
            return run.preview(provider, path=path, allow_shrink=allow_shrink, report=self._note)
        trigger = "schedule" if options["every"] else "command"
        try:
            return run.sync(
                provider,
                path=path,
                allow_shrink=allow_shrink,
                trigger=trigger,
                by_name="command line",
                report=self._note,
            )
        except AlreadyRunning as error:
            return Outcome(provider.slug, SyncRun.State.RUNNING, "already_running", str(error))
        except DatabaseError as error:
            # Before the run could be opened. With --every the next round may find the database there again.
            message = f"The database cannot be used: {type(error).__name__}."
            return Outcome(provider.slug, SyncRun.State.FAILED, "database", message)

    def _note(self, text: str) -> None:
        """Progress: to a terminal only, and on one line."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def _print(self, outcomes: list[Outcome], dry_run: bool) -> None:
        self._print_changes(outcomes)
        rows = [
            [outcome.provider, outcome.state, *(str(outcome.counts.get(name, "")) for name in _COUNTS)]
            for outcome in outcomes
        ]
        self.stdout.write(table(["provider", "state", *_COUNTS], rows))
        for outcome in outcomes:
            self._print_messages(outcome, dry_run)
        if dry_run:
            self.stdout.write("Dry run: nothing was written.")

    def _print_changes(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            for change in outcome.changes[:_SHOWN]:
                self.stdout.write(describe(change))
            if len(outcome.changes) > _SHOWN:
                self.stdout.write(f"... and {len(outcome.changes) - _SHOWN} more changes (--json has all)")
            for listing, ids in outcome.held.get("removals", {}).items():
                for upstream_id in ids[:_SHOWN]:
                    self.stdout.write(f"  held: {upstream_id} is gone from {listing}")

    def _print_messages(self, outcome: Outcome, dry_run: bool) -> None:
        if outcome.message:
            self.stdout.write(f"{outcome.provider}: {outcome.message}")
        for problem in outcome.problems[:20]:
            if problem["reason"] != outcome.message:
                self.stdout.write(f"  {_where(problem)}: {problem['reason']}")
        if len(outcome.problems) > 20:
            self.stdout.write(f"  ... and {len(outcome.problems) - 20} more problems (--json has all)")
        if outcome.state == SyncRun.State.HELD and not dry_run:
            self.stdout.write(
                f"{outcome.provider}: run {outcome.run_id} waits for a person: confirm it in the admin"
                + (", or sync again with --allow-shrink." if outcome.held.get("removals") else ".")
            )


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does: it is noted as interrupted, and the lease is given back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        signal.signal(signal.SIGTERM, before)


def _has_what_it_needs(provider: Provider) -> bool:
    """Whether a provider that was not asked for by name can be read: one without its key would only fail."""
    # A stored one that cannot be used is told when it is.
    has_own = not endpoints.needs_credential(provider) or bool(provider.credential)
    return has_own or credentials.of(provider) is not None


def describe(change: Change) -> str:
    """One change as a line of a diff."""
    subject = f"{change.subject} ({change.offered_by})" if change.offered_by else change.subject
    if change.field == "created":
        return f"+ {subject}"
    if change.field == "is_listed":
        return f"{'+' if change.new else '-'} {subject} {'is listed' if change.new else 'is not listed any more'}"
    return " ".join(f"~ {subject} {formatting.change(change.field, change.old, change.new, _WIDTH)}".split())


def as_json(outcome: Outcome) -> dict[str, Any]:
    held = outcome.held
    return {
        "provider": outcome.provider,
        "state": str(outcome.state),
        "reason": outcome.reason,
        "message": outcome.message,
        "run": outcome.run_id,
        "counts": outcome.counts,
        "problems": outcome.problems,
        "unread": outcome.unread,
        "held": {
            "removals": held.get("removals", {}),
            "listings": {name: part["reason"] for name, part in held.get("listings", {}).items()},
        },
        "changes": [
            {"model": c.subject, "offered_by": c.offered_by, "field": c.field, "old": c.old, "new": c.new}
            for c in outcome.changes
        ],
    }


def _where(problem: dict[str, Any]) -> str:
    words = [problem["listing"]]
    if problem.get("index") is not None:
        words.append(f"record {problem['index']}")
    if problem.get("id"):
        words.append(problem["id"])
    return " ".join(words)
