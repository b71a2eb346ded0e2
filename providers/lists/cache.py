"""The stored copies of what upstreams list, so that no request waits for an upstream that does not answer.

A copy that has grown old is renewed by one caller across all processes: the one whose compare-and-set on
`renewing_until` succeeds. It renews in a thread of its own; the request waits only as long as `at_hand` lets it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connections
from django.db.models import Q
from django.utils import timezone

from providers.models import Provider, ProviderCopy

logger = logging.getLogger("modeldex.copies")

Items = list[dict[str, Any]]
_ITEM_KEYS = frozenset(("id", "model_id", "name", "provider", "context", "dimensions", "pricing"))

# What a caller waits at most where nothing is stored, in seconds; a little less than the promised 3.
LONGEST_WAIT = 2.6
# What a call to an upstream may take in all, so that its failure is known before the caller stops waiting.
FETCH_DEADLINE = 2.4
# What the caller who renews waits where a copy is at hand: a healthy upstream has often answered by then.
SHORT_WAIT = 0.25
# How long nobody else renews. Longer than the deadline by far, should looking up a host's name block the thread.
CLAIM = timedelta(seconds=15)
# How long after a failure nobody asks again.
LONGEST_PAUSE = timedelta(seconds=30)
# A copy counts as recent, where upstream fails, for as many times its ordinary age: an hour, as OpenRouter's own
# `stale-if-error` allows.
RECENT = 12


class Unreadable(Exception):
    """Upstream could not be read. The message is shown to callers: it names no secret and no stack."""


def read(slug: str, listing: str) -> ProviderCopy | None:
    """The copy and its provider, its items not loaded."""
    rows = ProviderCopy.objects.filter(provider__slug=slug, listing=listing).select_related("provider")
    return rows.defer("items").first()


def at_hand(copy: ProviderCopy, fetch: Callable[[], Items]) -> ProviderCopy:
    """The copy to answer from: the given one, renewed where it is old and nobody else is at it.

    `copy` is what `read` gave, or a new row where nothing is stored. `fetch` reads upstream within FETCH_DEADLINE and
    raises Unreadable.
    """
    if is_fresh(copy):
        return copy
    try:
        claimed = _claim(copy)
    except DatabaseError:
        # A database that takes no writes still answers from what it has.
        logger.warning("No copy of %s %s can be stored", copy.provider.slug, copy.listing)
        return copy
    if claimed is not None:
        waits = SHORT_WAIT if claimed.failed_at or is_recent(claimed) else LONGEST_WAIT
        _renew(claimed, fetch).wait(waits)
        return _again(claimed)
    copy = _again(copy)
    while _is_tried_first(copy):
        time.sleep(0.02)
        copy = _again(copy)
    return copy


def items_of(copy: ProviderCopy) -> Items:
    """The copy's items, less what is none of ours and so was not stored by us."""
    return [item for item in copy.items if _is_item(item)] if copy.pk else []


def _is_item(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and item.keys() >= _ITEM_KEYS
        and all(isinstance(item[key], str) for key in ("id", "model_id", "name"))
        and isinstance(item["pricing"], dict)
    )


def store(provider: Provider, listing: str, items: Items) -> None:
    """Stores what a sync has just read from upstream. A renewal that is under way meanwhile is not written."""
    ProviderCopy.objects.update_or_create(
        provider=provider,
        listing=listing,
        defaults=_success(items, timezone.now()),
    )


def is_fresh(copy: ProviderCopy) -> bool:
    return _is_younger(copy, settings.PROVIDER_CACHE_SECONDS)


def is_recent(copy: ProviderCopy) -> bool:
    """Whether the copy may be served for an upstream that fails."""
    return _is_younger(copy, RECENT * settings.PROVIDER_CACHE_SECONDS)


def _is_younger(copy: ProviderCopy, seconds: int) -> bool:
    return copy.fetched_at is not None and timezone.now() - copy.fetched_at < timedelta(seconds=seconds)


def _is_tried_first(copy: ProviderCopy) -> bool:
    """Whether somebody is reading it who has begun within SHORT_WAIT, and nobody ever has before."""
    if copy.fetched_at is not None or copy.failed_at is not None or copy.renewing_until is None:
        return False
    return CLAIM - (copy.renewing_until - timezone.now()) < timedelta(seconds=SHORT_WAIT)


def _again(copy: ProviderCopy) -> ProviderCopy:
    return read(copy.provider.slug, copy.listing) or copy


def _claim(copy: ProviderCopy) -> ProviderCopy | None:
    """The copy with this caller as the one who renews it, or None where another one is or nobody should now."""
    if copy._state.adding:
        copy = ProviderCopy.objects.get_or_create(provider=copy.provider, listing=copy.listing)[0]
    now = timezone.now()
    if copy.renewing_until is not None and copy.renewing_until > now:
        return None
    until = now + CLAIM
    # Compared with what was read, so that a copy which another caller has renewed meanwhile is left alone.
    free = ProviderCopy.objects.filter(
        Q(renewing_until=None) | Q(renewing_until__lte=now), pk=copy.pk, fetched_at=copy.fetched_at
    )
    if not free.update(renewing_until=until):
        return None
    copy.renewing_until = until
    return copy


def _renew(claimed: ProviderCopy, fetch: Callable[[], Items]) -> threading.Event:
    done = threading.Event()

    def run() -> None:
        try:
            outcome = _outcome(claimed, fetch)
            # Only by the holder of the claim: one that wakes late, or that a sync has overtaken, writes nothing.
            ProviderCopy.objects.filter(pk=claimed.pk, renewing_until=claimed.renewing_until).update(**outcome)
        except DatabaseError:
            logger.warning("A copy of %s could not be stored", claimed.listing, exc_info=True)
        finally:
            # The thread has a connection of its own.
            connections.close_all()
            done.set()

    threading.Thread(target=run, daemon=True, name=f"renew {claimed.listing}").start()
    return done


def _outcome(claimed: ProviderCopy, fetch: Callable[[], Items]) -> dict[str, Any]:
    started = timezone.now()
    try:
        items = fetch()
    except Unreadable as error:
        return _failure(str(error))
    except Exception:
        logger.exception("The answer for %s was not understood", claimed.listing)
        return _failure("The upstream's answer was not understood.")
    return _success(items, started)


def _success(items: Items, at: datetime) -> dict[str, Any]:
    return {"items": items, "fetched_at": at, "failed_at": None, "renewing_until": None, "error": ""}


def _failure(message: str) -> dict[str, Any]:
    now = timezone.now()
    pause = min(LONGEST_PAUSE, timedelta(seconds=settings.PROVIDER_CACHE_SECONDS))
    return {"failed_at": now, "renewing_until": now + pause, "error": message[:255]}
