"""Django's PostgreSQL, of which a request waits no longer for an answer than its patience lasts.

The client has to keep the time. A server that hangs, with its host up, enforces no timeout of its own, and TCP sees
nothing wrong: the kernel acknowledges what the server does not read.
"""

import select
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import psycopg
from django.db import OperationalError
from django.db.backends.postgresql import base
from psycopg.types.array import ListDumper

from config.databases import patience
from config.databases.patience import Patience

# Seconds in which a server that is up takes a request to cancel a statement.
CANCELLING = 0.5
# Seconds for which a connection that nobody uses is taken to work where the server has not said otherwise. What lies
# between, such as a firewall, may have forgotten it after longer.
UNCHECKED = 15.0
# Seconds for which a thread keeps a connection before the pool sees to its age.
KEPT = 60.0
_NEVER_BY_ITSELF = 2**31
# Statements whose plans a connection keeps, the last used ones. The largest take 2.5 MB of the server's memory.
_MOST_PLANS = 40
# What a server says that ends a connection, which the driver takes to be open for a moment longer.
_ENDED = (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown)


class _Silent(Exception):
    """Nothing came for as long as the request waits."""


class Connection(psycopg.Connection[Any]):
    """Ends a wait of a request; the statement is cancelled where the server is up, and the connection is closed."""

    # The moment (monotonic) from which the pool has it.
    idle_since = 0.0
    # Whether it leads to the server itself, as far as is known: set where somebody has looked.
    is_direct = False

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        current = patience.current()
        began = time.monotonic()
        try:
            return super().wait(gen if current is None else _impatient(gen, current), *args, **options)
        except psycopg.InternalError as error:
            if error.sqlstate is not None:
                raise
            # The driver's own: such as of two results of one command, where the server ended the connection after it.
            self.close()
            raise psycopg.OperationalError(f"the server did not answer as it should: {error}") from error
        except _Silent:
            if current is not None:
                current.give_up(began)
            # A statement that waits for a lock, or works, would go on in the server. PgBouncer 1.18, which is Debian
            # 12's, ends with all its clients where a request to cancel is given up.
            if self.is_direct and psycopg.capabilities.has_cancel_safe():
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
    """Returns where a server answers. Raises psycopg.Error, as soon as a request would.

    A pooler lets us in whether it has a server or not, so being let in says nothing.
    """
    with patience.impatient(), closing(Connection.connect(**parameters)) as connection:
        connection.execute("SELECT 1")


class _Escapes:
    """In the place of a pattern that escapes quotes and backslashes: a sync's JSON has millions of them."""

    def sub(self, replacement: bytes, text: Any) -> bytes:
        return bytes(text).replace(b"\\", b"\\\\").replace(b'"', b'\\"')


class Lists(ListDumper):
    """psycopg's own, by which Django sends many rows at once, in a third of the time."""

    _re_esc: Any = _Escapes()


psycopg.adapters.register_dumper(list, Lists)


class Planned(psycopg.Cursor[Any]):
    """A cursor whose statement the server plans once a connection."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        done = super().execute(query, params, **(options | {"prepare": True}))
        # Where Django looks for what it logs; psycopg leaves it empty for what is prepared.
        self._query: Any = SimpleNamespace(query=query.encode())
        return done


# Where Django's backend looks for connect(), and for the names of errors.
_driver = ModuleType("psycopg")
vars(_driver).update(vars(psycopg))
vars(_driver)["connect"] = Connection.connect


def _works(connection: Any, must_ask: bool) -> bool:
    """Whether a connection of the pool may be used; one that may not is closed.

    Asking the server would cost as much as a statement. What it sends unasked is, but for notices, that it has ended
    the connection, so where nothing has come there is nothing to ask.
    """
    try:
        if must_ask or time.monotonic() - connection.idle_since > UNCHECKED or _has_received(connection):
            connection.execute("")
    except psycopg.Error:
        connection.close()
    return not connection.closed


def _has_received(connection: Any) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _again(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Runs what reads first on a connection again on another one, where this one was lost meanwhile."""
    database: DatabaseWrapper = context["connection"]
    is_first, database.is_untried = database.is_untried, False
    try:
        return execute(sql, params, many, context)
    except OperationalError as error:
        if not (is_first and database.is_lost(error) and sql.startswith("SELECT")):
            raise
        database.connection.close()
        database.close()
        # What ended one connection may be ending the others of the pool this moment.
        database.must_ask = True
        database.ensure_connection()
        context["cursor"].cursor = database.create_cursor()
        return execute(sql, params, many, context)


