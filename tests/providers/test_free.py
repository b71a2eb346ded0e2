"""catalog/pricing.py: a price is "free" only where upstream names it so, on every list."""

import pytest

from catalog.models import AIModel
from tests.feeds import record

FREE = {"prompt": "0", "completion": "0"}


@pytest.fixture
def synced(sync_feed):
    by_request = record("acme/by-request")
    by_request["pricing"] = {**FREE, "request": "0.01"}
    sync_feed({"data": [record("acme/free", **FREE), by_request, record("acme/paid")]})


@pytest.mark.usefixtures("synced")
def test_only_what_is_said_to_be_free_is_within_a_price_of_zero(api, alice):
    found = api.as_(alice).get("/api/models/list?max_prompt_price=0").json()["items"]
    assert [item["id"] for item in found] == ["acme/free"]


@pytest.mark.usefixtures("synced")
def test_an_unknown_price_is_sorted_last_both_ways(api, alice):
    for direction in ("asc", "desc"):
        found = api.as_(alice).get(f"/api/models/list?order_by=price&direction={direction}").json()["items"]
        assert found[-1]["id"] == "acme/by-request"


@pytest.mark.usefixtures("synced")
def test_what_upstream_says_is_kept_and_shown_as_it_is(api):
    items = {item["id"]: item for item in api.get("/api/models").json()["models"]}
    assert items["acme/by-request"]["pricing"] == {**FREE, "request": "0.01"}


@pytest.mark.django_db(transaction=True)
def test_the_list_of_openrouter_leaves_out_zeros_that_say_nothing(api, alice, upstream, make_provider, settings):
    settings.OPENROUTER_BASE_URL, settings.OPENROUTER_API_KEY = upstream.url, "sk-or-v1-x"
    by_request = record("acme/by-request")
    by_request["pricing"] = {**FREE, "request": "0.01"}
    upstream.serve("/models", {"data": [record("acme/free", **FREE), by_request]})
    make_provider("openrouter")
    shown = api.as_(alice).get("/api/models/openrouter").json()["data"]["models"]
    assert {model["id"]: model.get("pricing") for model in shown} == {"acme/free": FREE, "acme/by-request": None}


@pytest.mark.django_db
def test_togethers_pictures_are_not_free(api, alice, make_provider, sync_feed):
    zeros = {"hourly": 0, "input": 0, "output": 0, "base": 0, "finetune": 0}
    feed = [{"id": "bfl/FLUX", "type": "image", "pricing": zeros}, {"id": "a/c", "type": "chat", "pricing": zeros}]
    sync_feed(feed, provider=make_provider("together", kind="compatible", base_url="http://127.0.0.1:9/v1"))
    assert AIModel.objects.get(model_id="together/bfl/FLUX").pricing == {}
    found = api.as_(alice).get("/api/models/list?max_prompt_price=0").json()["items"]
    assert [item["id"] for item in found] == ["together/a/c"]


ZEROS = {"input": 0, "output": 0}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("more", "is_free"),
    [
        ({"pricing": ZEROS}, True),
        ({"pricing": ZEROS | {"hourly": 0, "image": {"hd": "0"}, "note": "none"}}, True),
        ({"pricing": ZEROS | {"image": {"hd": 0.08}}}, False),
        ({"pricing": ZEROS | {"image": 0.08}}, False),
        ({"pricing": ZEROS | {"per_minute": "0.10"}}, False),
        ({"pricing": ZEROS | {"tiers": [{"up_to": 0, "usd": 0.1}]}}, False),
        ({"pricing": ZEROS, "image_price": 0.04}, False),
        ({"pricing": ZEROS, "image_price": 0}, True),
        ({"metadata": {"pricing": ZEROS}, "hourly_price": "1"}, False),
        ({"pricing": ZEROS, "media": {"image_cost": 0.04}}, False),
        ({"pricing": {"prompt": "0", "completion": "0", "request": "$0.01"}}, False),
        ({"pricing": {"prompt": "0", "completion": "0", "image": "0,04"}}, False),
        ({"pricing": {"prompt": "0", "completion": "0", "request": "-1"}}, False),
        ({"pricing": ZEROS | {"per_image": "0.04 USD"}}, False),
        ({"pricing": {"prompt": "0", "completion": "0", "image_output": "0.00003"}}, False),
        ({"pricing": {"prompt": "0", "completion": "0", "image_output": 0.04}}, False),
        ({"pricing": {"prompt": "0", "completion": "0", "image": "varies"}}, False),
        ({"providers": [{"pricing": ZEROS}]}, True),
        ({"providers": [{"pricing": ZEROS}, {"pricing": {"input": "0.2", "output": 0}}]}, False),
        ({"providers": [{"pricing": ZEROS}, {"pricing": ZEROS | {"image": 0.04}}]}, False),
        ({"providers": [{"pricing": ZEROS, "price_per_image": 0.04}]}, False),
        ({"pricing": ZEROS, "price_per_image": "$0.04"}, False),
        ({"pricing": ZEROS, "usd_per_image": 0.04}, False),
        ({"pricing": ZEROS, "billing": {"per_image": 0.04}}, False),
        ({"metadata": {"pricing": ZEROS, "cost_per_image": 0.04}}, False),
        ({"pricing": ZEROS, "limits": {"price_per_image": 0.04}}, False),
        ({"pricing": ZEROS, "rate_limit": {"per_minute": 60}, "context_length": 4096}, True),
    ],
)
def test_any_price_in_another_unit_makes_zeros_unknown(api, alice, make_provider, sync_feed, more, is_free):
    lab = make_provider("lab", kind="compatible", base_url="http://127.0.0.1:9/v1")
    sync_feed({"data": [{"id": "m", **more}]}, provider=lab)
    found = api.as_(alice).get("/api/models/list?max_prompt_price=0").json()["items"]
    assert [item["id"] for item in found] == (["lab/m"] if is_free else [])


@pytest.mark.parametrize(
    ("more", "is_free"),
    [
        ({}, True),
        ({"image": "0", "video_second": "0.0", "discount": 0.5}, True),
        ({"image_output": "0.00003"}, False),
        ({"image": "$0.04"}, False),
        ({"image": "varies"}, False),
        ({"request": "-1"}, False),
        ({"video_second": "0.1"}, False),
        ({"tiers": [{"usd": "0"}]}, False),
    ],
    ids=str,
)
def test_a_price_of_openrouters_that_is_not_plainly_zero_makes_zeros_unknown(api, alice, sync_feed, more, is_free):
    sync_feed({"data": [record("acme/m") | {"pricing": FREE | more}]})
    found = api.as_(alice).get("/api/models/list?max_prompt_price=0").json()["items"]
    assert [item["id"] for item in found] == (["acme/m"] if is_free else [])
