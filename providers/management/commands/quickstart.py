"""`manage.py quickstart`: from an empty database to a catalog that can be used. Safe to run again."""

from __future__ import annotations

import secrets
from io import StringIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from django.db import connection

from catalog.db.exclusion import alone
from providers import defaults
from providers.client.http import Limits, UpstreamClient
from providers.connection import endpoints
from providers.management.tables import table
from providers.models import Provider, SyncRun
from providers.reading.reader import Reader
from providers.sync import run
from providers.sync.lease import AlreadyRunning

ADMIN = "admin"
# The first sync is a courtesy: whoever has no network is not kept waiting.
LIMITS = Limits(connect=3.0, read=10.0, total=20.0, attempts=1)
FIRST = ("openrouter", "ollama")
# How to get in where an admin was made by an earlier run.
AGAIN = [
    "To get in again: `.venv/bin/python manage.py changepassword USER` for a lost password (the first admin is "
    f"{ADMIN}),",
    "`.venv/bin/python manage.py create_api_key USER` for another key.",
]


class Command(BaseCommand):
    help = (
        "Migrates the database, loads the curated lists, makes the default providers and, in development, the first "
        "admin and an API key, and syncs once. What is there already stays as it is."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--no-sync", action="store_true", help="Read no provider.")
        parser.add_argument(
            "--first-admin",
            action="store_true",
            help="Make the first admin and print the password in production too, where output may be kept as a log.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0, stdout=StringIO())
        self.stdout.write("The database is migrated.")
        # Of two that run at once, the second finds what the first has made.
        with alone(connection):
            last = self._set_up(settings.DEVELOPMENT or options["first_admin"])
        if not options["no_sync"]:
            self._sync()
        # Last, where they are not scrolled away.
        for line in last:
            self.stdout.write(line)

    def _set_up(self, may_make_admin: bool) -> list[str]:
        """Returns the lines on how to get in."""
        made = defaults.create_providers()
        if made:
            self.stdout.write(f"Providers made: {', '.join(provider.slug for provider in made)}.")
        added, changed = defaults.load_curated()
        self.stdout.write(f"Curated lists: {added} models added, {changed} changed.")
        if not get_user_model()._default_manager.filter(is_superuser=True).exists():
            if may_make_admin:
                return self._first_admin()
            return ["There is no admin yet: make one with `manage.py createsuperuser`."]
        return AGAIN if settings.DEVELOPMENT else []

    def _first_admin(self) -> list[str]:
        """Makes an admin and a key; the password and the key are shown once."""
        users = get_user_model()._default_manager
        password = secrets.token_urlsafe(12)
        if users.filter(username=ADMIN).exists():
            return [f"There is a user {ADMIN} who is no superuser: make one with `manage.py createsuperuser`."]
        users.create_superuser(ADMIN, email="", password=password)
        lines = [f"First admin:   {ADMIN}", f"Password:      {password}   (shown this once)"]
        key = StringIO()
        try:
            call_command("create_api_key", ADMIN, "--name", "quickstart", stdout=key)
        except CommandError as error:
            return [*lines, f"No API key was made: {error}"]
        token, base = key.getvalue().strip(), f"http://127.0.0.1:{settings.PORT}"
        lines.append(f"API key:       {token}   (shown this once)")
        lines.append(f"To try it:     curl -s -H 'Authorization: Bearer {token}' {base}/v1/models")
        return lines

    def _sync(self) -> None:
        rows = []
        for provider in Provider.objects.filter(slug__in=FIRST, is_active=True):
            client = UpstreamClient(
                allowed_hosts=settings.PROVIDER_ALLOWED_HOSTS,
                limits=LIMITS,
                trusted_origins=endpoints.trusted_for(provider),
            )
            try:
                outcome = run.sync(
                    provider, trigger="quickstart", by_name="quickstart", reader=Reader(provider, client)
                )
            except AlreadyRunning as error:
                rows.append([provider.slug, "running", "", str(error)])
                continue
            added = str(outcome.counts.get("added", ""))
            rows.append([provider.slug, str(outcome.state), added, outcome.message])
        if not rows:
            return
        self.stdout.write(table(["provider", "state", "added", "reason"], rows))
        if any(row[1] == SyncRun.State.FAILED for row in rows):
            self.stdout.write("A provider that cannot be reached now is read by the next `manage.py sync_catalog`.")
