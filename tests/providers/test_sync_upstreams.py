"""providers/sync/run.py: upstreams that are down, slow or hostile; the last good catalog stays as it is."""

import time

import pytest

from catalog.models import AIModel
from providers.client.http import Limits
from providers.connection import credentials
from providers.models import ProviderCopy, ProviderModel, SyncRun
from providers.reports.freshness import sources
from tests.feeds import available, feed, fingerprint, record
from tests.upstreams import (
    answer,
    drip,
    endless,
    gzip_bomb,
    hang,
    html,
    redirect,
    reset,
    truncated,
    unfinished_chunks,
)

LANGUAGE, EMBEDDINGS = "/api/v1/models", "/api/v1/embeddings/models"
EMBEDDING = record("acme/embed", produces="embeddings")


@pytest.fixture
def synced_upstream(upstream, read_live):
    """A catalog of ten language models and one embedding model, read from the scripted upstream."""
    upstream.serve(LANGUAGE, feed(10))
    upstream.serve(EMBEDDINGS, feed([EMBEDDING]))
    assert read_live(limits=Limits(read=5, total=10)).state == "ok"
    upstream.requests.clear()
    return upstream


@pytest.mark.parametrize(
    ("scenario", "reason", "tries"),
    [
        (answer(200, b""), "empty", 1),
        (answer(200, b"null"), "wrong_shape", 1),
        (answer(200, {"data": []}), "empty", 1),
        (html(), "malformed", 1),
        (truncated(feed(10), 500), "connect", 2),
        (unfinished_chunks(feed(10)), "connect", 2),
        (reset(b"HTTP/1.1 200 OK\r\n\r\n{"), "connect", 2),
        (drip(0.05), "timeout", 1),
        (hang(), "timeout", 1),
        (gzip_bomb(1_000_000_000), "too_large", 1),
        (endless(), "too_large", 1),
        (redirect("http://169.254.169.254/latest/"), "redirect", 1),
        (redirect(None, 301), "redirect", 1),
        (answer(401, {"error": {"message": "bad key sk-SECRET"}}), "unauthorized", 1),
        (answer(403), "unauthorized", 1),
        (answer(404), "http_status", 1),
        (answer(503), "http_status", 2),
        (answer(200, {"error": {"code": 500}}), "wrong_shape", 1),
        (answer(200, b"[" * 100_000), "malformed", 1),
        (answer(200, b'{"data": [NaN]}'), "malformed", 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_upstream_harms_the_catalog(synced_upstream, read_live, scenario, reason, tries):
    before = fingerprint()
    synced_upstream.on(LANGUAGE, scenario)
    synced_upstream.on(EMBEDDINGS, scenario)
    began = time.monotonic()
    outcome = read_live()
    assert (outcome.state, outcome.reason) == ("failed", reason)
    assert time.monotonic() - began < 8
    assert len(synced_upstream.requests) == 2 * tries
    run = SyncRun.objects.get(pk=outcome.run_id)
    assert (run.state, run.reason) == ("failed", reason)
    assert "SECRET" not in run.message + str(run.problems)
    assert fingerprint() == before


def test_a_wait_that_upstream_asks_for_is_kept(synced_upstream, read_live):
    synced_upstream.on(LANGUAGE, answer(429, headers={"Retry-After": "1"}), answer(200, feed(11)))
    assert read_live(limits=Limits(read=2, total=10, attempts=2, backoff=0.01)).state == "ok"
    first, second = (request for request in synced_upstream.requests if request.path == LANGUAGE)
    assert second.at - first.at >= 1
    assert "acme/m0010" in available()


def test_a_wait_beyond_the_deadline_is_not_waited_for(synced_upstream, read_live):
    synced_upstream.on(LANGUAGE, answer(429, headers={"Retry-After": "3600"}))
    began = time.monotonic()
    assert read_live().state == "partial"
    assert time.monotonic() - began < 5


def test_a_listing_that_fails_retires_nothing_and_harms_no_other(synced_upstream, read_live):
    synced_upstream.on(EMBEDDINGS, answer(500))
    synced_upstream.serve(LANGUAGE, feed(9))
    outcome = read_live()
    assert (outcome.state, outcome.reason, outcome.counts["retired"]) == ("partial", "http_status", 1)
    assert AIModel.objects.get(model_id="acme/embed").is_available
    assert len(available()) == 9
    assert [source.words for source in sources()] == ["partly failed; what was read before still stands"]


@pytest.mark.parametrize(
    ("served_then", "state", "available_then"),
    [
        (feed([*feed(4)["data"], *[{"id": None}] * 6]), "held", 10),  # half bad
        (feed([*feed(9)["data"], 7]), "partial", 10),  # one bad
        (feed(10, prompt="0", completion="0"), "held", 10),
        (feed(3), "held", 10),  # 70 % smaller
    ],
    ids=["half bad", "one bad", "prices zero", "smaller"],
)
def test_a_suspicious_upstream_is_held_and_the_catalog_stands(
    synced_upstream, read_live, served_then, state, available_then
):
    synced_upstream.serve(LANGUAGE, served_then)
    outcome = read_live(limits=Limits(read=5, total=10))
    assert (outcome.state, len(available())) == (state, available_then)
    assert AIModel.objects.get(model_id="acme/m0000").pricing["prompt"] == "0.000001"


def test_a_credential_that_upstream_refuses_is_marked_once_and_cleared_when_it_works(
    synced_upstream, read_live, openrouter
):
    credentials.store(openrouter, "sk-or-v1-secret-3456")
    openrouter.save()
    synced_upstream.on(LANGUAGE, answer(401))
    synced_upstream.on(EMBEDDINGS, answer(401))
    assert read_live().reason == "unauthorized"
    openrouter.refresh_from_db()
    assert openrouter.credential_refused_at is not None
    assert len(available()) == 10
    synced_upstream.serve(LANGUAGE, feed(10))
    synced_upstream.serve(EMBEDDINGS, feed([EMBEDDING]))
    assert read_live(limits=Limits(read=5, total=10)).state == "ok"
    openrouter.refresh_from_db()
    assert openrouter.credential_refused_at is None
    assert synced_upstream.requests[-1].headers["authorization"] == "Bearer sk-or-v1-secret-3456"


def test_a_sync_stores_the_copies_that_the_provider_lists_answer_from(synced_upstream):
    copy = ProviderCopy.objects.get(listing="language")
    assert len(copy.items) == 10
    assert ProviderModel.objects.filter(listing="embeddings").count() == 1
