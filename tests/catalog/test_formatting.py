"""catalog/formatting.py: a stored value in words, the same on every page and in every command."""

from datetime import UTC, date, datetime

import pytest
from django.contrib.auth.models import Group

from catalog.formatting import before_and_after, change, describe, in_words, label, said
from catalog.models import FieldChange
from providers.models import Provider, ProviderModel


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "unknown"),
        (True, "yes"),
        (False, "no"),
        ("", "empty"),
        ([], "empty"),
        ({}, "empty"),
        (0, "0"),
        (1, "1"),
        (128000, "128000"),
        (0.5, "0.5"),
        ("Large", "Large"),
        (["text", "image"], "text, image"),
        ({"prompt": "0.0000025", "image": None}, "prompt: 0.0000025, image: unknown"),
        ({"names": ["a", "b"], "on": True}, 'names: ["a", "b"], on: yes'),
        ([{"effort": "low"}], '[{"effort": "low"}]'),
        (date(2026, 11, 5), "2026-11-05"),
        (datetime(2026, 11, 5, 9, 30, tzinfo=UTC), "2026-11-05 09:30"),
    ],
    ids=repr,
)
def test_a_stored_value_in_words(value, words):
    assert in_words(value) == words


def test_what_is_long_is_cut():
    assert said("family", "a" * 200) == "a" * 200
    assert said("family", "a" * 201) == "a" * 200 + "…"
    assert said("input_modalities", ["text", "image"], 8) == "text, im…"


PRICES = {"prompt": "0.0000025", "completion": "0.00001", "image": "0.01"}
TIMED = [{"utc_start": 1630, "utc_end": 30, "completion": "0.0000005"}, {"min_prompt_tokens": 200000, "prompt": "0"}]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("pricing", PRICES, "prompt $2.50, completion $10.00, per image $0.01"),
        ("pricing", {}, "unknown"),
        ("pricing", None, "unknown"),
        ("pricing", {"overrides": TIMED},
         "under conditions (from 16:30 to 00:30 UTC: completion $0.50; prompts of 200,000 tokens or more: prompt $0.00)"),
        ("pricing.prompt", "0.0000025", "$2.50"),
        ("pricing.request", None, "unknown"),
        ("context_length", 128000, "128,000"),
        ("priority", 1000, "1000"),
        ("released_at", "2026-11-05T00:00:00+00:00", "2026-11-05"),
        ("supports_tools", True, "yes"),
    ],
    ids=str,
)  # fmt: skip
def test_a_fields_value_in_the_unit_that_people_know(field, value, words):
    assert said(field, value) == words


@pytest.mark.parametrize(
    ("field", "old", "new", "told"),
    [
        ("pricing", {"prompt": "0.000001", "completion": "0.00000095"},
         {"prompt": "0.000001", "completion": "0.00000108"}, "completion $0.95 to $1.08 (+14 %)"),
        ("pricing", {"prompt": "0.000002"}, {"prompt": "0.000001"}, "prompt $2.00 to $1.00 (\N{MINUS SIGN}50 %)"),
        ("pricing", {}, {"request": "0.01"}, "per request unknown to $0.01"),
        ("pricing", {"prompt": "0"}, {"prompt": "0.000001"}, "prompt $0.00 to $1.00"),
        ("pricing", {}, {"overrides": TIMED[1:]}, "under conditions none to (prompts of 200,000 tokens or more: prompt $0.00)"),
        ("pricing", {"prompt": "free"}, {"prompt": ["1"]}, "prompt free to ['1']"),
        ("pricing", {}, {"overrides": [{"utc_start": "soon"}, 3]}, "under conditions none to ({'utc_start': 'soon'}; 3)"),
        ("context_length", 8192, 16384, "context length: 8,192 to 16,384"),
        ("is_available", True, False, "available: yes to no"),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_is_told_by_the_names_and_in_the_units_that_people_know(field, old, new, told):
    assert change(field, old, new) == told


def test_of_prices_only_those_that_differ_stand_before_and_after_with_the_per_cent():
    old, new = PRICES, {**PRICES, "completion": "0.000011", "image": "0.02"}
    assert before_and_after("pricing", old, new) == (
        "completion $10.00, per image $0.01",
        "completion $11.00 (+10 %), per image $0.02 (+100 %)",
    )
    assert before_and_after("pricing", old, old)[0] == said("pricing", old)
    assert [label(name) for name in ("pricing.prompt", "pricing.image", "context_length")] == [
        "prompt price per million",
        "price per image",
        "context length",
    ]


@pytest.mark.django_db
def test_of_grants_only_those_that_differ_are_described_by_name(alice):
    group = Group.objects.create(name="research")
    same = {"principal_type": "everyone", "principal_id": "", "permission": "read"}
    old = {"principal_type": "group", "principal_id": str(group.pk), "permission": "read"}
    new = {"principal_type": "user", "principal_id": str(alice.pk), "permission": "write"}
    gone = {"principal_type": "user", "principal_id": "999999", "permission": "read"}
    rows = [
        FieldChange(pk=1, field="grants", old=[same, old], new=[same, new]),
        FieldChange(pk=2, field="grants", old=[], new=[gone]),
        FieldChange(pk=3, field="supports_tools", old=None, new=True),
    ]
    describe(rows)
    assert [row.words for row in rows] == [
        ("group research: read", f"user {alice.username}: write"),
        ("no grant", "user 999999: read"),
        ("unknown", "yes"),
    ]


@pytest.mark.django_db
def test_a_runs_page_and_an_entrys_history_word_a_value_alike(client, make_user, make_model):
    model, provider = make_model("acme/large"), Provider.objects.create(slug="acme", kind="compatible")
    run = provider.runs.create(state="ok")
    prices = {"completion": "0.00000095"}, {"completion": "0.00000108"}
    for field, old, new in (
        ("supports_tools", False, True),
        ("input_modalities", ["text"], ["text", "image"]),
        ("pricing", *prices),
    ):
        FieldChange.objects.create(
            model=model, subject="acme/large", field=field, old=old, new=new, source="sync", run_id=run.pk
        )
    client.force_login(
        make_user("root", is_staff=True, is_superuser=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    for page in (f"/admin/providers/syncrun/{run.pk}/change/", f"/admin/catalog/aimodel/{model.pk}/history/"):
        shown = client.get(page).content.decode()
        assert all(f">{word}<" in shown for word in ("no", "yes", "text", "text, image")), page
    offer = ProviderModel.objects.create(provider=provider, upstream_id="acme/large", model=model, listing="models")
    FieldChange.objects.create(
        model=model,
        subject="acme/large",
        offered_by="acme",
        field="pricing",
        old=prices[0],
        new=prices[1],
        source="sync",
    )
    pages = (
        f"/admin/providers/syncrun/{run.pk}/change/",
        f"/admin/catalog/aimodel/{model.pk}/history/",
        f"/admin/providers/providermodel/{offer.pk}/change/",
        "/admin/catalog/fieldchange/",
        "/admin/log/",
    )
    for page in pages:
        shown = client.get(page).content.decode()
        assert ("$1.08 (+14 %)" in shown, "0.00000108" in shown, ">pricing<" in shown) == (True, False, False), page
