"""providers/admin/switching.py and providers/offers/effects.py: what a switch of many would take, and from whom."""

import pytest

from catalog.models import AIModel
from providers.models import Provider, ProviderModel

pytestmark = pytest.mark.django_db

BULK = "/admin/providers/providermodel/bulk"
LIST = "/admin/providers/providermodel/"


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def one(db):
    """A provider of three models, of which another offers the first as well."""
    one, two = (Provider.objects.create(slug=slug, name=slug, kind="compatible") for slug in ("one", "two"))
    for provider, names in ((one, ("acme/m0", "acme/m1", "acme/m2")), (two, ("acme/m0",))):
        for name in names:
            model, _ = AIModel.objects.get_or_create(model_id=name, defaults={"name": name, "is_available": True})
            ProviderModel.objects.create(provider=provider, upstream_id=name, listing="models", model=model)
    return one


def ask(staff, one, **form):
    return staff.post(BULK, {"what": "disable", "provider": one.pk, **form})


def test_a_preview_tells_what_becomes_unavailable_and_what_stays_through_whom(staff, one):
    page = ask(staff, one)
    assert page.context["effect"].gone == ["acme/m1", "acme/m2"]
    assert page.context["effect"].stay == [("two", 1)]
    assert [(line["others"], line["gone"]) for line in page.context["lines"]] == [
        (["two"], False), ((), True), ((), True),
    ]  # fmt: skip
    assert AIModel.objects.filter(is_available=True).count() == 3
    ask(staff, one, apply="1", _seal=page.context["seal"])
    assert set(AIModel.objects.filter(is_available=True).values_list("model_id", flat=True)) == {"acme/m0"}


def test_a_preview_names_the_users_and_the_keys_that_lose_a_model(staff, one, alice, make_key):
    make_key(alice, name="of the notebook")
    loss = ask(staff, one).context["effect"].loss
    assert ("alice", 2) in loss.users
    assert [owner for owner, _ in loss.keys] == ["alice"]
    assert "would lose a model that they see" in ask(staff, one).content.decode()
    assert ask(staff, one, pasted="acme/m1\nacme/m2").context["effect"].loss is None


def test_the_actions_of_the_list_tell_the_same(staff, one):
    form = {"action": "disable_selected", "_selected_action": list(one.offers.values_list("pk", flat=True))}
    assert staff.post(LIST, form).context["effect"] == ask(staff, one).context["effect"]


def test_a_loss_that_grew_after_the_preview_is_shown_first(staff, one):
    seal = ask(staff, one).context["seal"]
    Provider.objects.filter(slug="two").update(is_active=False)
    assert "would not do what you were shown" in ask(staff, one, apply="1", _seal=seal).content.decode()
    assert not ProviderModel.objects.filter(active=False).exists()


def test_enabling_tells_what_comes_into_use(staff, one):
    ProviderModel.objects.update(active=False)
    AIModel.objects.update(is_available=False)
    page = ask(staff, one, what="enable")
    assert page.context["effect"].come == ["acme/m0", "acme/m1", "acme/m2"]
    assert "<strong>3</strong> models would become available." in page.content.decode()


def test_an_unknown_id_is_told_at_its_own_field_with_near_names(staff, one):
    elsewhere = AIModel.objects.create(model_id="acme/elsewhere", name="Elsewhere")
    errors = ask(staff, one, pasted="acme/m1x\nquite-other", chosen=[elsewhere.pk]).context["form"].errors
    assert errors["chosen"] == ["No provider model of one: acme/elsewhere"]
    assert errors["pasted"][0].startswith("No provider model of one: acme/m1x (is acme/m1 or ")
    assert errors["pasted"][1] == "No provider model of one: quite-other"


@pytest.mark.parametrize(("provider", "term", "found"), [("two", "acme", 1), ("", "acme", 3), ("one", "M1 acme", 1)])
def test_the_picker_finds_the_models_of_the_chosen_provider(staff, one, provider, term, found):
    key = Provider.objects.get(slug=provider).pk if provider else ""
    answer = staff.get(f"{BULK}/found", {"term": term, "provider": key, "page": 1}).json()
    assert len(answer["results"]) == found


def test_the_picker_asks_for_the_right_to_switch(client, one, make_user):
    client.force_login(make_user("sam", is_staff=True), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(f"{BULK}/found").status_code == 403
