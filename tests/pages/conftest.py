"""Fixtures of the pages."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from providers.models import Provider, SyncRun
from providers.sync.run import Outcome, sync


@pytest.fixture
def make_run(db: None) -> Callable[..., SyncRun]:
    """`make_run("Acme", "failed", hours=30)`: a provider whose last success, and whose last run, are so long ago."""

    def make(name: str, state: str, hours: float = 1, **fields: Any) -> SyncRun:
        then = timezone.now() - timedelta(hours=hours)
        provider, _ = Provider.objects.get_or_create(
            slug="".join(letter for letter in name.lower() if letter.isalnum()),
            defaults={"name": name, "kind": "openai", "last_success_at": then},
        )
        return SyncRun.objects.create(provider=provider, state=state, started_at=then, ended_at=then, **fields)

    return make


@pytest.fixture
def visit(db: None) -> Callable[..., Client]:
    """`visit(alice).get("/models")`: a browser at which this person is signed in, or nobody."""

    def open_(user: Any = None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return open_


@pytest.fixture
def sync_file(db: None) -> Callable[[Path], Outcome]:
    """`sync_file(day("2026-08-22"))`: OpenRouter as it answered that day."""

    def run(path: Path) -> Outcome:
        fields = {"name": "OpenRouter", "kind": "openrouter", "precedence": 50}
        provider, _ = Provider.objects.get_or_create(slug="openrouter", defaults=fields)
        return sync(provider, path=path, allow_shrink=True)

    return run
