"""Searches every answer and log line of every test for the secrets that the test made.

The text of a key or an export token may stand in the one answer to the request that made it. Passwords, and the credentials of providers, in
none. A leak fails the test in which it happens.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import base_user, models
from django.test import client

from apikeys import tokens
from config.api.logging import OneLineFormatter

# Shorter ones would be found in texts that have nothing to do with them.
SHORTEST = 12


class Sweep(logging.Handler):
    """What one test made that must not be seen, and where it was seen."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(OneLineFormatter("%(message)s"))
        self.secrets: set[str] = set()
        self.just_made: set[str] = set()
        self.leaks: list[str] = []
        self.answers = self.lines = 0

    def hide(self, secret: str | None) -> None:
        if secret and len(secret) >= SHORTEST:
            self.secrets.add(secret)

    def search(self, text: str, where: str, allowed: set[str] | None = None) -> None:
        for secret in self.secrets - (allowed or set()):
            if secret in text:
                self.leaks.append(f"{secret[:6]}... in {where}")

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += 1
        self.search(self.format(record), f"a log line of {record.name}")

    def answer(self, request: dict[str, Any], response: Any) -> None:
        self.answers += 1
        body = b"" if response.streaming else response.content
        where = f"the answer to {request.get('REQUEST_METHOD')} {request.get('PATH_INFO')}"
        self.search(body.decode("utf-8", "replace"), where, self.just_made)
        self.search(str(response.headers), f"the headers of {where}")


@pytest.fixture(autouse=True)
def sweep(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweep]:
    found = Sweep()
    make, make_password, request = tokens.make, base_user.make_password, client.Client.request

    def making(key_id: str | None = None, prefix: str = tokens.PREFIX) -> tokens.Token:
        token = make(key_id, prefix)
        found.hide(token.text)
        found.just_made.add(token.text)
        return token

    def hashing(password: str | None, *args: Any, **kwargs: Any) -> str:
        found.hide(password)
        return make_password(password, *args, **kwargs)

    def asking(self: Any, **environment: Any) -> Any:
        found.just_made.clear()
        response = request(self, **environment)
        found.answer(environment, response)
        return response

    monkeypatch.setattr(tokens, "make", making)
    for module in (base_user, models):
        monkeypatch.setattr(module, "make_password", hashing)
    monkeypatch.setattr(client.Client, "request", asking)
    root = logging.getLogger()
    root.addHandler(found)
    yield found
    root.removeHandler(found)
    assert found.leaks == []
