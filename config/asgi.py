"""
The application for an ASGI server: requests are collected before Django sees them, answers after it has gone.

Django's views are synchronous, so each needs a thread, and there are few. A client that is slow to send or to read must
not hold one: here a body is collected by the event loop, within limits, then a thread answers the whole request, and
the loop hands the answer on at the client's pace. An answer that streams is collected too, so one that never ends
cannot be served.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from io import BytesIO, RawIOBase
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import connection

import config.wsgi  # First: it sets Django up, which what follows needs.
from config import environment as env
from config import metrics
from config.api import errors, request_id
from config.api.pieces import Pieces, joined, own_size
from config.client_ip import client_of
from config.stored_answers import (
    Answer,
    Basis,
    Counted,
    StoredAnswers,
    Together,
    as_a_request,
    count,
    head_of,
    still_hold,
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

django = config.wsgi.application
logger = logging.getLogger("modeldex.refusals")
access_logger = logging.getLogger("modeldex.access")

THREADS = env.number("WEB_THREADS", 4, 1, 256)
ACCESS_LOG = env.flag("ACCESS_LOG", False)
# Requests of one process that wait for a thread, beyond which the next is refused at once, and seconds that each waits.
MAX_QUEUE, PATIENCE = 256, 10
# Asked by whatever restarts a process that does not answer: it has a thread of its own.
LIVENESS = "/healthz"
# Seconds in which a body has to arrive, and in which a connection that takes nothing of its answer is given up.
ARRIVAL, STALL = 30, 15
# And in which a client whose body is too large may go on sending it.
LINGER = 2
# Bytes a second: a client that reads an answer more slowly for longer than ARRIVAL loses the rest of it.
SLOWEST = 8 * 1024
# Bytes of bodies that one process holds. Those of up to SMALL_BODY are always taken, so that large
# ones that never end shut nobody out of signing in.
MAX_BODIES, SMALL_BODY = 64 * 1024 * 1024, 16 * 1024
# Each chunk of a body costs a turn of the loop. Beyond this many they must hold this many bytes each on average.
MANY_CHUNKS, SMALL_CHUNK = 256, 64
# Of an answer, as much as is handed to the server at a time: it copies what it takes, the rest is shared. Larger slices
# take fewer turns of the loop, and are for as long as few large answers are on their way.
SLICE, LARGE_SLICE, FEW = 32 * 1024, 256 * 1024, 32
# Bytes of large answers that one process holds for clients that read slowly.
MAX_ANSWERS = 128 * 1024 * 1024
# Bytes of an answer that the kernel buffers for a client; by itself it would take up to four megabytes.
SEND_BUFFER = 128 * 1024


class Refused(Exception):
    """A request that Django does not get to see."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status

    def answer(self, environ: dict[str, Any]) -> Answer:
        """In the envelope of what was asked."""
        body = orjson.dumps(errors.envelope(environ["PATH_INFO"], environ, self.status, str(self)))
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
            (request_id.HEADER, request_id.current.get()),
        ]
        if self.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append(("Retry-After", "1"))
        return Answer(self.status, headers, body)


