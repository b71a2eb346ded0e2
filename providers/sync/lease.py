"""The lease that prevents two syncs of one provider at once, across processes and hosts.

It is stored on the provider's row and lasts 60 seconds, renewed by a thread while its holder runs. A holder that was
killed on this host is noticed at once, one on another host when its lease lapses. The token fences: a sync that was
paused past its lease finds that it may not write any more.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone

from providers.models import Provider, SyncRun

DURATION = timedelta(seconds=60)
RENEWAL = 15.0  # seconds


class AlreadyRunning(Exception):
    """Another sync of this provider is at work."""

    def __init__(self, provider: Provider, holder: str) -> None:
        super().__init__(f"A sync of {provider.slug} is already running ({holder}).")


class Superseded(Exception):
    """This sync has lost its lease: it writes nothing."""


@dataclass
class Lease:
    """A lease that this process has taken. `stop` ends its renewal."""

    provider_id: int
    run_id: int
    token: str
    until: datetime
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start_renewal(self) -> None:
        """Renews it from a thread of its own, so that a slow upstream does not cost it."""
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _renew(self) -> None:
        try:
            while not self._stopped.wait(RENEWAL):
                with suppress(DatabaseError):
                    if not self.renew():
                        return
        finally:
            connection.close()

    def renew(self) -> bool:
        """Lengthens it, unless it has lapsed: whoever slept past the end may not return."""
        now = timezone.now()
        until = now + DURATION
        held = Provider.objects.filter(pk=self.provider_id, lease_token=self.token, lease_until__gt=now)
        if not held.update(lease_until=until):
            return False
        self.until = until
        SyncRun.objects.filter(pk=self.run_id).update(heartbeat_at=now)
        return True

    def lock(self) -> Provider:
        """Locks the provider's row until the transaction ends and returns it. Raises Superseded if not ours."""
        provider = Provider.objects.select_for_update().filter(pk=self.provider_id).first()
        if provider is None or provider.lease_token != self.token:
            raise Superseded
        self.until = provider.lease_until or self.until
        self.check()
        return provider

    def check(self) -> None:
        """Raises Superseded where the lease has lapsed."""
        if self.until <= timezone.now():
            raise Superseded

    def release(self) -> None:
        """Gives it back where it is still ours."""
        Provider.objects.filter(pk=self.provider_id, lease_token=self.token).update(
            lease_token="", lease_until=None, lease_holder=""
        )


def acquire(provider: Provider, *, trigger: str, by: str) -> tuple[Lease, SyncRun]:
    """Takes the lease and opens the run, in one transaction. Raises AlreadyRunning.

    The run of a holder that is gone becomes `interrupted`.
    """
    # A plain read first: it answers at once while the other sync's transaction has the row locked.
    _refuse_if_running(Provider.objects.get(pk=provider.pk))
    try:
        with transaction.atomic():
            row = Provider.objects.select_for_update(nowait=connection.features.has_select_for_update_nowait).get(
                pk=provider.pk
            )
            _refuse_if_running(row)
            now = timezone.now()
            SyncRun.objects.filter(provider=row, state=SyncRun.State.RUNNING).update(
                state=SyncRun.State.INTERRUPTED,
                ended_at=now,
                reason="holder_gone",
                message="The process ended, or was cut off, before the run did.",
            )
            row.lease_token = secrets.token_urlsafe(24)
            row.lease_until = now + DURATION
            row.lease_holder = _this_process()
            row.save(update_fields=["lease_token", "lease_until", "lease_holder"])
            run = SyncRun.objects.create(
                provider=row,
                started_at=now,
                heartbeat_at=now,
                trigger=trigger,
                triggered_by=by,
                holder=row.lease_holder,
            )
    except OperationalError as error:
        if not _is_locked(error):
            raise
        raise AlreadyRunning(provider, "it is writing") from error
    return Lease(row.pk, run.pk, row.lease_token, row.lease_until), run


def _is_locked(error: OperationalError) -> bool:
    """Whether another transaction has locked the row (PostgreSQL's lock_not_available) or the file (SQLite)."""
    return getattr(error.__cause__, "sqlstate", "") == "55P03" or "locked" in str(error)


def _refuse_if_running(row: Provider) -> None:
    if row.lease_token and row.lease_until and row.lease_until > timezone.now() and not is_dead(row.lease_holder):
        raise AlreadyRunning(row, row.lease_holder)


def _this_process() -> str:
    return f"{_host()}:{os.getpid()}:{_start_of(os.getpid())}"


def _host() -> str:
    """This host and, where the kernel names them, its boot and PID namespace: a PID means nothing outside them."""
    words = [socket.gethostname()[:120].replace(":", "_")]
    with suppress(OSError):
        words.append(Path("/proc/sys/kernel/random/boot_id").read_text()[:8])
        words.append(os.readlink("/proc/self/ns/pid").strip("pid:[]"))
    return "/".join(words)


def _start_of(pid: int) -> str:
    """When the process began, in the kernel's ticks; "" where it is gone, "?" where the system has no such number."""
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
        except PermissionError:
            return "?"
        return "?"
    try:
        # The name is in parentheses and may have blanks and parentheses in it.
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else rest[18]


def is_dead(holder: str) -> bool:
    """Whether the holder was a process of this host that no longer exists. False where that cannot be known."""
    host, _, process = holder.partition(":")
    pid, _, start = process.partition(":")
    if host != _host() or not pid.isdigit():
        return False
    return _start_of(int(pid)) != start
