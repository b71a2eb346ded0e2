"""Django's PostgreSQL, of which a request waits no longer for an answer than its patience lasts.

The client has to keep the time. A server that hangs, with its host up, enforces no timeout of its own, and TCP sees
nothing wrong: the kernel acknowledges what the server does not read.
"""

import time
from collections.abc import Generator
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any

import psycopg
from django.db.backends.postgresql import base

from config.databases import patience
from config.databases.patience import Patience

# Seconds in which a server that is up takes a request to cancel a statement.
CANCELLING = 0.5


class _Silent(Exception):
    """Nothing came for as long as the request waits."""


class Connection(psycopg.Connection[Any]):
    """Ends a wait of a request; the statement is cancelled where the server is up, and the connection is closed."""

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        current = patience.current()
        if current is None:
            return super().wait(gen, *args, **options)
        began = time.monotonic()
        try:
            return super().wait(_impatient(gen, current), *args, **options)
        except _Silent:
            current.give_up(began)
            # A statement that waits for a lock, or works, would go on in the server.
            if psycopg.capabilities.has_cancel_safe():
                with suppress(psycopg.Error):
                    self.cancel_safe(timeout=CANCELLING)
            self.close()
            raise psycopg.OperationalError("the server did not answer in time") from None


def _impatient(gen: Any, current: Patience) -> Generator[Any, Any, Any]:
    """What psycopg waits with: it gives what the connection waits for, and is sent what is ready, or 0 now and then."""
    last = time.monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            now = time.monotonic()
            if ready:
                last = now
            elif now - last >= current.seconds:
                raise _Silent
            wanted = gen.send(ready)
    except StopIteration as end:
        current.was_answered()
        return end.value


def _probe(parameters: dict[str, Any]) -> None:
    """Returns where a server lets us in. Raises psycopg.Error, after `connect_timeout` at the latest."""
    psycopg.connect(**parameters).close()


# Where Django's backend looks for connect(), and for the names of errors.
_driver = ModuleType("psycopg")
vars(_driver).update(vars(psycopg))
vars(_driver)["connect"] = Connection.connect


class DatabaseWrapper(base.DatabaseWrapper):
    Database = _driver

    @property
    def pool(self) -> Any:
        options = self.settings_dict["OPTIONS"].get("pool")
        if isinstance(options, dict):
            options.setdefault("connection_class", Connection)
        return super().pool  # type: ignore[misc]  # A property that the stubs lack.

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        current = patience.current()
        if current is None:
            return super().get_new_connection(conn_params)
        if not current.may_ask:
            raise psycopg.OperationalError("the server does not answer")
        current.probe = partial(_probe, conn_params)
        began = time.monotonic()
        try:
            connection = super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            current.give_up(began)
            raise
        current.was_answered()
        return connection
