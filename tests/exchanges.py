"""One request to the application of config/asgi.py, without a server, and its answer."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest

# At the start of a server the database is asked, which is not there yet.
with patch("config.checks.warn_at_start"):
    from config import asgi


class Answer:
    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.status: int = messages[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        self.body = b"".join(message["body"] for message in messages[1:])

    @property
    def shown(self) -> tuple[Any, ...]:
        """All but what is this answer's own."""
        own = ("X-Request-Id", "request-id", "RateLimit-Reset", "RateLimit-Remaining")
        body = self.body.replace(self.headers["X-Request-Id"].encode(), b"")
        return self.status, {name: text for name, text in self.headers.items() if name not in own}, body


async def asked(path: str, token: str = "", *, method: str = "GET", **headers: str) -> Answer:
    """`X_Request_Id="a"` is a header's name as Python allows it."""
    address, _, query = path.partition("?")
    sent = {"Host": "localhost", **({"Authorization": f"Bearer {token}"} if token else {}), **headers}
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "raw_path": quote(address).encode(),
        "query_string": query.encode(), "client": ("192.0.2.1", 5), "server": ("127.0.0.1", 80),
        "headers": [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in sent.items()],
    }  # fmt: skip
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await asgi.application(scope, receive, send)
    return Answer(messages)


def ask(path: str, token: str = "", **headers: str) -> Answer:
    return asyncio.run(asked(path, token, **headers))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A process that has stored nothing; the addresses that Django answers."""
    monkeypatch.setattr(asgi, "load", asgi.Load(bounds_connections=True))
    addresses: list[str] = []
    django = asgi.django

    def counting(environ: dict[str, Any], start_response: Any) -> Any:
        addresses.append(environ["RAW_URI"])
        return django(environ, start_response)

    monkeypatch.setattr(asgi, "django", counting)
    return addresses
