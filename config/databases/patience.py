"""How long a request waits for a database that does not answer: so short that its caller hears of it within 3 seconds.

Commands, migrations and the threads of syncs are not requests, and wait as long as it takes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse

# Seconds for one statement of the admin, where wide changes are made, once the database has answered the request.
WIDE = 30.0
# Seconds that a request waits for SQLite's write lock: at first, and for a second after somebody has waited in vain.
LOCK, LOCK_AGAIN = 1.0, 0.1
# Seconds between two tries of a database that refuses.
PROBE_PAUSE = 0.2

_current: ContextVar[Patience | None] = ContextVar("patience", default=None)


class _Outage:
    """What the threads of this process know together. While nobody is answered, one thread of its own keeps trying."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answered_at = 0.0
        self.is_silent = False
        self.locked_at = -1.0

    def begin(self, probe: Callable[[], None]) -> None:
        with self.lock:
            if self.is_silent:
                return
            self.is_silent = True
        threading.Thread(target=self._watch, args=(probe,), daemon=True, name="database probe").start()

    def _watch(self, probe: Callable[[], None]) -> None:
        while self.is_silent:
            try:
                probe()
            except Exception:
                # Whatever is wrong with it: requests tell it, and are not held up while it lasts.
                time.sleep(PROBE_PAUSE)
            else:
                self.end()

    def end(self) -> None:
        self.answered_at = time.monotonic()
        self.is_silent = False


_outage = _Outage()


class Patience:
    """One request's: what it still waits for."""

    def __init__(self, is_wide: bool = False, is_alone: bool = False, waited_in_vain: bool = False) -> None:
        self._is_alone = is_alone
        # Returns once the database has answered, and raises where it has not; set by the backend.
        self.probe: Callable[[], None] | None = None
        self._is_wide = is_wide
        self._answered = False
        self.gave_up = waited_in_vain

    @property
    def seconds(self) -> float:
        """How long the database may be silent now."""
        if self.gave_up:
            return 0.0
        return WIDE if self._is_wide and self._answered else float(settings.DATABASE_REQUEST_TIMEOUT)

    @property
    def may_ask(self) -> bool:
        """Whether to turn to the database at all. A request that met silence once does not wait a second time."""
        return not self.gave_up and not _outage.is_silent

    def was_answered(self) -> None:
        self._answered = True
        if not self._is_alone:
            _outage.end()

    def give_up(self, since: float) -> None:
        """Notes that nothing came since that moment (monotonic): an outage, unless others were answered meanwhile."""
        self.gave_up = True
        if self.probe is not None and not self._is_alone and _outage.answered_at < since:
            _outage.begin(self.probe)


def current() -> Patience | None:
    """That of the request which this thread answers; None outside of requests."""
    return _current.get()


@contextmanager
def of_a_request(is_wide: bool = False, waited_in_vain: bool = False) -> Iterator[Patience]:
    """Waits inside as a request does, and what is inside of another one as that one, which may have waited already."""
    waiting = _current.get() or Patience(is_wide, waited_in_vain=waited_in_vain)
    token = _current.set(waiting)
    try:
        yield waiting
    finally:
        _current.reset(token)


@contextmanager
def impatient() -> Iterator[None]:
    """Waits inside as a request does, and says nothing to others, as before a fork, or of another database."""
    token = _current.set(Patience(is_alone=True))
    try:
        yield
    finally:
        _current.reset(token)


def lock_seconds() -> float:
    """How long a request waits for SQLite's write lock."""
    return LOCK_AGAIN if is_locked() else LOCK


def is_locked() -> bool:
    """Whether somebody waited in vain for SQLite's write lock in the last second."""
    return time.monotonic() - _outage.locked_at < 1.0


def note_locked(waited: float) -> None:
    """Notes that the lock was not had. Whoever did not care to wait says nothing about it."""
    if waited >= LOCK_AGAIN / 2:
        _outage.locked_at = time.monotonic()


class PatienceMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with of_a_request(is_wide=request.path_info.startswith("/admin/")):
            return self.get_response(request)
