"""providers/sync/diff.py: the days that were recorded of OpenRouter, synced in turn."""

import json
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import AIModel, CatalogVersion, FieldChange
from providers import defaults
from providers.models import ProviderModel
from tests.feeds import DAYS, OPENROUTER, available, day, feed, fingerprint, record


def ids(date: str) -> set[str]:
    return {item["id"] for item in json.loads(day(date).read_text())["data"]}


def test_the_days_end_with_exactly_the_models_of_the_last_and_a_second_run_changes_nothing(sync_feed):
    defaults.load_curated()
    keys: dict[str, int] = {}
    for date in DAYS:
        assert sync_feed(day(date)).state == "ok"
        assert available() == ids(date)
        now = dict(AIModel.objects.values_list("model_id", "pk"))
        assert keys.items() <= now.items(), "a model was deleted, or came back as another row"
        keys = now
        before, version = fingerprint(), CatalogVersion.objects.current()
        again = sync_feed(day(date))
        assert (again.state, again.counts["unchanged"]) == ("ok", len(ids(date)))
        assert (fingerprint(), CatalogVersion.objects.current()) == (before, version)
    assert len(available()) == 421
    assert {m.model_id for m in AIModel.objects.filter(is_available=False)} >= ids(DAYS[0]) - ids(DAYS[-1])


def test_models_that_vanished_for_a_week_come_back_with_their_history(sync_feed):
    for date in DAYS[:3]:
        sync_feed(day(date))
    returned = (ids(DAYS[0]) & ids(DAYS[2])) - ids(DAYS[1])
    assert len(returned) == 28
    offer = ProviderModel.objects.get(upstream_id=min(returned))
    assert (offer.is_listed, offer.unlisted_at) == (True, None)
    changes = FieldChange.objects.filter(subject=offer.upstream_id, field="is_listed").order_by("id")
    assert [(c.old, c.new) for c in changes] == [(None, True), (True, False), (False, True)]


def test_prices_are_upstreams_to_the_last_digit(sync_feed):
    sync_feed(day(DAYS[-1]))
    checked = 0
    stored = dict(AIModel.objects.values_list("model_id", "pricing"))
    for item in json.loads(day(DAYS[-1]).read_text())["data"]:
        for name in ("prompt", "completion", "input_cache_read", "image", "web_search"):
            said = item["pricing"].get(name)
            if said is None or "overrides" in item["pricing"]:
                continue
            if Decimal(said) < 0:
                assert name not in stored[item["id"]]
            else:
                assert Decimal(stored[item["id"]][name]) == Decimal(said)
                assert "e" not in stored[item["id"]][name].lower()
            checked += 1
    assert checked > 900


def test_a_price_of_23_decimals_survives_the_database(sync_feed):
    sync_feed(feed([record("acme/m", prompt="0.00000008333333333333334")]))
    model = AIModel.objects.get(model_id="acme/m")
    assert model.pricing["prompt"] == "0.00000008333333333333334"
    assert model.prompt_price == pytest.approx(0.08333333333333334)
    assert ProviderModel.objects.get(upstream_id="acme/m").pricing["prompt"] == "0.00000008333333333333334"


def test_embedding_models_are_a_listing_of_their_own(sync_feed):
    sync_feed(day(DAYS[-1]))
    outcome = sync_feed(OPENROUTER / "embeddings_models_2025-12-14.json")
    assert (outcome.state, outcome.counts["added"], outcome.counts["retired"]) == ("ok", 21, 0)
    assert len(available()) == 421
    # The same prices as numbers instead of text are the same prices.
    before = dict(AIModel.objects.filter(supports_embeddings=True).values_list("model_id", "pricing__prompt"))
    assert sync_feed(OPENROUTER / "embeddings_models_2026-03-14.json").counts["added"] == 1
    after = dict(AIModel.objects.filter(supports_embeddings=True).values_list("model_id", "pricing__prompt"))
    assert {model_id: after[model_id] for model_id in before} == before


def test_the_number_of_queries_does_not_grow_with_unchanged_rows(sync_feed):
    counted = []
    for size in (20, 400):
        sync_feed(feed(size))
        with CaptureQueriesContext(connection) as queries:
            assert sync_feed(feed(size)).counts["unchanged"] == size
        counted.append(len(queries))
    assert counted[0] == counted[1] < 40


def test_an_hourly_tariff_does_not_flap(sync_feed):
    def at(price):
        windows = [
            {"utc_start": 1000, "utc_end": 100, "prompt": "0.0000002"},
            {"utc_start": 100, "utc_end": 1000, "prompt": "0.0000004"},
        ]
        priced = {"prompt": price, "completion": "0.000001", "overrides": windows}
        return feed([record("acme/hourly", pricing=priced)])

    sync_feed(at("0.0000004"))
    before = fingerprint()
    assert sync_feed(at("0.0000002")).counts["unchanged"] == 1
    assert fingerprint() == before
