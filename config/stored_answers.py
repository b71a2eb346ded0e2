"""
Answers that are stored, and sent again once the database has said that what they rest on is as it was.

A read with a key is answered with bytes that follow from the request's head and the row of the key, which holds the
version of all else that counts. So where a request with the same head finds the same row, its answer is the one before,
but for its own headers: Django need not make it again. The rows of all requests that come while a statement runs are
read together by the next one, after each of them has come.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any, Protocol

from cachetools import LRUCache
from django.db import DatabaseError, close_old_connections

from config.databases import patience
from config.metrics import STORED_BYTES

logger = logging.getLogger(__name__)

Headers = list[tuple[str, str]]

# Bytes of stored answers, and of one. The bodies are shared with other caches.
MOST, LARGEST = 16_000_000, 1_000_000
# Bytes that an answer takes besides its body.
_BESIDES = 4_000
# Requests whose rows are read together.
TOGETHER = 64
# Headers that differ between requests, and that no answer to a key depends on: WSGI's names.
PASSED_OVER = frozenset(
    {"HTTP_USER_AGENT", "HTTP_CONNECTION", "HTTP_X_REQUEST_ID", "HTTP_TRACEPARENT", "HTTP_TRACESTATE"}
    | {"HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP"}
)
# Characters of one of these. A longer one may be refused for its length.
_SHORT = 1_000
# Heads hold keys, and are not kept as they came.
_SECRET = os.urandom(32)


class Basis(Protocol):
    """What an answer rests on besides the request's head."""

    @staticmethod
    def still_hold(bases: Sequence[Any]) -> list[bool]:
        """Whether each is as it was. One statement. Raises DatabaseError."""

    @property
    def is_counted(self) -> bool:
        """Whether each request is counted, which takes a statement of its own."""

    def count(self) -> dict[str, str] | None:
        """The headers that say so; None where the request may be refused."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes
    # None: it must be made again for each request.
    basis: Basis | None = None
    # For the metrics, where there is a basis.
    route: str = ""

    @property
    def request_id(self) -> str:
        return next((value for name, value in self.headers if name == "X-Request-Id"), "-")

    def again(self, own: Mapping[str, str]) -> Answer:
        """The same with headers of its own in the place of those of these names; it is not to be stored."""
        headers = [(name, value) for name, value in self.headers if name not in own]
        return Answer(self.status, [*headers, *own.items()], self.body)


class StoredAnswers:
    """Those of one process, by the heads of their requests."""

    def __init__(self) -> None:
        self._answers: LRUCache[bytes, Answer] = LRUCache(MOST, lambda answer: len(answer.body) + _BESIDES)
        self._lock = threading.Lock()

    def get(self, head: bytes | None) -> Answer | None:
        with self._lock:
            return None if head is None else self._answers.get(head)

    def store(self, head: bytes | None, answer: Answer) -> None:
        """Where it has a basis and is not large."""
        if head is not None and answer.basis is not None and len(answer.body) <= LARGEST:
            with self._lock:
                self._answers[head] = answer
                STORED_BYTES.set(self._answers.currsize)


def head_of(environ: Mapping[str, Any]) -> bytes | None:
    """What the answer to this request can depend on, as a digest; None where it is not stored."""
    if environ["REQUEST_METHOD"] != "GET" or "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
        return None
    parts = [environ["RAW_URI"], environ["SERVER_PROTOCOL"], environ["REMOTE_ADDR"]]
    for name, value in environ.items():
        if name.startswith("HTTP_") and (name not in PASSED_OVER or len(value) > _SHORT):
            parts += (name, value)
    # No header holds NUL, and an address's is percent-encoded.
    return blake2b("\0".join(parts).encode(), key=_SECRET, digest_size=32).digest()


class Validation:
    """Asks for the bases of stored answers, those together that come while the statement before runs."""

    def __init__(self, begin_thread: Callable[[], None]) -> None:
        self._thread = ThreadPoolExecutor(1, "stored answers", begin_thread)
        self._waiting: list[tuple[Basis, asyncio.Future[bool]]] = []
        self._is_asking = False

    async def holds(self, basis: Basis) -> bool:
        """False also where that cannot be said: Django has the word then."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((basis, told))
        if not self._is_asking:
            self._ask(loop)
        return await told

    def _ask(self, loop: asyncio.AbstractEventLoop) -> None:
        asked, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
        self._is_asking = True
        answering = loop.run_in_executor(self._thread, _still_hold, [basis for basis, _ in asked])
        answering.add_done_callback(partial(self._tell, loop, asked))

    def _tell(self, loop: asyncio.AbstractEventLoop, asked: Any, answering: asyncio.Future[list[bool]]) -> None:
        self._is_asking = False
        # The next ones first: the thread works while these are told.
        if self._waiting:
            self._ask(loop)
        found = [False] * len(asked)
        if not answering.cancelled():
            if error := answering.exception():
                logger.error("Stored answers could not be validated.", exc_info=error)
            else:
                found = answering.result()
        for (_, told), holds in zip(asked, found, strict=True):
            if not told.done():
                told.set_result(holds)


def _still_hold(bases: Sequence[Basis]) -> list[bool]:
    with as_a_request():
        try:
            return type(bases[0]).still_hold(bases)
        except DatabaseError:
            # What is to be said of it, Django says.
            return [False] * len(bases)


@contextmanager
def as_a_request() -> Iterator[None]:
    """On a thread: waits for the database no longer than a request may, and leaves its connection as one does."""
    with patience.of_a_request():
        close_old_connections()
        try:
            yield
        finally:
            close_old_connections()
