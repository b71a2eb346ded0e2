"""One sync of one provider: read, plan (guards, diff, merge), write and report, the last three in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import DatabaseError, IntegrityError, OperationalError, transaction
from django.utils import timezone

from catalog.editing.history import Author, audit
from providers.client.http import UpstreamError
from providers.connection import credentials
from providers.connection.sealing import CredentialError
from providers.lists import cache, items
from providers.models import Provider, ProviderModel, SyncRun
from providers.reading.reader import Reader
from providers.reading.records import ParsedListing, lost_aliases, twins
from providers.sync.lease import Lease, Superseded, acquire
from providers.sync.plan import Change, SyncPlan, plan_sync
from providers.sync.write import write

log = logging.getLogger(__name__)
State = SyncRun.State
# A deadlock's victim, or the loser of a race for a new entry's id, starts its transaction again.
ATTEMPTS = 3
MAX_PROBLEMS = 1000

Report = Callable[[str], None]


@dataclass(slots=True)
class Failure:
    """A listing that could not be read."""

    listing: str
    reason: str
    message: str


@dataclass(slots=True)
class Read:
    """A provider's listings as far as they could be read."""

    parsed_listings: list[ParsedListing] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    sent_credential: bool = False

    @property
    def unread(self) -> list[str]:
        return [failure.listing for failure in self.failures]

    def problems(self) -> list[dict[str, Any]]:
        failed = [{"listing": f.listing, "index": None, "id": "", "reason": f.message} for f in self.failures]
        of_records = [problem for parsed in self.parsed_listings for problem in parsed.problems()]
        return [*failed, *of_records, *twins(self.parsed_listings), *lost_aliases(self.parsed_listings)]


@dataclass(slots=True)
class Outcome:
    """A run as a caller reports it. `changes` is only there for a dry run; the run's own are its FieldChange rows."""

    provider: str
    state: str
    reason: str = ""
    message: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    problems: list[dict[str, Any]] = field(default_factory=list)
    held: Mapping[str, Any] = field(default_factory=dict)
    # The listings that could not be read; "" means all of them.
    unread: list[str] = field(default_factory=list)
    run_id: int | None = None
    changes: Sequence[Change] = ()
    # Of a dry run too: the new models, as upstream describes them.
    new_offers: Sequence[ProviderModel] = ()


def _silent(text: str) -> None:
    pass


def sync(
    provider: Provider,
    *,
    path: Path | None = None,
    allow_shrink: bool = False,
    trigger: str = "command",
    by: Any = None,
    by_name: str = "",
    report: Report = _silent,
    reader: Reader | None = None,
) -> Outcome:
    """Syncs one provider from its upstream, or from an answer saved at `path`, and returns the outcome.

    `by` is the user who asks, if a user does. Raises AlreadyRunning; every other failure is the outcome's.
    """
    who = Author.person(by, by_name)
    lease, run = acquire(provider, trigger=trigger, by=who.name)
    lease.start_renewal()
    try:
        read = _read(provider, reader, path, report)
        if not read.parsed_listings:
            return _fail(lease, run, provider, read)
        report(f"{provider.slug}: comparing")
        planned, outcome = _plan_and_write(lease, run, read, who, allow_shrink=allow_shrink)
        if path is None:
            _store_copies(provider, [parsed for parsed in read.parsed_listings if parsed.listing in planned.applied])
        return outcome
    except Superseded:
        return _end(lease, run, provider, State.SUPERSEDED, "lease_lost", "The lease was lost: nothing was written.")
    except (KeyboardInterrupt, SystemExit):
        _end(lease, run, provider, State.INTERRUPTED, "stopped", "The run was stopped: nothing was written.")
        raise
    except DatabaseError as error:
        # The database's words may quote values.
        log.error("sync of %s: %s", provider.slug, type(error).__name__)
        return _end(lease, run, provider, State.FAILED, "database", f"The database refused: {type(error).__name__}.")
    except Exception as error:
        log.exception("sync of %s", provider.slug)
        return _end(lease, run, provider, State.FAILED, "error", f"An error in Modeldex: {type(error).__name__}.")
    finally:
        lease.stop()


def preview(
    provider: Provider, *, path: Path | None = None, allow_shrink: bool = False, report: Report = _silent
) -> Outcome:
    """A dry run: what a sync would do now. Writes nothing, and takes no lease."""
    read = _read(provider, None, path, report)
    if not read.parsed_listings:
        return Outcome(provider.slug, State.FAILED, *_why(read), problems=read.problems(), unread=read.unread)
    author = Author.sync(0, provider.slug)
    planned = plan_sync(
        provider, read.parsed_listings, author, allow_shrink=allow_shrink, now=timezone.now(), lock=False
    )
    return Outcome(
        provider.slug,
        *_verdict(planned, read),
        counts=planned.counts,
        problems=read.problems(),
        held=planned.held,
        unread=read.unread,
        changes=planned.plan.history,
        new_offers=planned.plan.new_offers,
    )


