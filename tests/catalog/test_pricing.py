"""catalog/pricing.py: every price, from what was sent or typed to what is stored, compared and shown."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from catalog.pricing import (
    KINDS,
    NegativePrice,
    NotAPrice,
    Tariff,
    dollars,
    is_free,
    label,
    normalise,
    per_million,
    prompt_per_million,
    read,
    sold,
    worded,
)
from providers.adapters.builder import ListingBuilder
from providers.admin.offers import OfferForm
from providers.models import Provider, ProviderModel
from providers.reading.curated import entries

PRICES = [
    ("0", "0"),
    ("-0", "0"),
    ("-0.00", "0"),
    (-0.0, "0"),
    ("0e5", "0"),
    ("0.00000250", "0.0000025"),
    (" 0.0000025 ", "0.0000025"),
    ("2.5e-6", "0.0000025"),
    (0.0000025, "0.0000025"),
    (Decimal("0.0000025"), "0.0000025"),
    (".5", "0.5"),
    ("10", "10"),
    (2, "2"),
    ("1e3", "1000"),
    ("999999.99", "999999.99"),
    ("0.0000000000000000000000000001", "0.0000000000000000000000000001"),
    ("123456.1234567890123456789012345678", "123456.1234567890123456789012345678"),
]
REFUSED = [
    ("1000000", "is out of range for a price"),
    ("2e6", "is out of range for a price"),
    (2e6, "is out of range for a price"),
    ("1e999", "is out of range for a price"),
    ("1e-30", "is out of range for a price"),
    ("0.12345678901234567890123456789", "has too many decimals for a price"),
    ("-1", "is negative"),
    (-0.5, "is negative"),
    *((value, "is not a price") for value in ("", "free", "NaN", "Infinity", "1,5", "1_0", "0x1", "+1", "١", "9" * 50)),
    *((value, "is not a price") for value in (None, True, {}, [], float("nan"), float("inf"), 10**400)),
]


def upstreams(value):
    """What an adapter makes of it; a negative price is upstream's word for one that varies, and is no complaint."""
    draft = ListingBuilder("acme/large", "acme/large")
    draft.price("prompt", value)
    return draft.pricing.get("prompt"), draft.problems


def typed(text):
    """What the form of an offer makes of it, where it is for one request: prices of tokens are typed per million."""
    form = OfferForm({"price_request": text}, instance=ProviderModel())
    form.is_valid()
    return form.cleaned_data["pricing"].get("request"), form.errors.get("price_request")


@pytest.mark.parametrize(("sent", "stored"), PRICES)
def test_a_price_is_stored_alike_wherever_it_comes_from(sent, stored):
    assert normalise(sent) == stored
    assert upstreams(sent) == (stored, [])
    assert read({"prompt": sent}) == {"prompt": stored}
    assert read({"overrides": [{"utc_start": 900, "prompt": sent}]}) == {
        "overrides": [{"utc_start": 900, "prompt": stored}]
    }
    if isinstance(sent, str):
        assert typed(sent) == (stored, None)


@pytest.mark.parametrize(("sent", "why"), REFUSED, ids=lambda value: str(value)[:20])
def test_what_is_no_price_is_refused_alike_wherever_it_comes_from(sent, why):
    with pytest.raises(NotAPrice, match=why):
        normalise(sent)
    # What upstream leaves empty is unknown, and no mistake.
    assert upstreams(sent) == (None, [] if why == "is negative" or sent is None else [f"price prompt {why}"])
    if sent is not None:
        with pytest.raises(ValidationError):
            read({"overrides": [{"utc_start": 900, "prompt": sent}]})
    if isinstance(sent, str) and sent:
        stored, (error,) = typed(sent)
        assert (stored, f"This {why}" in error) == (None, True)


def test_a_negative_price_is_an_error_of_its_own():
    with pytest.raises(NegativePrice):
        normalise("-1")


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (2.5, "0.0000025"),
        ("0.10", "0.0000001"),
        (0, "0"),
        (1400, "0.0014"),
        ("1.2345678901234567890123", "0.0000012345678901234567890123"),
    ],
)
def test_a_price_per_million_is_stored_per_token_to_its_last_digit(sent, stored):
    assert normalise(sent, per_million=True) == stored
    form = OfferForm({"price_prompt": str(sent)}, instance=ProviderModel())
    form.is_valid()
    assert form.cleaned_data["pricing"] == {"prompt": stored}


