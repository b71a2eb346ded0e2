"""
Answers that are stored, and sent again once the database has said that what they rest on is as it was.

A read with a key is answered with bytes that follow from the request's head and the row of the key, which holds the
version of all else that counts. So where a request with the same head finds the same row, its answer is the one before,
but for its own headers: Django need not make it again. The rows of all requests that come while a statement runs are
read together by the next one, after each of them has come; and requests that count are counted together likewise.
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
from operator import attrgetter
from typing import Any, Generic, Literal, Protocol, TypeVar

from cachetools import LRUCache
from django.db import DatabaseError, close_old_connections

from config.api.pieces import Pieces
from config.databases import patience
from config.metrics import STORED_BYTES

logger = logging.getLogger(__name__)

Headers = list[tuple[str, str]]
# The headers that say that a request was counted, at least one; False where it was not, and may have to be refused.
Counted = dict[str, str] | Literal[False]

# Bytes of stored answers, and of one. The bodies are shared with other caches.
MOST, LARGEST = 16_000_000, 1_000_000
# Bytes that an answer takes besides what differs in length.
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

    @staticmethod
    def count(bases: Sequence[Any]) -> list[Counted]:
        """Counts a request for each. Raises DatabaseError."""

    @property
    def size(self) -> int:
        """About the bytes that it takes."""

    @property
    def is_counted(self) -> bool:
        """Whether requests are counted, which takes a statement of its own."""

    @property
    def is_held_up(self) -> bool:
        """Whether counting was waited for in vain lately: others are not to wait behind it."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes | Pieces
    # None: it must be made again for each request.
    basis: Basis | None = None
    # For the metrics, where there is a basis.
    route: str = ""

    @property
    def request_id(self) -> str:
        return next((value for name, value in self.headers if name == "X-Request-Id"), "-")

    @property
    def size(self) -> int:
        """About the bytes that it takes."""
        texts = [text for header in self.headers for text in header]
        return len(self.body) + sum(map(len, texts)) + (self.basis.size if self.basis else 0) + _BESIDES

    def again(self, own: Mapping[str, str]) -> Answer:
        """The same with headers of its own in the place of those of these names; it is not to be stored."""
        headers = [(name, value) for name, value in self.headers if name not in own]
        return Answer(self.status, [*headers, *own.items()], self.body)


class StoredAnswers:
    """Those of one process, by the heads of their requests."""

    def __init__(self) -> None:
        self._answers: LRUCache[bytes, Answer] = LRUCache(MOST, attrgetter("size"))
        self._lock = threading.Lock()

    def get(self, head: bytes | None) -> Answer | None:
        with self._lock:
            return None if head is None else self._answers.get(head)

    def store(self, head: bytes | None, answer: Answer) -> None:
        """Where it has a basis and is not large."""
        if head is not None and answer.basis is not None and answer.size <= LARGEST:
            with self._lock:
                self._answers[head] = answer
                STORED_BYTES.set(self._answers.currsize)


def head_of(environ: Mapping[str, Any]) -> bytes | None:
    """What the answer to this request can depend on, as a digest; None where it is not stored."""
    if environ["REQUEST_METHOD"] != "GET" or "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
        return None
    parts = [environ["RAW_URI"], environ["SERVER_PROTOCOL"], environ["REMOTE_ADDR"]]
    for name, value in environ.items():
        # A request without a body may still be refused for the length of its type.
        counts = name.startswith("HTTP_") or name == "CONTENT_TYPE"
        if counts and (name not in PASSED_OVER or len(value) > _SHORT):
            parts += (name, value)
    # No header holds NUL, and an address's is percent-encoded.
    return blake2b("\0".join(parts).encode(), key=_SECRET, digest_size=32).digest()


Said = TypeVar("Said")


class Together(Generic[Said]):
    """Asks the database for many requests at once, on a thread: for those that come while it is asked for those before.

    `ask` says of each of some bases what there is to say, which is true where the answer may be sent again. It raises
    DatabaseError.
    """

    def __init__(
        self, name: str, ask: Callable[[Sequence[Any]], Sequence[Said]], begin_thread: Callable[[], None]
    ) -> None:
        self._ask = ask
        self._thread = ThreadPoolExecutor(1, name, begin_thread)
        self._waiting: list[tuple[Basis, asyncio.Future[Said | Literal[False] | None]]] = []
        self._is_asking = False

    async def said_of(self, basis: Basis) -> Said | Literal[False] | None:
        """False also where that cannot be said, and None where it was waited for in vain: Django has the word then."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Said | Literal[False] | None] = loop.create_future()
        self._waiting.append((basis, told))
        if not self._is_asking:
            self._begin(loop)
        return await told

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        asked, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
        self._is_asking = True
        answering = loop.run_in_executor(self._thread, self._patiently, [basis for basis, _ in asked])
        answering.add_done_callback(partial(self._tell, loop, asked))

    def _patiently(self, bases: Sequence[Basis]) -> list[Said | Literal[False] | None]:
        found: Sequence[Said | Literal[False]]
        with as_a_request() as waiting:
            try:
                found = self._ask(bases)
            except DatabaseError:
                # What is to be said of it, Django says.
                found = [False] * len(bases)
        return [None if said is False and waiting.gave_up else said for said in found]

    def _tell(self, loop: asyncio.AbstractEventLoop, asked: Any, answering: asyncio.Future[Any]) -> None:
        self._is_asking = False
        found = _found(answering, len(asked))
        if all(said is None for said in found):
            # The others have waited for the same: they do not wait for another statement after this one.
            found += [None] * len(self._waiting)
            asked, self._waiting = asked + self._waiting, []
        elif self._waiting:
            # The next ones first: the thread works while these are told.
            self._begin(loop)
        for (_, told), said in zip(asked, found, strict=True):
            if not told.done():
                told.set_result(said)


def _found(answering: asyncio.Future[Any], count: int) -> list[Any]:
    if answering.cancelled():
        return [False] * count
    if error := answering.exception():
        logger.error("Stored answers could not be validated.", exc_info=error)
        return [False] * count
    return answering.result()


def still_hold(bases: Sequence[Basis]) -> list[bool]:
    return type(bases[0]).still_hold(bases)


def count(bases: Sequence[Basis]) -> list[Counted]:
    return type(bases[0]).count(bases)


@contextmanager
def as_a_request(waited_in_vain: bool = False) -> Iterator[patience.Patience]:
    """On a thread: waits for the database no longer than a request may, and leaves its connection as one does."""
    with patience.of_a_request(waited_in_vain=waited_in_vain) as waiting:
        close_old_connections()
        try:
            yield waiting
        finally:
            close_old_connections()