def _read(provider: Provider, reader: Reader | None, path: Path | None, report: Report) -> Read:
    read = Read()
    try:
        reader = reader or Reader(provider)
    except UpstreamError as error:
        return Read(failures=[Failure("", error.reason, error.message)])
    for listing in reader.listings if path is None else [str(path)]:
        report(f"{reader.provider.slug}: reading {listing}")
        try:
            read.parsed_listings.append(reader.fetch(listing) if path is None else reader.from_file(path))
        except UpstreamError as error:
            read.failures.append(Failure(listing, error.reason, error.message))
            read.sent_credential |= reader.sent_credential
        except CredentialError as error:
            read.failures.append(Failure(listing, error.reason, str(error)))
        except OSError as error:
            read.failures.append(Failure(listing, "unreadable_file", f"{path}: {error.strerror}."))
    return read


def _plan_and_write(
    lease: Lease, run: SyncRun, read: Read, who: Author, *, allow_shrink: bool
) -> tuple[SyncPlan, Outcome]:
    """Plans from the rows as they are once locked, writes the plan and ends the run, in one transaction."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                provider, now = lease.lock(), timezone.now()
                author = Author.sync(run.pk, provider.slug)
                planned = plan_sync(provider, read.parsed_listings, author, allow_shrink=allow_shrink, now=now)
                write(planned.plan, provider)
                outcome = _finish(run, provider, planned, read, now)
                if allow_shrink and planned.counts["retired"]:
                    audit(who, provider, "allow_shrink", {"retired": [None, planned.counts["retired"]]})
                # Whoever slept in this transaction past the lease gives up, too.
                lease.check()
            return planned, outcome
        except (OperationalError, IntegrityError):
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _finish(run: SyncRun, provider: Provider, planned: SyncPlan, read: Read, now: Any) -> Outcome:
    """Ends the run and gives the lease back, in the transaction that writes."""
    run.state, run.reason, run.message = _verdict(planned, read)
    run.ended_at = run.heartbeat_at = now
    run.counts, run.sizes = planned.counts, planned.sizes
    run.problems = read.problems()[:MAX_PROBLEMS]
    run.held = planned.held
    run.confirmed = planned.confirmed and not read.failures
    run.save()
    provider.lease_token, provider.lease_until, provider.lease_holder = "", None, ""
    fields = ["lease_token", "lease_until", "lease_holder"]
    if planned.applied and not read.failures:
        provider.last_success_at = now
        fields.append("last_success_at")
    if provider.credential_refused_at and not read.failures:
        provider.credential_refused_at = None
        fields.append("credential_refused_at")
    provider.save(update_fields=fields)
    return Outcome(
        provider.slug, run.state, run.reason, run.message, run.counts, run.problems, run.held, read.unread, run.pk
    )


def _verdict(planned: SyncPlan, read: Read) -> tuple[str, str, str]:
    """State, reason and message of a run that read at least one listing."""
    if planned.holds:
        messages = [hold.message for hold in planned.holds] + ([_why(read)[1]] if read.failures else [])
        return State.HELD, planned.holds[0].reason, " ".join(messages)
    if read.failures:
        return State.PARTIAL, *_why(read)
    if bad := planned.counts["bad"]:
        message = f"Bad records: {bad}. What they describe stays as it was."
        if spared := planned.counts["kept"]:
            message += f" Gone, but kept since a record without a readable id may be one of them: {spared}."
        return State.PARTIAL, "bad_records", message
    return State.OK, "", ""


def _why(read: Read) -> tuple[str, str]:
    return read.failures[0].reason, " ".join(dict.fromkeys(failure.message for failure in read.failures))


def _fail(lease: Lease, run: SyncRun, provider: Provider, read: Read) -> Outcome:
    if read.sent_credential and any(failure.reason == "unauthorized" for failure in read.failures):
        credentials.refused(provider)
    outcome = _end(lease, run, provider, State.FAILED, *_why(read), problems=read.problems())
    outcome.unread = read.unread
    return outcome


def _end(
    lease: Lease, run: SyncRun, provider: Provider, state: str, reason: str, message: str, problems: Any = ()
) -> Outcome:
    """Ends a run that wrote nothing."""
    outcome = Outcome(provider.slug, state, reason, message, problems=list(problems), run_id=run.pk)
    try:
        with transaction.atomic():
            SyncRun.objects.filter(pk=run.pk, state__in=(State.RUNNING, State.INTERRUPTED)).update(
                state=state,
                reason=reason,
                message=message,
                problems=outcome.problems[:MAX_PROBLEMS],
                ended_at=timezone.now(),
            )
            lease.release()
    except DatabaseError:
        # The next sync finds the run open and its holder gone.
        log.error("sync of %s: the end of run %s could not be written", provider.slug, run.pk)
    return outcome


def _store_copies(provider: Provider, parsed_listings: list[ParsedListing]) -> None:
    """The provider lists of the API answer from what a sync has just read."""
    shown = {(entry.provider, entry.listing) for entry in items.LISTS.values()}
    for parsed in parsed_listings:
        if parsed.records and (provider.slug, parsed.listing) in shown:
            try:
                cache.store(provider, parsed.listing, items.items_of(parsed))
            except DatabaseError:
                log.warning("sync of %s: the copy for the provider lists was not stored", provider.slug)