class DatabaseWrapper(base.DatabaseWrapper):
    Database = _driver
    # Django's; the stubs lack it.
    pool: Any
    # The causes of errors which say that the server does not have the plan, or that it no longer holds.
    PLAN_LOST = (psycopg.errors.FeatureNotSupported, psycopg.errors.InvalidSqlStatementName)
    # Whether no statement was sent yet on the connection, which a request has for itself.
    is_untried = False
    # Whether to ask the server before the next connection of the pool is used.
    must_ask = False
    # Seconds for which this thread keeps a connection of the pool from one request to the next.
    kept_for = 0.0
    # Of the connection, for the patience of the request that uses it.
    _probe: Callable[[], None]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute_wrappers.append(_again)
        pool = self.settings_dict["OPTIONS"].get("pool")
        if isinstance(pool, dict):
            pool.setdefault("connection_class", Connection)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        current = patience.current()
        self._probe = partial(_probe, conn_params)
        if current is not None:
            if not current.may_ask:
                raise psycopg.OperationalError("the server does not answer")
            current.probe = self._probe
        began = time.monotonic()
        try:
            connection = super().get_new_connection(conn_params)
            # By itself the pool would pause for a second after the second that does not work.
            while self.pool and not _works(connection, self.must_ask):
                self.pool.putconn(connection)
                if current is not None and not current.may_ask:
                    raise psycopg.OperationalError("the server did not answer in time")
                connection = super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            if current is not None:
                current.give_up(began)
            raise
        # One of the pool may be from before the server fell silent.
        if current is not None and not self.pool:
            current.was_answered()
        self.is_untried, self.must_ask = True, False
        if self.kept_for:
            # Django's own means, which its settings refuse beside a pool.
            connection.idle_since = time.monotonic()
            self.close_at, self.health_check_enabled = connection.idle_since + self.kept_for, True
        return connection

    def keep_between_requests(self, threads: int) -> None:
        """
        Has this thread keep its connection from one request to the next, which saves a fifth of the work of a read: for
        each of some threads that answer requests as long as the process lives. The pool must have more connections.
        """
        if self.pool and self.pool.max_size > threads:
            self.kept_for = KEPT

    def close_if_health_check_failed(self) -> None:
        """Before the first statement of a request. Django leaves it to the pool where there is one."""
        # Its own parent's, or its own.
        of_django: Any = super(base.DatabaseWrapper, self) if self.kept_for else super()
        of_django.close_if_health_check_failed()

    def is_usable(self) -> bool:
        """Asked for a connection that was kept, and after an error."""
        if not self.kept_for:
            return super().is_usable()
        current = patience.current()
        if current is not None:
            if not current.may_ask:
                return False
            current.probe = self._probe
        self.is_untried = True
        works = _works(self.connection, self.must_ask or self.errors_occurred)
        self.connection.idle_since = time.monotonic()
        return works

    def _set_autocommit(self, autocommit: bool) -> None:
        # Each request sets it, on a connection of the pool that has it: psycopg would wait as for a statement.
        if self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]  # the stubs lack it

    def planned_cursor(self) -> Any | None:
        """A cursor of whose statement the server keeps the plan; None where it cannot.

        Behind a pooler in transaction mode the next request may meet a server that does not have the plan, or that has
        another client's under the same name.
        """
        # As for any cursor. Connecting may find the pooler.
        self.close_if_health_check_failed()
        self.ensure_connection()
        if self.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:
            return None
        # Django leaves it None, which forbids plans. Its own cursors bind on the client and make none.
        self.connection.prepare_threshold, self.connection.prepared_max = _NEVER_BY_ITSELF, _MOST_PLANS
        return self._prepare_cursor(Planned(self.connection))  # type: ignore[attr-defined]  # the stubs lack it

    def _close(self) -> None:
        if self.connection is not None:
            self.connection.idle_since = time.monotonic()
        super()._close()  # type: ignore[misc]  # the stubs lack it

    def is_lost(self, error: OperationalError) -> bool:
        """Whether the server has ended the connection with this error, and another one may be had for the request."""
        current = patience.current()
        return (
            (self.connection.closed or isinstance(error.__cause__, _ENDED))
            and self.autocommit
            and (current is None or current.may_ask)
        )