@pytest.mark.parametrize(
    "sent", [{"prompt": "free"}, {"overrides": "none"}, {"overrides": ["x"]}, {"image": float("nan")}]
)
def test_prices_of_which_one_cannot_be_read_are_refused_as_a_whole(sent):
    with pytest.raises(ValidationError):
        read(sent)


def test_nothing_where_a_price_could_be_says_nothing():
    assert read({"prompt": None, "completion": "0.10", "overrides": []}) == {"completion": "0.1"}


def test_the_curated_prices_are_in_their_stored_form():
    assert all(read(entry.pricing) == entry.pricing for entry in entries().values())


@pytest.mark.parametrize(
    ("per_token", "shown"),
    [
        ("0.00000002", "$0.02"),
        ("0.00000013", "$0.13"),
        ("0.0000001", "$0.10"),
        ("0.0000025", "$2.50"),
        ("0.000000005", "$0.005"),
        ("2E-8", "$0.02"),
        ("0.00000008333333333333334", "$0.08333333333333334"),
        ("0.000003", "$3.00"),
        ("0.0001", "$100.00"),
        ("0", "$0.00"),
        ("-0", "$0.00"),
    ],
)
def test_a_price_per_million_in_dollars_is_exact(per_token, shown):
    assert dollars(per_million(per_token)) == worded("prompt", per_token) == shown


@pytest.mark.parametrize(
    ("kind", "price", "told"),
    [
        ("image", "0.04", ("per image", "$0.04")),
        ("image", "0.00516", ("per thousand images", "$5.16")),
        ("image", "0.00000125", ("per million images", "$1.25")),
        ("image", "0.000000000125", ("per million images", "$0.000125")),
        ("image", "0", ("per image", "$0.00")),
        ("web_search", "0.014", ("per thousand web searches", "$14.00")),
        ("request", "0", ("per thousand requests", "$0.00")),
        # Of a kind that nobody has named here, no unit is known.
        ("page_scanned", "0.000001", ("per page scanned", "$0.000001")),
    ],
)
def test_what_is_not_paid_by_the_token_is_told_as_people_buy_it(kind, price, told):
    assert sold(kind, price) == told


@pytest.mark.parametrize(
    ("price", "token", "told"),
    [
        ("0.00000125", "0.00000125", ("per image", "as a token of input")),
        ("0.00000125", "0.0000025", ("per million images", "$1.25")),
        ("0", "0", ("per image", "$0.00")),
    ],
)
def test_an_image_that_is_counted_in_tokens_is_said_to_be(price, token, told):
    assert sold("image", price, token) == told


def test_a_kind_that_is_not_paid_by_the_token_is_worded_in_its_own_unit():
    assert (label("image"), worded("image", "0.04")) == ("image", "$0.04")
    assert (label("input_cache_read"), worded("input_cache_read", "0.0000001")) == (
        "input cache read per million",
        "$0.10",
    )
    assert {worded(kind, None) for kind in KINDS} == {"unknown"}


@pytest.mark.django_db
def test_a_price_is_worded_alike_in_the_lists_of_entries_and_offers_and_in_the_api(client, ops, make_model):
    model = make_model("acme/large", pricing={"prompt": "0.0000025", "completion": "0.00001"}, supports_embeddings=True)
    ops.is_superuser = True
    ops.save()
    ProviderModel.objects.create(
        provider=Provider.objects.create(slug="acme", kind="compatible"),
        model=model,
        upstream_id="acme/large",
        pricing=model.pricing,
    )
    client.force_login(ops)
    assert "$2.50 / $10.00" in client.get("/admin/catalog/aimodel/").content.decode()
    assert ">$2.50 / $10.00<" in client.get("/admin/providers/providermodel/").content.decode()


