"""Fixtures of the pages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from providers.models import Provider, SyncRun


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
