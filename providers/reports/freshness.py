"""How fresh each source is, in words that anybody may read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Subquery
from django.utils import timezone
from django.utils.timesince import timesince

from providers.models import Provider, SyncRun

STANDS = "; what was read before still stands"

# state -> what it means to a reader, and its tone. A run's own reason may name hosts, so it stays in the admin.
WORDS: dict[str | None, tuple[str, str]] = {
    None: ("not synced yet", ""),
    SyncRun.State.RUNNING: ("syncing now", ""),
    SyncRun.State.OK: ("complete", "good"),
    SyncRun.State.PARTIAL: ("complete, but for some unreadable records", "warn"),
    SyncRun.State.HELD: ("unusual changes wait for a member of staff", "warn"),
    SyncRun.State.FAILED: (f"failed{STANDS}", "bad"),
    SyncRun.State.INTERRUPTED: (f"interrupted{STANDS}", "bad"),
    SyncRun.State.SUPERSEDED: ("overtaken by a newer run", ""),
}
# What the decision on a held run makes of it.
DECIDED: dict[str | None, tuple[str, str]] = {
    SyncRun.Decision.ACCEPTED: ("complete; a member of staff accepted unusual changes", "good"),
    SyncRun.Decision.REJECTED: (f"a member of staff rejected unusual changes{STANDS}", ""),
}
# A partial run for any other reason than bad records is one that could not read a listing.
PARTLY_FAILED = (f"partly failed{STANDS}", "bad")

STALE_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Source:
    """A provider that is synced: when it was last read whole, and what came of its last run."""

    slug: str
    name: str
    last_success_at: datetime | None
    run_at: datetime | None
    state: str | None
    words: str
    tone: str
    # For staff alone: the reason may name hosts.
    pk: int
    run_pk: int | None
    message: str
    credential_refused_at: datetime | None

    @property
    def is_stale(self) -> bool:
        """Whether it was not read whole for a day."""
        return self.last_success_at is None or timezone.now() - self.last_success_at > STALE_AFTER

    @property
    def age(self) -> str:
        """How long ago it was last read whole, such as `3 hours ago`."""
        if self.last_success_at is None:
            return "never yet"
        if timezone.now() - self.last_success_at < timedelta(minutes=1):
            return "just now"
        return f"{timesince(self.last_success_at, depth=1)} ago"


def sources(groups: Iterable[int] | None = None) -> list[Source]:
    """Every active provider. One statement.

    With the groups of a reader, none whose new models are for other groups alone: its name is not for everybody.
    """
    last = SyncRun.objects.filter(provider=OuterRef("pk")).order_by("-id")
    providers = Provider.objects.filter(is_active=True)
    if groups is not None:
        given = Provider.new_models_groups.through.objects.filter(provider=OuterRef("pk"))
        providers = providers.filter(~Exists(given) | Exists(given.filter(group__in=list(groups))))
    names = ("pk", "message", "state", "decision", "reason", "started_at", "ended_at")
    rows: Any = providers.annotate(**{f"run_{name}": Subquery(last.values(name)[:1]) for name in names})
    return [
        Source(
            provider.slug,
            provider.name,
            provider.last_success_at,
            provider.run_ended_at or provider.run_started_at,
            provider.run_state,
            *_words(provider),
            provider.pk,
            provider.run_pk,
            provider.run_message or "",
            provider.credential_refused_at,
        )
        for provider in rows
    ]


def _words(provider: Any) -> tuple[str, str]:
    state = provider.run_state
    partly = state == SyncRun.State.PARTIAL and provider.run_reason != "bad_records"
    words, tone = DECIDED.get(provider.run_decision) or (PARTLY_FAILED if partly else WORDS[state])
    # Where nothing was read before, nothing stands.
    return (words if provider.last_success_at or partly else words.removesuffix(STANDS)), tone