@pytest.mark.parametrize(
    ("pricing", "free"),
    [
        ({"prompt": "0", "completion": "0"}, True),
        ({"prompt": "0.0", "completion": "-0"}, True),
        ({"prompt": "0"}, False),
        ({}, False),
        ({"prompt": "0", "completion": "0.000001"}, False),
        ({"prompt": "0", "completion": "0", "image": "0", "request": "0"}, True),
        ({"prompt": "0", "completion": "0", "overrides": [{"utc_start": 100, "prompt": "0.1"}]}, False),
        ({"prompt": "0", "completion": "0", "overrides": [{"min_prompt_tokens": 200000, "prompt": "0"}]}, True),
        ({"prompt": "0", "completion": "0", "image": "0.04"}, False),
        ({"prompt": "0", "completion": "0", "request": "0.01"}, False),
        ({"prompt": "0", "completion": "0", "hour": "2.5"}, False),
        ({"prompt": "0", "completion": "0", "image_output": "0.00003"}, False),
    ],
    ids=str,
)
def test_only_a_known_price_of_nothing_is_free(pricing, free):
    assert is_free(pricing) is free


@pytest.mark.parametrize("kind", [*KINDS, "hour"])
def test_a_price_of_any_kind_above_zero_makes_a_model_not_free(kind):
    assert not is_free({"prompt": "0", "completion": "0", kind: "0.000001"})
    window = {"utc_start": 0, "utc_end": 600, kind: "0.000001"}
    assert not is_free({"prompt": "0", "completion": "0", "overrides": [window]})
    assert is_free({"prompt": "0", "completion": "0", kind: "0"})


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


def windows(base, peak="0.000002", off="0.000001", until=0):
    """A tariff of two windows of the day, which fill it unless the second ends before midnight."""
    return {
        "prompt": base,
        "overrides": [{"utc_start": 0, "utc_end": 1200, "prompt": peak}, {"utc_start": 1200, "utc_end": until, "prompt": off}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (windows("0.000001"), windows("0.000002"), True),
        (windows("0.000001"), {**windows("0.000001"), "overrides": windows("0.000001")["overrides"][::-1]}, True),
        (windows("0.000001"), windows("0.000001", peak="0.000004"), False),
        ({"prompt": "0.000001"}, {"prompt": "0.000002"}, False),
        (
            {"prompt": "0.000001", "overrides": [{"min_prompt_tokens": 200000, "prompt": "0.000002"}]},
            {"prompt": "0.000003", "overrides": [{"min_prompt_tokens": 200000, "prompt": "0.000002"}]},
            False,
        ),
    ],
)
def test_tariffs_are_the_same_where_only_the_hour_differs(one, other, same):
    assert (Tariff(one).signature() == Tariff(other).signature()) is same


@pytest.mark.parametrize(
    ("now", "before", "base"),
    [
        (windows("0.000001"), windows("0.000002"), "0.000002"),
        (windows("0.000001"), {}, "0.000002"),
        (windows("0.000001", until=1300), windows("0.000007", until=1300), "0.000007"),
        (windows("0.000001", until=1300), windows("0.000007"), "0.000001"),
        (windows("0.000009", until=1300), windows("0.000007", until=1300), "0.000009"),
        ({"prompt": "0.000001"}, windows("0.000002"), "0.000001"),
        # By size, not by the clock.
        ({"prompt": "0.000001", "overrides": [{"min_prompt_tokens": 1000, "prompt": "0.000001"}]}, {}, "0.000001"),
    ],
)
def test_a_base_price_that_follows_the_hour_is_steadied(now, before, base):
    assert Tariff(now).steadied(before) == {**now, "prompt": base}


@pytest.mark.parametrize(("tokens", "prompt", "completion"), [(199_999, 1, 5), (200_000, 2, 5), (1_000_000, 4, 9)])
def test_a_long_prompt_costs_what_its_size_decides_and_the_last_word_wins(tokens, prompt, completion):
    overrides = [
        {"min_prompt_tokens": 200_000, "prompt": "0.000002"},
        {"min_prompt_tokens": 1_000_000, "prompt": "0.000004", "completion": "0.000009"},
        {"min_prompt_tokens": 1, "utc_start": 100, "prompt": "7"},
        {"min_prompt_tokens": "1", "prompt": "7"},
        {"utc_start": 100, "prompt": "7"},
    ]
    tariff = Tariff({"prompt": "0.000001", "completion": "0.000005", "overrides": overrides}).of_prompt(tokens)
    assert (tariff.per_million("prompt"), tariff.per_million("completion")) == (prompt, completion)


@pytest.mark.django_db
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
    assert page.count("$0.00 / $0.00") == 1
