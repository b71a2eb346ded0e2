"""What a price says (catalog/pricing.py)."""

import pytest

from catalog.pricing import is_free, prompt_per_million


@pytest.mark.parametrize(
    ("pricing", "free"),
    [
        ({"prompt": "0", "completion": "0"}, True),
        ({"prompt": "0.0", "completion": "0"}, True),
        ({"prompt": "0"}, False),
        ({}, False),
        ({"prompt": "0", "completion": "0.000001"}, False),
        ({"prompt": "0", "completion": "0", "image": "0", "request": "0"}, True),
        ({"prompt": "0", "completion": "0", "overrides": [{"utc_start": 100, "prompt": "0.1"}]}, True),
        ({"prompt": "0", "completion": "0", "image": "0.04"}, False),
        ({"prompt": "0", "completion": "0", "request": "0.01"}, False),
        ({"prompt": "0", "completion": "0", "hour": "2.5"}, False),
    ],
    ids=str,
)
def test_only_a_known_price_of_nothing_is_free(pricing, free):
    assert is_free(pricing) is free


@pytest.mark.parametrize(
    ("pricing", "amount"),
    [
        ({"prompt": "0.00000015"}, 0.15),
        ({"prompt": "0", "completion": "0"}, 0.0),
        ({"prompt": "0", "image": "0.04"}, None),
        ({"prompt": "0.000001", "image": "0.04"}, 1.0),
        ({"image": "0.04"}, None),
        ({"prompt": "no price"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_the_price_that_filters_compare_is_unknown_where_tokens_are_not_what_is_paid_for(pricing, amount):
    assert prompt_per_million(pricing) == amount


def test_a_picker_is_not_told_that_a_model_paid_by_the_request_is_free(api, make_model):
    make_model("acme/by-request", pricing={"prompt": "0", "completion": "0", "request": "0.01"})
    make_model("acme/free", pricing={"prompt": "0", "completion": "0"})
    rows = {row["slug"]: row.get("pricing") for row in api.get("/api/models?format=cli").json()}
    assert rows["acme/by-request"] is None
    assert rows["acme/free"] == {"inputPerMillion": 0.0, "outputPerMillion": 0.0, "currency": "USD"}


def test_staff_read_no_zero_where_tokens_are_not_what_is_paid_for(client, ops, make_model):
    make_model("acme/by-request", pricing={"prompt": "0", "completion": "0", "request": "0.01"})
    make_model("acme/free", pricing={"prompt": "0", "completion": "0"})
    client.force_login(ops)
    page = client.get("/admin/catalog/aimodel/").content.decode()
    assert page.count("$0 / $0") == 1