class TooLarge(RawIOBase):
    """In place of a body above the limit, which is not collected. Django words the refusal as the route does."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        raise RequestDataTooBig

    readinto = readline = readlines = read  # type: ignore[assignment]


@dataclass
class Load:
    """What one process has in hand."""

    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "django", begin_thread))
    # Its free threads, and how many requests wait for one.
    threads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(THREADS))
    queue: int = 0
    stored: StoredAnswers = field(default_factory=StoredAnswers)
    validation: Together[bool] = field(default_factory=lambda: Together("stored answers", still_hold, begin_thread))
    # Apart, as a count may have to wait for a lock.
    counting: Together[Counted] = field(default_factory=lambda: Together("counting", count, begin_thread))
    # Those that it had to wait for. They keep no connection, as they are few.
    counting_held_up: Together[Counted] = field(default_factory=lambda: Together("held up", count, lambda: None))
    # A process that has much to do, or whose database hangs, is not dead.
    liveness_thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "liveness"))
    # Bytes of the bodies of requests that are not answered yet.
    bodies: int = 0
    # The large answers that their clients have not taken yet, the longest waiting first.
    answers: dict[asyncio.Timeout, bytes | Pieces] = field(default_factory=dict)
    bounds_connections: bool = False

    async def take_thread(self) -> None:
        """In the order of asking. Raises Refused where that takes too long."""
        if self.threads.locked() and self.queue >= MAX_QUEUE:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Too many requests wait for an answer. Try again shortly.")
        self.queue += 1
        try:
            async with asyncio.timeout(PATIENCE):
                await self.threads.acquire()
        except TimeoutError:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"No answer was begun within {PATIENCE} seconds. Try again shortly.",
            ) from None
        finally:
            self.queue -= 1

    @contextmanager
    def waiting_answer(self, limit: asyncio.Timeout, body: bytes | Pieces) -> Iterator[None]:
        """Ends the limits of those that have waited longest where there are too many: they are read most slowly."""
        self.answers[limit] = body
        while self._held() > MAX_ANSWERS and len(self.answers) > 1:
            oldest = next(iter(self.answers))
            del self.answers[oldest]
            oldest.reschedule(0)
        try:
            yield
        finally:
            self.answers.pop(limit, None)

    def _held(self) -> int:
        """The bytes of all that wait, but for shared pieces. Several clients may be answered with the same."""
        return sum({id(body): own_size(body) for body in self.answers.values()}.values())


def begin_thread() -> None:
    if connection.vendor == "postgresql":
        # And the two that ask for stored answers.
        connection.keep_between_requests(THREADS + 2)  # type: ignore[attr-defined]  # that of config/databases


load = Load()


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """ASGI 3, HTTP alone."""
    began = time.perf_counter()
    if not load.bounds_connections:
        load.bounds_connections = True
        bound_connections()
    environ = environ_of(scope)
    body = Body()
    try:
        if scope["http_version"] == "1.1" and "HTTP_HOST" not in environ:
            raise Refused(HTTPStatus.BAD_REQUEST, "The request names no host.")
        await body.add_to(environ, receive)
        answer = await answered(environ)
    except Refused as refused:
        request_id.current.set(request_id.sent_with(environ))
        logger.warning("Refused with %d: %s", refused.status, refused)
        answer = refused.answer(environ)
    finally:
        body.drop()
    await deliver(answer, environ["REQUEST_METHOD"] == "HEAD", send)
    if ACCESS_LOG:
        log_access(environ, answer, time.perf_counter() - began)
    if isinstance(environ["wsgi.input"], TooLarge) and "HTTP_EXPECT" not in environ:
        await let_go(receive)


def environ_of(scope: Message) -> dict[str, Any]:
    """The request's head as WSGI words it (PEP 3333): text whose characters are the bytes that came."""
    server, client = scope.get("server") or ("", 0), scope.get("client") or ("", 0)
    version = scope["http_version"]
    path, query = scope["raw_path"], scope["query_string"]
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        # Not the scope's `path`, in which bytes that are no UTF-8 are lost.
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        # Not of WSGI: as it came, for the access log.
        "RAW_URI": (path + b"?" + query if query else path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{version if '.' in version else version + '.0'}",
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        # TLS ends at a proxy; whether its word counts is Django's to decide, by TRUSTED_PROXIES.
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        # WSGI's keys would not tell X_Forwarded_For from X-Forwarded-For, which a proxy vouches for.
        # And granian adds an empty Host where there is none.
        if b"_" in name or (name == b"host" and not value):
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in environ:
            text = f"{environ[key]}{';' if key == 'HTTP_COOKIE' else ','}{text}"
        environ[key] = text
    return environ


class Body:
    """A request's body. What it holds counts from when it arrives until the request is answered."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.size = 0

    async def add_to(self, environ: dict[str, Any], receive: Receive) -> None:
        """Collects it, and gives it a length, without which Django reads none. Raises Refused."""
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        # The server has refused what is no number, and a second one that differs.
        length = int(environ.get("CONTENT_LENGTH", "0").partition(",")[0] or 0)
        if not chunked and not length:
            return
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if length <= limit:
            await self._collect(receive, None if chunked else length, limit)
        if max(length, self.size) > limit:
            environ["wsgi.input"] = TooLarge()
        else:
            environ["wsgi.input"] = BytesIO(b"".join(self.chunks))
        self.chunks.clear()
        environ["CONTENT_LENGTH"] = str(max(length, self.size))

    async def _collect(self, receive: Receive, length: int | None, limit: int) -> None:
        """As many bytes as `length`, or as come; more than `limit` where it goes on after that."""
        try:
            async with asyncio.timeout(ARRIVAL):
                while length is None or self.size < length:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Refused(HTTPStatus.BAD_REQUEST, "The body ended before it was whole.")
                    self._add(message.get("body", b""))
                    if self.size > limit or not message.get("more_body", False):
                        break
        except TimeoutError:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, f"The body was not complete within {ARRIVAL} seconds.") from None

    def _add(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.size += len(chunk)
        load.bodies += len(chunk)
        if len(self.chunks) > MANY_CHUNKS and self.size < len(self.chunks) * SMALL_CHUNK:
            raise Refused(HTTPStatus.BAD_REQUEST, "The body came in more and smaller chunks than are taken.")
        if self.size > SMALL_BODY and load.bodies > MAX_BODIES:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Too many large bodies are here at once. Try again shortly.")

    def drop(self) -> None:
        load.bodies -= self.size


async def let_go(receive: Receive) -> None:
    """Reads on for a moment: closing upon a client that still sends could take its answer back (RFC 9112, 9.6)."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            for _ in range(MANY_CHUNKS):
                message = await receive()
                if not message.get("more_body", False):
                    break


async def answered(environ: dict[str, Any]) -> Answer:
    """Raises Refused where no thread is free in time."""
    loop = asyncio.get_running_loop()
    if environ["PATH_INFO"] == LIVENESS:
        return await loop.run_in_executor(load.liveness_thread, call_django, environ)
    began, head = time.perf_counter(), head_of(environ)
    call = partial(call_django, environ)
    stored = load.stored.get(head)
    if stored is not None and stored.basis is not None:
        counted = await still_good(stored.basis)
        if isinstance(counted, dict):
            return again(stored, counted, environ, began)
        call = partial(call_django_instead, environ, waited_in_vain=counted is None)
    await load.take_thread()
    try:
        answer = await loop.run_in_executor(load.pool, call)
    finally:
        load.threads.release()
    load.stored.store(head, answer)
    return answer


async def still_good(basis: Basis) -> Counted | None:
    """The headers of its count, if any, where an answer may be sent again; None where that was waited for in vain."""
    holds = await load.validation.said_of(basis)
    if not holds:
        return None if holds is None else False
    if not basis.is_counted:
        return {}
    return await (load.counting_held_up if basis.is_held_up else load.counting).said_of(basis)


def again(stored: Answer, counted: dict[str, str], environ: dict[str, Any], began: float) -> Answer:
    metrics.count(stored.route, "GET", stored.status, time.perf_counter() - began)
    return stored.again(counted | request_id.headers(environ["PATH_INFO"], environ, request_id.sent_with(environ)))


def call_django_instead(environ: dict[str, Any], waited_in_vain: bool) -> Answer:
    """Runs on a thread. A request that the database has let wait in vain does not wait for it a second time."""
    with as_a_request(waited_in_vain):
        return call_django(environ)


def call_django(environ: dict[str, Any]) -> Answer:
    """Runs on a thread from first to last: the database connection of a request belongs to it."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        started[:] = [int(status[:3]), headers]
        return _write

    response: Iterable[bytes] = django(environ, start_response)
    pieces: Pieces | None = getattr(response, "pieces", None)
    try:
        body = b"".join(response) if pieces is None else joined(pieces)
    finally:
        # Django ends the request here, and gives its connection back to the pool.
        if close := getattr(response, "close", None):
            close()
    # Django's handler gives its own response.
    basis, route = getattr(response, "basis", None), getattr(response, "route", "")
    return Answer(started[0], started[1], body, basis, route)


def _write(data: bytes) -> object:
    raise NotImplementedError("Django does not use WSGI's write().")


async def deliver(answer: Answer, is_head: bool, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if is_head else answer.body
    if isinstance(body, bytes) and len(body) <= SLICE:
        await send({"type": "http.response.body", "body": body})
        return
    try:
        async with asyncio.timeout(ARRIVAL + len(body) / SLOWEST) as limit:
            with load.waiting_answer(limit, body):
                for part in slices(body):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        logger.warning("Gave up on an answer of %d bytes, which its client reads too slowly.", len(body))


def slices(body: bytes | Pieces) -> Iterator[bytes]:
    """Parts, each of about as many bytes as may be handed on at the moment when it is asked for."""
    units: Any = body if isinstance(body, bytes) else body.pieces
    average = len(body) / len(units)
    at = 0
    while at < len(units):
        size = LARGE_SLICE if len(load.answers) <= FEW else SLICE
        part = units[at : at + max(1, int(size / average))]
        yield part if isinstance(body, bytes) else b"".join(part)
        at += len(part)


def log_access(environ: dict[str, Any], answer: Answer, seconds: float) -> None:
    access_logger.info(
        '%s "%s %s %s" %d %d bytes %.0f ms',
        client_of(environ),
        environ["REQUEST_METHOD"],
        environ["RAW_URI"],
        environ["SERVER_PROTOCOL"],
        answer.status,
        len(answer.body),
        seconds * 1000,
        extra={"request_id": answer.request_id},
    )


def bound_connections() -> None:
    """
    Has the kernel end each connection that takes nothing for STALL seconds, and buffer little of an answer.

    Both are options that accepted sockets inherit from the one that listens. No server has settings for them, and
    without them whoever asks and never reads holds a connection and megabytes of the kernel's memory for ever. Where
    they are not offered (they are Linux's), that remains so.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT") or not os.path.isdir("/proc/self/fd"):
        return
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
        except OSError:
            # It was the one of this listing.
            continue
        with socket.socket(fileno=os.dup(descriptor)) as found:
            if found.family != socket.AF_UNIX and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALL * 1000)
