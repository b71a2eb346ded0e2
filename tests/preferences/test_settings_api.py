"""/api/settings: the default model that holds now, and the caller's own settings (seed 000)."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.api.snapshot import snapshot
from catalog.models import AIModel
from preferences.models import DefaultModel, ModelPreference, Profile

PATH = "/api/settings"


def default(caller):
    answer = caller.get(PATH)
    assert answer.status_code == 200, answer.content
    return answer.json()["default_model"], answer.json()["default_model_source"]


def set_default(caller, model_id):
    return caller.patch(PATH, {"default_model": model_id})


def test_a_new_user_has_these(api, alice):
    assert api.as_(alice).get(PATH).json() == {
        "default_model": None,
        "default_model_source": None,
        "theme": "system",
        "auto_enable_new_models": True,
    }
    assert not Profile.objects.exists()


@pytest.fixture
def defaults(make_model, make_user):
    """A user with a default of each kind; `first` is the first usable."""
    carol = make_user("carol", groups=["research", "sales"])
    models = {name: make_model(f"acme/{name}") for name in ("own", "research", "sales", "site")}
    models["first"] = make_model("acme/first", priority=9)
    for rank, name in ((1, "research"), (2, "sales")):
        DefaultModel.objects.create(group=Group.objects.get(name=name), model=models[name], rank=rank)
    DefaultModel.objects.create(model=models["site"])
    Profile.objects.create(user=carol, default_model=models["own"])
    return carol, models


@pytest.mark.parametrize("loss", ["is_available", "active"])
def test_the_default_falls_from_own_to_groups_by_rank_to_site_to_the_first_usable(api, defaults, loss):
    carol, models = defaults
    caller = api.as_(carol)
    order = [("own", "user"), ("sales", "group"), ("research", "group"), ("site", "site"), ("first", "first_usable")]
    for name, source in order:
        assert default(caller) == (f"acme/{name}", source)
        AIModel.objects.filter(pk=models[name].pk).update(**{loss: False})
    assert default(caller) == (None, None)
    AIModel.objects.filter(pk=models["own"].pk).update(**{loss: True})
    assert default(caller) == ("acme/own", "user")


def test_a_default_that_the_user_has_switched_off_is_kept_and_not_answered(api, defaults):
    carol, models = defaults
    caller = api.as_(carol)
    caller.patch("/api/models", {"model_id": "acme/own", "is_enabled": False})
    assert default(caller) == ("acme/sales", "group")
    assert Profile.objects.get().default_model == models["own"]
    caller.patch("/api/models", {"model_id": "acme/own", "is_enabled": True})
    assert default(caller) == ("acme/own", "user")


def test_a_key_has_the_default_that_its_policy_allows(api, defaults, make_key):
    carol, _ = defaults
    assert default(api.with_key(make_key(carol, allow=["acme/site"]).token)) == ("acme/site", "site")
    assert default(api.with_key(make_key(carol, allow=["no/such"]).token)) == (None, None)


def test_a_change_of_a_groups_or_the_sites_default_holds_on_the_next_request(api, alice, make_model):
    make_model("acme/a")
    model = make_model("acme/b")
    caller = api.as_(alice)
    assert default(caller) == ("acme/a", "first_usable")
    site = DefaultModel.objects.create(model=model)
    assert default(caller) == ("acme/b", "site")
    alice.groups.add(Group.objects.create(name="g"))
    DefaultModel.objects.create(model=AIModel.objects.get(model_id="acme/a"), group=alice.groups.get())
    assert default(caller) == ("acme/a", "group")
    DefaultModel.objects.filter(group__isnull=False).first().delete()
    site.delete()
    assert default(caller) == ("acme/a", "first_usable")


def test_the_default_is_set_and_cleared(api, alice, make_model):
    make_model("acme/a")
    make_model("acme/b")
    caller = api.as_(alice)
    assert set_default(caller, "acme/b").json()["default_model_source"] == "user"
    assert default(caller) == ("acme/b", "user")
    assert set_default(caller, None).json()["default_model"] == "acme/a"
    assert default(caller) == ("acme/a", "first_usable")


@pytest.mark.parametrize("model_id", ["acme/hidden", "acme/secret", "acme/gone", "acme/off", "acme/none", " acme/a"])
def test_a_default_that_is_not_usable_is_refused_alike_for_every_reason(api, alice, make_model, model_id):
    make_model("acme/a")
    make_model("acme/hidden", hidden=True)
    make_model("acme/secret", restricted=True)
    make_model("acme/gone", is_available=False)
    off = make_model("acme/off")
    ModelPreference.objects.create(user=alice, model=off, is_enabled=False)
    caller = api.as_(alice)
    answer = caller.patch(PATH, {"default_model": model_id, "theme": "dark"}, headers={"X-Request-Id": "1"})
    assert (answer.status_code, answer.json()["code"]) == (400, "model_not_usable")
    unknown = caller.patch(PATH, {"default_model": "x/y", "theme": "dark"}, headers={"X-Request-Id": "1"})
    assert answer.content == unknown.content
    assert caller.get(PATH).json()["theme"] == "system"


def retire(model, successor=""):
    model.is_available, model.successor = False, successor
    model.save()


@pytest.mark.parametrize("whose", ["user", "group", "site"])
def test_a_default_that_retires_moves_to_what_replaces_it_and_says_so(api, alice, make_model, whose):
    make_model("acme/first", priority=9)
    old, _ = make_model("acme/old"), make_model("acme/new")
    if whose == "user":
        set_default(api.as_(alice), "acme/old")
    else:
        research = Group.objects.create(name="research") if whose == "group" else None
        DefaultModel.objects.create(group=research, model=old)
        alice.groups.set([research] if research else [])
    retire(old, "acme/new")
    found = api.as_(alice).get(PATH).json()
    assert (found["default_model"], found["default_model_source"]) == ("acme/new", whose)
    assert found["default_model_reason"] == "acme/old is retired; acme/new replaces it."
    models = api.as_(alice).get("/api/models").json()["models"]
    assert [model["id"] for model in models if model["is_default"]] == ["acme/new"]
    # It comes back with the model.
    old.is_available = True
    old.save()
    assert default(api.as_(alice)) == ("acme/old", whose)
    assert "default_model_reason" not in api.as_(alice).get(PATH).json()


def test_a_chain_of_successors_is_followed_to_one_that_may_be_used(api, alice, make_model):
    models = [make_model(f"acme/{number}") for number in range(4)]
    set_default(api.as_(alice), "acme/0")
    for number in range(3):
        retire(models[number], f"acme/{number + 1}")
    assert default(api.as_(alice)) == ("acme/3", "user")
    retire(models[3], "acme/0")
    assert default(api.as_(alice)) == (None, None)


@pytest.mark.parametrize("hidden", ["acme/new", "acme/old"])
def test_a_successor_out_of_sight_is_not_named(api, alice, make_model, hidden):
    make_model("acme/first", priority=9)
    old = make_model("acme/old")
    make_model("acme/new")
    set_default(api.as_(alice), "acme/old")
    retire(old, "acme/new")
    model = AIModel.objects.get(model_id=hidden)
    model.restricted = True
    model.save()
    found = api.as_(alice).get(PATH).json()
    assert (found["default_model"], found.get("default_model_reason")) == ("acme/first", None)


@pytest.mark.parametrize("theme", ["system", "light", "dark"])
def test_a_theme_is_kept(api, alice, theme):
    caller = api.as_(alice)
    assert caller.patch(PATH, {"theme": theme}).json()["theme"] == theme
    assert caller.get(PATH).json()["theme"] == theme


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"theme": "blue"}, "theme"),
        ({"theme": None}, "theme"),
        ({"theme": 1}, "theme"),
        ({"auto_enable_new_models": "yes"}, "auto_enable_new_models"),
        ({"auto_enable_new_models": 1}, "auto_enable_new_models"),
        ({"auto_enable_new_models": None}, "auto_enable_new_models"),
        ({"default_model": 5}, "default_model"),
        ({"default_model": ""}, "default_model"),
        ({"default_model": "x" * 300}, "default_model"),
        ({"default_model_source": "user"}, "default_model_source"),
        ({"themes": "dark"}, "themes"),
        ({"user": 1, "theme": "dark"}, "user"),
    ],
)
def test_bad_values_and_unknown_fields_are_400_named_and_nothing_is_written(api, alice, body, field):
    answer = api.as_(alice).patch(PATH, body)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]
    assert not Profile.objects.exclude(theme="system").exists()


def test_new_models_are_off_for_who_has_asked_so_until_they_ask_otherwise(api, alice, make_model):
    make_model("acme/before")
    caller = api.as_(alice)
    assert caller.patch(PATH, {"auto_enable_new_models": False}).json()["auto_enable_new_models"] is False
    since = Profile.objects.get().no_new_since
    make_model("acme/after", created_at=timezone.now())

    def usable():
        return [item["id"] for item in caller.get("/api/models").json()["models"]]

    assert usable() == ["acme/before"]
    caller.patch(PATH, {"auto_enable_new_models": False})
    assert Profile.objects.get().no_new_since == since
    caller.patch("/api/models", {"model_id": "acme/after", "is_enabled": True})
    assert usable() == ["acme/after", "acme/before"]
    caller.patch(PATH, {"auto_enable_new_models": True})
    make_model("acme/later", created_at=timezone.now())
    assert len(usable()) == 3


@pytest.mark.parametrize("write", ["row", "bulk", "profile", "deleted", "patched"])
def test_a_write_of_preferences_anywhere_holds_on_the_next_request(api, alice, make_model, write):
    model = make_model("acme/a")
    kept = ModelPreference.objects.create(user=alice, model=make_model("acme/b"), is_enabled=False)
    caller = api.as_(alice)
    before = caller.get("/api/models")
    match write:
        case "row":
            ModelPreference.objects.create(user=alice, model=model, is_enabled=False)
        case "bulk" | "patched":
            caller.patch("/api/models", {"updates": [{"model_id": "acme/a", "is_enabled": False}]})
        case "profile":
            Profile.objects.get(user=alice).save()
        case "deleted":
            kept.delete()
    after = caller.get("/api/models", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200


def test_a_profile_saved_with_an_old_version_repeats_none(alice):
    profile = Profile.objects.create(user=alice)
    numbers = set()
    for _ in range(3):
        Profile.objects.get(user=alice).save()
        profile.save()
        numbers.add(Profile.objects.get(user=alice).version)
    assert len(numbers) == 3


def test_settings_are_for_users(api, alice, make_key):
    assert (api.get(PATH).status_code, api.patch(PATH, {}).status_code) == (401, 401)
    reader = api.with_key(make_key(alice, scopes=["models:read"]).token)
    assert (reader.get(PATH).status_code, reader.patch(PATH, {"theme": "dark"}).status_code) == (200, 403)
    writer = api.with_key(make_key(alice, scopes=["preferences:write"]).token)
    assert (writer.get(PATH).status_code, writer.patch(PATH, {"theme": "dark"}).status_code) == (403, 200)


def test_the_statements_of_a_read_do_not_grow_with_the_catalog(api, alice, make_model):
    caller = api.as_(alice)
    counts = []
    for n in (2, 40):
        AIModel.objects.bulk_create(AIModel(model_id=f"m{n}/{i}", name="x", is_available=True) for i in range(n))
        for clear in (True, False):
            if clear:
                snapshot.clear()
            with CaptureQueriesContext(connection) as captured:
                caller.get(PATH)
            counts.append(len(captured))
    assert counts == [5, 4, 5, 4]
