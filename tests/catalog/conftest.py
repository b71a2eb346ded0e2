"""Fixtures of the catalog's tests."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client


@pytest.fixture
def desk(db: None) -> Callable[[Any], Client]:
    """`desk(ops).get("/admin/")`: a browser at which this person is signed in. Failures of the server are raised."""
    clients: dict[int, Client] = {}

    def sit(user: Any) -> Client:
        if user.pk not in clients:
            clients[user.pk] = Client()
            clients[user.pk].force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return clients[user.pk]

    return sit
