"""providers/admin/conflicts.py: filters, "pin this value" and "prefer this source"; runs.py: "try again"."""

import json

import pytest
from django.urls import reverse

from catalog.models import AIModel
from providers.models import Provider, ProviderModel, SyncRun
from tests.catalog.test_admin_permissions import permit

pytestmark = pytest.mark.django_db

PAGE = "/admin/providers/providermodel/conflicts"


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def model(db):
    """Two providers that differ about the context and the price of one model."""
    model = AIModel.objects.create(model_id="acme/x", name="X", context_length=4096)
    for precedence, slug in enumerate(("one", "two"), 1):
        provider = Provider.objects.create(slug=slug, name=slug, kind="compatible", precedence=precedence)
        ProviderModel.objects.create(
            provider=provider, upstream_id="acme/x", listing="models", model=model,
            facts={"context_length": 4096 * precedence, "supports_tools": precedence == 1},
            pricing={"prompt": str(precedence - 1)},
        )  # fmt: skip
    return model


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({}, ["context_length", "pricing.prompt", "supports_tools"]),
        ({"field": "context_length"}, ["context_length"]),
        ({"source": "two", "field": "supports_tools"}, ["supports_tools"]),
        ({"source": "three"}, []),
    ],
)
def test_disagreements_are_filtered_by_field_and_source(staff, model, query, fields):
    assert [row["field"] for row in staff.get(PAGE, query).context["rows"]] == fields


def test_a_price_and_none_are_not_so_many_per_cent_apart(staff, model):
    (row,) = staff.get(PAGE, {"field": "pricing.prompt"}).context["rows"]
    assert row["apart"] == "free or not"


@pytest.mark.parametrize("source", ["one", "two"])
def test_a_value_is_pinned_also_where_it_stands_already(staff, model, source):
    (row,) = staff.get(PAGE, {"field": "context_length"}).context["rows"]
    (said,) = (one for one in row["said"] if one["source"] == source)
    form = {"model": "acme/x", "field": "context_length", "source": source, "value": said["value"]}
    staff.post(PAGE, form)
    model.refresh_from_db()
    assert (model.context_length, model.pinned_fields) == (json.loads(said["value"]), ["context_length"])
    assert model.changes.latest("pk").user.username == "ops"


@pytest.mark.parametrize(
    "moved", [{"value": "1"}, {"source": "three"}, {"field": "pricing.prompt", "value": '"0"'}, {"model": "no/such"}]
)
def test_a_value_that_is_not_what_was_shown_is_not_pinned(staff, model, moved):
    form = {"model": "acme/x", "field": "context_length", "source": "two", "value": "8192"}
    assert "would not do what you were shown" in staff.post(PAGE, form | moved, follow=True).content.decode()
    model.refresh_from_db()
    assert model.pinned_fields == []


def test_only_who_may_change_entries_pins(client, model, make_user):
    sam = make_user("sam", is_staff=True)
    permit(sam, "view_providermodel")
    client.force_login(sam, backend="django.contrib.auth.backends.ModelBackend")
    assert "Pin this value" not in client.get(PAGE).content.decode()
    form = {"model": "acme/x", "field": "context_length", "source": "two", "value": "8192"}
    assert client.post(PAGE, form).status_code == 403


def test_only_a_source_that_another_precedence_would_let_win_can_be_preferred(staff, model):
    Provider.objects.create(slug="md", name="md", kind="modelsdev", precedence=3).offers.create(
        upstream_id="acme/x", listing="models", model=model, facts={"context_length": 100}
    )
    (row,) = staff.get(PAGE, {"field": "context_length"}).context["rows"]
    assert {one["source"]: one["better"] and one["better"].slug for one in row["said"]} == {
        "one": None, "two": "two", "md": None,
    }  # fmt: skip


@pytest.mark.parametrize(("state", "offered"), [("failed", True), ("partial", True), ("ok", False), ("held", False)])
def test_a_run_that_failed_can_be_tried_again(staff, model, state, offered):
    run = SyncRun.objects.create(provider=Provider.objects.first(), state=state, message="No.")
    page = staff.get(reverse("admin:providers_syncrun_change", args=[run.pk])).content.decode()
    assert ("Try again" in page) is offered
