"""providers/admin/offers.py, providers.py and runs.py: wide acts do exactly what was shown."""

import pytest
from django.urls import reverse

from catalog.models import AIModel, AuditEntry
from providers.models import Provider, ProviderModel, SyncRun
from providers.sync import held_runs

pytestmark = pytest.mark.django_db

BULK = "/admin/providers/providermodel/bulk"
LIST = "/admin/providers/providermodel/"
REFUSED = "would not do what you were shown"


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def providers(db):
    """Two providers with three models each, all switched on."""
    made = [Provider.objects.create(slug=slug, name=slug, kind="compatible") for slug in ("one", "two")]
    for provider in made:
        for n in range(3):
            offer(provider, n)
    return made


def offer(provider, n, **fields):
    name = f"{provider.slug}/m{n}"
    model, _ = AIModel.objects.get_or_create(
        model_id=name, defaults={"name": name, "is_available": True, "offered_by": [provider.slug]}
    )
    return ProviderModel.objects.create(
        provider=provider, upstream_id=name, listing="models", model=model, pricing={"prompt": "0.000001"}, **fields
    )


def off():
    return set(ProviderModel.objects.filter(active=False).values_list("upstream_id", flat=True))


@pytest.mark.parametrize(
    "changed",
    [
        {"provider": "two"},
        {"provider": ""},
        {"what": "enable"},
        {"pasted": "one/m1"},
        {"pasted": "nowhere", "ignore_unknown": "on"},
    ],
    ids=str,
)
def test_a_bulk_form_that_differs_from_its_preview_is_refused_and_previewed_anew(staff, providers, changed):
    numbers = {"one": providers[0].pk, "two": providers[1].pk, "": ""}
    form = {"what": "disable", "provider": numbers["one"], "pasted": ""}
    seal = staff.post(BULK, form).context["seal"]
    sent = form | changed | {"provider": numbers[changed.get("provider", "one")], "apply": "1", "_seal": seal}
    page = staff.post(BULK, sent)
    assert REFUSED in page.content.decode()
    assert page.context["previewed"]
    assert off() == set()
    staff.post(BULK, sent | {"_seal": page.context["seal"]})
    assert off() == {offer.upstream_id for offer in page.context["changing"] if changed.get("what") != "enable"}


@pytest.mark.parametrize(
    "between",
    [
        lambda one: offer(one, 3),
        lambda one: one.offers.filter(upstream_id="one/m0").update(active=False),
        lambda one: one.offers.filter(upstream_id="one/m0").delete(),
    ],
    ids=["one more", "one is off already", "one is gone"],
)
def test_a_set_that_moved_after_its_preview_is_refused_and_previewed_anew(staff, providers, between):
    form = {"what": "disable", "provider": providers[0].pk}
    seal = staff.post(BULK, form).context["seal"]
    between(providers[0])
    before = off()
    page = staff.post(BULK, {**form, "apply": "1", "_seal": seal})
    assert REFUSED in page.content.decode()
    assert off() == before
    staff.post(BULK, {**form, "apply": "1", "_seal": page.context["seal"]})
    assert off() == set(providers[0].offers.values_list("upstream_id", flat=True))


@pytest.mark.parametrize("seal", ["", "made up"])
def test_without_a_preview_nothing_is_switched(staff, providers, seal):
    staff.post(BULK, {"what": "disable", "apply": "1", "_seal": seal})
    keys = list(ProviderModel.objects.values_list("pk", flat=True))
    staff.post(LIST, {"action": "disable_selected", "_selected_action": keys, "apply": "1", "_seal": seal})
    assert off() == set()


def test_a_preview_of_one_person_is_none_of_another(staff, client, providers, make_user):
    seal = staff.post(BULK, {"what": "disable"}).context["seal"]
    other = make_user("sam", is_staff=True, is_superuser=True)
    client.force_login(other, backend="django.contrib.auth.backends.ModelBackend")
    client.post(BULK, {"what": "disable", "apply": "1", "_seal": seal})
    assert off() == set()


def test_selected_provider_models_are_switched_only_as_they_were_shown(staff, providers):
    first, second = providers[0].offers.all()[:2]
    form = {"action": "disable_selected", "_selected_action": [first.pk]}
    seal = staff.post(LIST, form).context["seal"]
    for moved in (
        {"_selected_action": [first.pk, second.pk]},
        {"action": "enable_selected"},
        {"select_across": "1", "index": "0"},
    ):
        page = staff.post(LIST, form | moved | {"apply": "1", "_seal": seal})
        assert REFUSED in page.content.decode()
    assert off() == set()
    staff.post(LIST, {**form, "apply": "1", "_seal": seal})
    assert off() == {first.upstream_id}


