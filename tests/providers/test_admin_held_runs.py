"""providers/admin/runs.py: a held run as a tree by author, with a search and the limits that were passed."""

import pytest
from django.urls import reverse

from catalog.models import AIModel
from providers.models import Provider, ProviderModel, SyncRun

pytestmark = pytest.mark.django_db

NAMES = ("acme/m1", "acme/m2", "zeta/m1", "bare")


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def run(db):
    """A run that holds the removal of four models, of which another provider offers one."""
    one, two = (Provider.objects.create(slug=slug, name=slug, kind="compatible") for slug in ("one", "two"))
    for provider, names in ((one, NAMES), (two, NAMES[:1])):
        for name in names:
            model, _ = AIModel.objects.get_or_create(model_id=name, defaults={"name": name, "is_available": True})
            ProviderModel.objects.create(provider=provider, upstream_id=name, listing="models", model=model)
    return SyncRun.objects.create(
        provider=one, state="held", sizes={"models": 1}, counts={"held": 4}, message="4 of 4 models are gone.",
        held={"removals": {"models": list(NAMES)}},
    )  # fmt: skip


def page_of(staff, run, **query):
    return staff.get(reverse("admin:providers_syncrun_change", args=[run.pk]), query)


def decide(staff, run, **form):
    seal = page_of(staff, run).context["seal"]
    staff.post(reverse("admin:providers_syncrun_decide", args=[run.pk]), {"_seal": seal, "confirmed": "1", **form})
    run.refresh_from_db()
    return set(ProviderModel.objects.filter(is_listed=False).values_list("upstream_id", flat=True))


def test_what_waits_is_a_tree_by_author_with_links_and_other_offers(staff, run):
    page = page_of(staff, run)
    assert [(branch["author"], branch["count"]) for branch in page.context["tree"]] == [
        ("", 1),
        ("acme", 2),
        ("zeta", 1),
    ]
    assert page.context["tree"][1]["lines"][0]["others"] == ["two"]
    offer = ProviderModel.objects.get(provider=run.provider, upstream_id="acme/m1")
    assert reverse("admin:providers_providermodel_change", args=[offer.pk]) in page.content.decode()


def test_the_limit_that_was_passed_is_named(staff, run):
    assert "More than 5 models, where that is more than 20% of a listing" in page_of(staff, run).content.decode()


@pytest.mark.parametrize(("authors", "gone"), [(["acme"], {"acme/m1", "acme/m2"}), ([""], {"bare"})])
def test_an_authors_box_stands_for_all_of_the_author(staff, run, authors, gone):
    assert decide(staff, run, accept_chosen="1", author=authors) == gone
    assert page_of(staff, run).context["waiting_count"] == 4 - len(gone)


def test_the_chosen_are_accepted_and_the_rest_rejected_in_one_act(staff, run):
    assert decide(staff, run, accept_and_reject="1", author=["acme"], id=["bare"]) == {"acme/m1", "acme/m2", "bare"}
    assert run.decision == "rejected"
    assert AIModel.objects.get(model_id="zeta/m1").is_available


def test_all_that_are_chosen_leave_nothing_to_reject(staff, run):
    assert decide(staff, run, accept_and_reject="1", author=["acme", "zeta", ""]) == set(NAMES)
    assert run.decision == "accepted"


def test_a_search_finds_what_waits_and_the_numbers_stay_those_of_all(staff, run):
    context = page_of(staff, run, q="ACME m2").context
    assert [line.upstream_id for line in context["waiting"]] == ["acme/m2"]
    assert (context["waiting_count"], context["tree"][0]["count"]) == (4, 2)


def test_accepting_all_names_who_loses_a_model(staff, run, alice):
    page = staff.post(reverse("admin:providers_syncrun_decide", args=[run.pk]), {"accept_all": "1"})
    assert ("alice", 3) in page.context["loss"].users
    assert page.context["unavailable"] == ["acme/m2", "bare", "zeta/m1"]


def asked(staff, run, **form):
    seal = page_of(staff, run).context["seal"]
    return staff.post(reverse("admin:providers_syncrun_decide", args=[run.pk]), {"_seal": seal, **form})


def test_accepting_a_part_names_who_loses_a_model_and_is_confirmed_by_the_same_choice(staff, run, alice):
    page = asked(staff, run, accept_and_reject="1", author=["acme"], id=["bare"])
    assert "Accept 3 of the 4" in page.context["title"]
    assert "The rest would be rejected." in page.content.decode()
    assert page.context["unavailable"] == ["acme/m2", "bare"]
    assert ("alice", 2) in page.context["loss"].users
    assert run.changes.count() == 0
    again = {"_seal": page.context["seal"], "confirmed": "1"}
    for name, value in page.context["sent"]:
        again.setdefault(name, []).append(value)
    staff.post(reverse("admin:providers_syncrun_decide", args=[run.pk]), again)
    run.refresh_from_db()
    gone = ProviderModel.objects.filter(is_listed=False)
    assert (set(gone.values_list("upstream_id", flat=True)), run.decision) == (
        {"acme/m1", "acme/m2", "bare"},
        "rejected",
    )


def test_a_part_that_takes_nobody_anything_is_accepted_at_once(staff, run):
    assert asked(staff, run, accept_chosen="1", id=["acme/m1"]).status_code == 302
    assert page_of(staff, run).context["waiting_count"] == 3


def test_no_sentence_stands_on_the_page_of_a_run_more_than_once(staff, run):
    missing = [{"listing": "models", "index": n, "id": "", "reason": "id is missing"} for n in range(7)]
    other = {"listing": "models", "index": None, "id": "acme/x", "reason": "a price is no number"}
    SyncRun.objects.filter(pk=run.pk).update(problems=[other, *missing])
    page = page_of(staff, run)
    assert [(fault.count, fault.reason, fault.names) for fault in page.context["faults"]] == [
        (7, "id is missing", [f"no. {n}" for n in range(5)]),
        (1, "a price is no number", ["acme/x"]),
    ]
    for sentence in ("id is missing", "4 of 4 models are gone."):
        assert page.content.decode().count(sentence) == 1


def test_what_a_new_model_would_bring_and_has_brought_is_told_with_its_values(staff, run):
    fact = {"context_length": 8192, "input_modalities": ["text", "image"]}
    record = {"model_id": "acme/new", "upstream_id": "acme/new", "facts": fact, "pricing": {"prompt": "0.00000025"}}
    held = {"listings": {"models": {"records": [record], "spared": list(NAMES), "unidentified": 0}}}
    SyncRun.objects.filter(pk=run.pk).update(held=held)
    told = {"id": "acme/new", "context": "8,192", "output": "", "prices": "$0.25 / ?", "takes": "text, image"}
    assert page_of(staff, run).context["waiting_new"] == [told]
    decide(staff, run, accept_chosen="1", id=["acme/new"])
    page = page_of(staff, run)
    assert page.context["new"] == [told]
    assert "New models" in page.content.decode()
