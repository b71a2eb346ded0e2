"""catalog/formatting.py: a stored value in words, the same on every page and in every command."""

from datetime import UTC, date, datetime

import pytest
from django.contrib.auth.models import Group

from catalog.formatting import describe, in_words, short
from catalog.models import FieldChange
from providers.management.tables import cell
from providers.models import Provider


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
    assert cell(value) == words


def test_what_is_long_is_cut():
    assert short("a" * 200) == "a" * 200
    assert short("a" * 201) == "a" * 200 + "…"
    assert short(["text", "image"], 8) == "text, im…"


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
    for field, old, new in (("supports_tools", False, True), ("input_modalities", ["text"], ["text", "image"])):
        FieldChange.objects.create(
            model=model, subject="acme/large", field=field, old=old, new=new, source="sync", run_id=run.pk
        )
    client.force_login(
        make_user("root", is_staff=True, is_superuser=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    for page in (f"/admin/providers/syncrun/{run.pk}/change/", f"/admin/catalog/aimodel/{model.pk}/history/"):
        shown = client.get(page).content.decode()
        assert all(f">{word}<" in shown for word in ("no", "yes", "text", "text, image")), page