@pytest.fixture
def run(providers):
    """A run that holds the removal of two models."""
    return SyncRun.objects.create(
        provider=providers[0],
        state="held",
        message="2 of 3 models are gone.",
        sizes={"models": 1},
        counts={"held": 2},
        held={"removals": {"models": ["one/m1", "one/m2"]}},
    )


def decide(staff, run, **form):
    answer = staff.post(reverse("admin:providers_syncrun_decide", args=[run.pk]), form)
    run.refresh_from_db()
    return answer


def page_of(staff, run):
    return staff.get(reverse("admin:providers_syncrun_change", args=[run.pk]))


def retired():
    return set(ProviderModel.objects.filter(is_listed=False).values_list("upstream_id", flat=True))


def test_accepting_all_first_says_what_would_go_and_does_nothing(staff, run):
    page = decide(staff, run, accept_all="1")
    assert (page.context["told"], page.context["unavailable"]) == ("2 retired", ["one/m1", "one/m2"])
    assert (retired(), run.decision) == (set(), "")
    decide(staff, run, accept_all="1", confirmed="1", _seal=page.context["seal"])
    assert (retired(), run.decision) == ({"one/m1", "one/m2"}, "accepted")
    assert AuditEntry.objects.filter(action="apply held run", user__username="ops").exists()


@pytest.mark.parametrize("form", [{"accept_all": "1", "confirmed": "1"}, {"accept_chosen": "1", "id": ["one/m1"]}])
def test_a_held_run_of_which_a_part_was_accepted_meanwhile_is_shown_anew(staff, run, ops, form):
    asked = {True: decide(staff, run, accept_all="1"), False: page_of(staff, run)}["accept_all" in form]
    held_runs.apply_held(run, ops, ["one/m2"])
    answer = decide(staff, run, **form, _seal=asked.context["seal"])
    assert REFUSED in staff.get(answer["Location"]).content.decode()
    assert (retired(), run.decision) == ({"one/m2"}, "")


def test_after_a_part_was_accepted_every_page_tells_the_numbers_of_the_rest(staff, run):
    decide(staff, run, accept_chosen="1", id=["one/m1"], confirmed="1", _seal=page_of(staff, run).context["seal"])
    page = page_of(staff, run).content.decode()
    assert "Held: 1 waits for a decision" in page
    assert "2 of 3 models are gone. Accepted since: 1. Still waiting: 1." in page
    assert "1 held" in page
    assert "Accepted since: 1. Still waiting: 1." in staff.get("/admin/").content.decode()


def test_a_listing_held_whole_shows_also_what_it_would_retire(staff, providers):
    kept = {"upstream_id": "one/m0", "model_id": "one/m0", "facts": {}, "pricing": {"prompt": "0.00001"}}
    run = SyncRun.objects.create(
        provider=providers[0],
        state="held",
        sizes={"models": 2},
        counts={"held": 1},
        held={"listings": {"models": {"records": [kept], "spared": ["one/m1"], "unidentified": 0}}},
    )
    waiting = {line.upstream_id: line.what for line in page_of(staff, run).context["waiting"]}
    assert waiting == {"one/m0": "prompt $1.00 to $10.00 (+900 %)", "one/m2": "would be retired"}


def test_thousands_that_wait_are_shown_in_pages_that_a_form_can_hold(staff, run):
    offers = [
        ProviderModel(provider=run.provider, upstream_id=f"one/x{n:04}", listing="models", model_id=None)
        for n in range(1500)
    ]
    ProviderModel.objects.bulk_create(offers)
    run.held = {"removals": {"models": [o.upstream_id for o in offers]}}
    run.save()
    second = reverse("admin:providers_syncrun_change", args=[run.pk]) + "?w=2"
    page = staff.get(second)
    ids = [line.upstream_id for line in page.context["waiting"]]
    assert (len(ids), ids[0]) == (200, "one/x0200")
    decide(staff, run, accept_chosen="1", id=ids, confirmed="1", _seal=page.context["seal"])
    assert len(retired()) == 200
