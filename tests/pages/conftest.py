"""Fixtures of the pages."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page

from catalog.models import AIModel
from providers.models import Provider, SyncRun
from providers.sync.run import Outcome, sync
from tests.browser import WIDE
from tests.servers import Server

LONG = "evil/" + "x" * 250
HOSTILE = '<script>alert("name")</script>' + "W" * 200


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


@pytest.fixture
def sign_in(open_page: Callable[..., Page], server: Server) -> Callable[..., Page]:
    """`sign_in(alice, "/models", NARROW)`: that page, for a person who has signed in before."""

    def open_(user: Any, path: str, size: tuple[int, int] = WIDE, dark: bool = False, **options: Any) -> Page:
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        page = open_page("/healthz", size, dark, **options)
        page.set_default_timeout(15_000)
        cookie = {"name": "sessionid", "value": str(session.session_key), "url": server.url}
        page.context.add_cookies([cookie])  # type: ignore[list-item]
        page.goto(path)
        return page

    return open_


@pytest.fixture
def world(alice: Any, bob: Any, make_model: Callable[..., AIModel], make_key: Any) -> None:
    """Something of each kind, hostile text and an id of 255 characters among it."""
    prices = {"pricing": {"prompt": "0.0000025", "completion": "0.00001"}, "prompt_price": 2.5}
    large = make_model("acme/large", name="Large", context_length=200_000, supports_tools=True, **prices)
    make_model("acme/small", name="Small", context_length=8_000, recommended=True, tags=["fast"])
    make_model("acme/small:free", name="Small, free")
    make_model(LONG, name=HOSTILE, description="<img src=x onerror=alert(1)>" * 20, context_length=2**31 - 1)
    make_model("mine", owner=alice, base_model=large, params={"temperature": 0.2})
    make_model("bobs", owner=bob, base_model=large, granted_to=alice)
    make_key(alice, name="notebook", allow=["acme/*"], per_minute=20)
