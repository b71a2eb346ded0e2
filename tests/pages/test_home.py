"""The first page, without a browser."""

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

pytestmark = pytest.mark.django_db


def test_it_counts_what_the_reader_may_see(api, alice, make_model):
    make_model("acme/large")
    make_model("acme/small")
    make_model("zeta/secret", granted_to=alice)
    make_model("gone/away", is_available=False)
    assert api.get("/").context["models"] == 2
    assert api.as_(alice).get("/").context["authors"] == 2


@pytest.mark.parametrize("state", ["running", "ok", "partial", "held", "failed", "interrupted", "superseded"])
def test_every_state_of_a_run_has_words(api, make_run, state):
    make_run("Acme", "ok")
    make_run("Acme", state, reason="blocked_address", message="http://10.0.0.5 was refused")
    page = api.get("/").content.decode()
    assert f'class="state {api.get("/").context["sources"][0].tone}"' in page
    assert "10.0.0.5" not in page


def test_a_provider_that_was_never_read_says_so(api, make_run):
    make_run("Acme", "ok").provider.runs.all().delete()
    assert b"not synced yet" in api.get("/").content


def test_a_private_catalog_shows_nothing_before_signing_in(api, alice, make_model, make_run, settings):
    settings.PUBLIC_CATALOG = False
    make_model("acme/large")
    make_run("Acme", "ok")
    assert b"Acme" not in api.get("/").content
    assert b"Acme" in api.as_(alice).get("/").content


@pytest.mark.parametrize("providers", [1, 6])
def test_it_asks_the_database_three_times_however_many_sources_there_are(
    api, make_run, providers, django_assert_num_queries
):
    for number in range(providers):
        make_run(f"Acme {number}", "ok")
    with django_assert_num_queries(3):
        assert api.get("/").status_code == 200


def test_it_is_for_reading_and_for_the_reader_alone(api):
    assert api.post("/").status_code == 405
    assert api.get("/")["Cache-Control"] == "private, no-cache"
    assert "Cookie" in api.get("/")["Vary"]


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0, "just now"), (0.5, "30\u00a0minutes ago"), (3, "3\u00a0hours ago"), (24 * 9, "1\u00a0week ago")],
)
def test_it_says_how_long_ago_a_source_was_read(api, make_run, hours, words):
    make_run("Acme", "ok", hours=hours)
    assert api.get("/").context["sources"][0].age == words


def test_a_source_is_named_to_those_whom_its_models_are_for(api, alice, bob, make_run):
    provider = make_run("The server below the stairs", "ok").provider
    group = Group.objects.create(name="research")
    provider.new_models_groups.add(group)
    alice.groups.add(group)
    seen = [b"below the stairs" in who.get("/").content for who in (api, api.as_(bob), api.as_(alice))]
    assert seen == [False, False, True]


@pytest.mark.parametrize(
    ("read_before", "words"), [(True, "failed; what was read before still stands"), (False, "failed")]
)
def test_only_what_was_read_before_still_stands(api, make_run, read_before, words):
    provider = make_run("Acme", "failed").provider
    type(provider).objects.update(last_success_at=timezone.now() if read_before else None)
    assert [source.words for source in api.get("/").context["sources"]] == [words]


@pytest.mark.parametrize(("user", "mine"), [(None, False), ("alice", True)])
def test_what_changed_is_a_door_for_all_and_my_models_one_for_who_has_some(visit, request, user, mine):
    page = visit(user and request.getfixturevalue(user)).get("/").content
    assert b'<a href="/changes"><strong>What changed</strong>' in page
    assert (b"<strong>My models</strong>" in page) is mine


@pytest.mark.parametrize(("user", "shown"), [(None, True), ("alice", False), ("ops", True)])
def test_the_way_to_the_admin_is_shown_to_those_who_may_be_staff(visit, request, user, shown):
    page = visit(user and request.getfixturevalue(user)).get("/").content
    assert (b"<strong>Admin</strong>" in page) is shown
