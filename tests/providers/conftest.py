"""Fixtures of the providers' tests."""

from collections.abc import Callable
from typing import Any

import pytest

from providers.models import Provider
from tests.upstreams import upstream

__all__ = ["upstream"]


@pytest.fixture
def make_provider(db: None) -> Callable[..., Provider]:
    """`make_provider("ollama", base_url=upstream.url)`: of the kind that its slug names."""

    def make(slug: str, **fields: Any) -> Provider:
        fields = {"kind": slug, "name": slug.title(), **fields}
        return Provider.objects.update_or_create(slug=slug, defaults=fields)[0]

    return make
