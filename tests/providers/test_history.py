"""providers/offers/history.py: prices and availability over time."""

from datetime import timedelta

import pytest
from django.utils import timezone

from catalog.models import FieldChange
from providers.models import ProviderModel
from providers.offers.history import availability, price_history

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def ago(days):
    return NOW - timedelta(days=days)


@pytest.fixture
def model(make_model):
    return make_model("acme/large")


@pytest.fixture
def offer(model, make_provider):
    def make(slug="openrouter", pricing=None, **fields):
        fields = {"listing": "language", "first_listed_at": ago(30), "upstream_id": "acme/large", **fields}
        return ProviderModel.objects.create(provider=make_provider(slug), model=model, pricing=pricing or {}, **fields)

    return make


@pytest.fixture
def changed(model):
    """`changed("pricing", old, new, days=3)`: a row of history from so long ago."""

    def make(field, old, new, days, offered_by="openrouter"):
        FieldChange.objects.create(
            model=model, subject=model.model_id, offered_by=offered_by, field=field, old=old, new=new,
            changed_at=ago(days), source="sync",
        )  # fmt: skip

    return make


def tariff(base, peak="0.000002", off="0.000001"):
    windows = [{"utc_start": 0, "utc_end": 1200, "prompt": peak}, {"utc_start": 1200, "utc_end": 0, "prompt": off}]
    return {"prompt": base, "completion": "0.00001", "overrides": windows}


def test_the_price_history_begins_when_the_offer_did(model, offer, changed):
    offer(pricing={"prompt": "0.000003"})
    changed("pricing", {"prompt": "0.000001"}, {"prompt": "0.000002"}, 20)
    changed("pricing", {"prompt": "0.000002"}, {"prompt": "0.000003"}, 10)
    found = price_history(model)
    assert [(price.since, price.pricing["prompt"]) for price in found] == [
        (ago(30), "0.000001"),
        (ago(20), "0.000002"),
        (ago(10), "0.000003"),
    ]


def test_a_price_that_never_changed_is_a_history_of_one(model, offer):
    offer(pricing={"prompt": "0.000001"})
    assert [price.pricing for price in price_history(model)] == [{"prompt": "0.000001"}]


def test_a_price_that_became_known_begins_then(model, offer, changed):
    offer(pricing={"prompt": "0.000001"})
    changed("pricing", {}, {"prompt": "0.000001"}, 5)
    assert [(price.since, price.pricing) for price in price_history(model)] == [(ago(5), {"prompt": "0.000001"})]


def test_an_hourly_tariff_does_not_flap(model, offer, changed):
    offer(pricing=tariff("0.000002"))
    for hour in range(6):
        prices = ["0.000001", "0.000002"] if hour % 2 else ["0.000002", "0.000001"]
        changed("pricing", tariff(prices[0]), tariff(prices[1]), 10 - hour)
    changed("pricing", tariff("0.000002"), tariff("0.000002", peak="0.000004"), 1)
    assert [price.since for price in price_history(model)] == [ago(30), ago(1)]


def test_each_provider_has_a_history_of_its_own(model, offer):
    offer(pricing={"prompt": "0.000001"})
    offer("openai", {"prompt": "0.000002"}, listing="models", upstream_id="large")
    assert [(price.provider, price.pricing["prompt"]) for price in price_history(model)] == [
        ("openai", "0.000002"),
        ("openrouter", "0.000001"),
    ]


def test_availability_is_told_in_spans(model, offer, changed):
    offer()
    changed("is_listed", None, True, 30)
    changed("is_listed", True, False, 20)
    changed("is_listed", False, True, 10)
    assert [(span.since, span.until) for span in availability(model)] == [(ago(30), ago(20)), (ago(10), None)]


def test_a_model_that_was_dropped_has_no_open_span(model, offer, changed):
    offer(is_listed=False)
    changed("is_listed", True, False, 20)
    assert [(span.since, span.until) for span in availability(model)] == [(ago(30), ago(20))]


def test_history_takes_few_queries(model, offer, changed, django_assert_num_queries):
    offer(pricing={"prompt": "0.000001"})
    for day in range(20):
        changed("pricing", {"prompt": str(day)}, {"prompt": str(day + 1)}, 20 - day)
    with django_assert_num_queries(2):
        assert len(price_history(model)) == 21
    with django_assert_num_queries(2):
        assert len(availability(model)) == 1
