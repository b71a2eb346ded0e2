"""Reads an upstream for the provider lists: in a hurry, and off the request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db import connection

from providers.client.errors import UpstreamError
from providers.client.http import Limits, UpstreamClient
from providers.connection import credentials, endpoints
from providers.connection.sealing import CredentialError
from providers.lists import cache
from providers.lists.items import items_of
from providers.models import Provider
from providers.reading.reader import Reader

# Kinds that list their models to whoever asks; the others are not asked without a key.
WITHOUT_CREDENTIAL = frozenset({"ollama"})
# Of one answer: about three times the largest recorded. Parsing it blocks the interpreter for other requests of the
# process; a sync may take more, in its own time.
MAX_BYTES, MAX_VALUES = 4_000_000, 60_000


class HurriedClient(UpstreamClient):
    """A client with one deadline for all calls together: an adapter may need several."""

    def __init__(self, seconds: float, **options: Any) -> None:
        # One try: whoever asks next comes soon enough.
        limits = Limits(
            connect=seconds,
            read=seconds,
            total=seconds,
            attempts=1,
            max_bytes=MAX_BYTES,
            all_bytes=2 * MAX_BYTES,
            max_values=MAX_VALUES,
        )
        super().__init__(limits=limits, **options)
        self._until = time.monotonic() + seconds

    def call(self, *args: Any) -> Any:
        left = self._until - time.monotonic()
        if left <= 0:
            raise UpstreamError("timeout", "The answer did not come in time.")
        self.limits = replace(self.limits, connect=left, read=left, total=left)
        return super().call(*args)


def source(provider: Provider, listing: str) -> Callable[[], cache.Items] | None:
    """The function that reads one listing of upstream, or None where no credential is configured.

    Raises cache.Unreadable where one is configured that cannot be used; the function does too, where upstream fails.
    """
    try:
        if provider.kind not in WITHOUT_CREDENTIAL and credentials.of(provider) is None:
            return None
    except CredentialError as error:
        raise cache.Unreadable(str(error)) from error

    def read() -> cache.Items:
        client = HurriedClient(
            cache.FETCH_DEADLINE,
            allowed_hosts=settings.PROVIDER_ALLOWED_HOSTS,
            trusted_origins=endpoints.trusted_for(provider),
        )
        reader = Reader(provider, client)
        # No connection to the database is open while upstream is awaited.
        connection.close()
        try:
            payload = reader.answer(listing)
            if provider.kind == "ollama" and _holds_nothing(payload):
                return []
            parsed = reader.parse(payload, listing)
        except UpstreamError as error:
            raise cache.Unreadable(error.brief) from error
        except CredentialError as error:
            raise cache.Unreadable(str(error)) from error
        if not parsed.records:
            raise cache.Unreadable("The answer holds no model that could be read.")
        return items_of(parsed)

    return read


def _holds_nothing(payload: Any) -> bool:
    """Whether an Ollama server has no model yet, which is no failure."""
    if not isinstance(payload, dict) or "models" not in payload:
        raise cache.Unreadable("The server that answered is not Ollama.")
    return payload["models"] == []
