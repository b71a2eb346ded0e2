"""Fixtures of the providers' tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from providers.client.http import Limits, UpstreamClient
from providers.models import Provider
from providers.reading.reader import Reader
from providers.sync import run as sync
from providers.sync.run import Outcome
from tests.feeds import saved
from tests.upstreams import Upstream, upstream

__all__ = ["upstream"]


@pytest.fixture
def make_provider(db: None) -> Callable[..., Provider]:
    """`make_provider("ollama", base_url=upstream.url)`: of the kind that its slug names."""

    def make(slug: str, **fields: Any) -> Provider:
        fields = {"kind": slug, "name": slug.title(), **fields}
        return Provider.objects.update_or_create(slug=slug, defaults=fields)[0]

    return make


@pytest.fixture
def openrouter(make_provider: Callable[..., Provider]) -> Provider:
    return make_provider("openrouter", precedence=50)


@pytest.fixture
def sync_feed(openrouter: Provider, tmp_path: Path) -> Callable[..., Outcome]:
    """`sync_feed(feed(400))`: syncs OpenRouter, or `provider=`, from a saved answer, or from the file itself."""

    def run(payload: Any, *, provider: Provider | None = None, **options: Any) -> Outcome:
        path = payload if isinstance(payload, Path) else saved(tmp_path, payload)
        return sync.sync(provider or openrouter, path=path, **options)

    return run


@pytest.fixture
def read_live(openrouter: Provider, upstream: Upstream, settings: Any) -> Callable[..., Outcome]:
    """Syncs OpenRouter from the scripted upstream, whose list of embedding models is absent unless a test serves it."""
    settings.OPENROUTER_BASE_URL = f"{upstream.url}/api/v1"

    def run(*, limits: Limits | None = None, **options: Any) -> Outcome:
        limits = limits or Limits(connect=2, read=0.5, total=1.0, attempts=2, backoff=0.01)
        client = UpstreamClient(limits=limits, trusted_origins=[settings.OPENROUTER_BASE_URL])
        return sync.sync(openrouter, reader=Reader(openrouter, client), **options)

    return run
