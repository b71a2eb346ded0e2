"""providers/lists/cache.py: one caller renews a copy, and nobody waits for an upstream that does not answer."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from providers.lists import cache
from providers.models import ProviderCopy

pytestmark = pytest.mark.django_db(transaction=True)
ITEMS = [
    {
        "id": "acme/large", "model_id": "acme/large", "name": "Large", "provider": "Acme", "context": None,
        "dimensions": None, "pricing": {},
    }
]  # fmt: skip


class Source:
    """What stands in for reading upstream: counts its calls, and answers when it is let go."""

    def __init__(self, items=ITEMS, error=None):
        self.items, self.error, self.calls = items, error, 0
        self.go = threading.Event()
        self.go.set()

    def __call__(self):
        self.calls += 1
        self.go.wait(10)
        if self.error:
            raise self.error
        return self.items


@pytest.fixture
def provider(make_provider):
    return make_provider("openrouter")


@pytest.fixture
def age(provider):
    """`age(seconds=400)`: the copy as if it had been fetched so long ago."""

    def make(**past):
        return ProviderCopy.objects.update(fetched_at=timezone.now() - timedelta(**past))

    return make


def at_hand(provider, listing, fetch):
    copy = cache.read(provider.slug, listing) or ProviderCopy(provider=provider, listing=listing)
    return cache.at_hand(copy, fetch)


def settled(check, seconds=3):
    """Waits for a renewal in the background, and says whether `check` holds."""
    until = time.monotonic() + seconds
    while not check() and time.monotonic() < until:
        time.sleep(0.02)
    return check()


def test_the_first_caller_gets_what_upstream_lists(provider):
    copy = at_hand(provider, "language", Source())
    assert cache.items_of(copy) == ITEMS


def test_a_fresh_copy_is_answered_without_asking_upstream(provider):
    cache.store(provider, "language", ITEMS)
    source = Source()
    copy = at_hand(provider, "language", source)
    assert (cache.items_of(copy), source.calls) == (ITEMS, 0)


def test_the_caller_who_finds_an_old_copy_gets_the_new_one_where_upstream_is_quick(provider, age):
    cache.store(provider, "language", [])
    age(seconds=400)
    assert cache.items_of(at_hand(provider, "language", Source())) == ITEMS


@pytest.mark.alone
def test_an_old_copy_is_answered_at_once_while_upstream_hangs(provider, age):
    cache.store(provider, "language", ITEMS)
    age(seconds=400)
    source = Source([])
    source.go.clear()
    began = time.monotonic()
    copy = at_hand(provider, "language", source)
    assert cache.items_of(copy) == ITEMS
    assert time.monotonic() - began < 1
    source.go.set()
    assert settled(lambda: ProviderCopy.objects.get().items == [])


@pytest.mark.alone
def test_with_nothing_stored_a_caller_is_answered_within_three_seconds(provider, monkeypatch):
    monkeypatch.setattr(cache, "LONGEST_WAIT", 0.5)
    source = Source()
    source.go.clear()
    began = time.monotonic()
    copy = at_hand(provider, "language", source)
    assert (copy.fetched_at, cache.LONGEST_WAIT < 3) == (None, True)
    assert time.monotonic() - began < 1.5
    source.go.set()
    assert settled(lambda: ProviderCopy.objects.get().items == ITEMS)


@pytest.mark.alone
@pytest.mark.parametrize("stored", [True, False])
def test_of_sixteen_callers_one_asks_upstream(provider, age, stored):
    if stored:
        cache.store(provider, "language", ITEMS)
        age(seconds=400)
    source = Source()
    source.go.clear()
    gate = threading.Barrier(16)

    def call(_):
        gate.wait(10)
        began = time.monotonic()
        try:
            at_hand(provider, "language", source)
        finally:
            connections.close_all()
        return time.monotonic() - began

    with ThreadPoolExecutor(16) as pool:
        waits = pool.map(call, range(16))
        settled(lambda: source.calls, 2)
        threading.Timer(1, source.go.set).start()
        waits = sorted(waits)
    assert source.calls == 1
    # All but the one who renews are answered long before upstream is.
    assert waits[14] < 0.9


def test_after_a_failure_upstream_is_left_alone_for_a_while(provider):
    source = Source(error=cache.Unreadable("The connection was refused."))
    for _ in range(3):
        copy = at_hand(provider, "language", source)
    assert (copy.error, copy.failed_at is not None, source.calls) == ("The connection was refused.", True, 1)


def test_upstream_is_asked_again_when_the_pause_is_over(provider):
    at_hand(provider, "language", Source(error=cache.Unreadable("Down.")))
    ProviderCopy.objects.update(renewing_until=timezone.now())
    copy = at_hand(provider, "language", Source())
    assert (cache.items_of(copy), copy.error, copy.failed_at) == (ITEMS, "", None)


def test_an_answer_that_is_not_understood_is_a_failure_without_a_stack(provider, caplog):
    copy = at_hand(provider, "language", Source(error=KeyError("data")))
    assert copy.error == "The upstream's answer was not understood."
    assert "KeyError" in caplog.text


def test_a_claim_that_nobody_finished_ends_by_itself(provider):
    ProviderCopy.objects.create(provider=provider, listing="language", renewing_until=timezone.now())
    assert cache.items_of(at_hand(provider, "language", Source())) == ITEMS


def test_a_renewal_that_a_sync_has_overtaken_writes_nothing(provider):
    source = Source([{"id": "acme/old"}])
    source.go.clear()
    waiting = threading.Thread(target=at_hand, args=(provider, "language", source))
    waiting.start()
    assert settled(lambda: source.calls)
    cache.store(provider, "language", ITEMS)
    source.go.set()
    waiting.join(5)
    assert ProviderCopy.objects.get().items == ITEMS


def test_listings_of_a_provider_have_copies_of_their_own(provider):
    cache.store(provider, "language", ITEMS)
    assert cache.items_of(at_hand(provider, "embeddings", Source([]))) == []
    assert ProviderCopy.objects.count() == 2
