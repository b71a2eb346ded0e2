"""catalog/access/rules.py, aliases: judged with what they stand for, which is named only to those who see it."""

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.urls import reverse

from catalog.access import audience
from catalog.models import AIModel
from providers.lists import cache, items
from providers.models import Provider

pytestmark = pytest.mark.django_db

ALIAS, TARGET, OTHER = "~openai/gpt-latest", "openai/gpt-5", "minimax/m2"


@pytest.fixture
def alias(make_model):
    make_model(TARGET)
    make_model(OTHER)
    return make_model(ALIAS, alias_of=TARGET)


def ids(answer, key="id"):
    return [row[key] for row in answer]


def seen_on(caller) -> dict[str, bool]:
    """Route -> whether the alias is there."""
    both = caller.get("/api/models").json()
    listed = caller.get("/api/models/openrouter").json()["data"]["models"]
    return {
        "catalog": ALIAS in ids(both["catalog"]),
        "models": ALIAS in ids(both["models"]),
        "cli": ALIAS in ids(caller.get("/api/models", {"format": "cli"}).json(), "slug"),
        "v1": ALIAS in ids(caller.get("/v1/models").json()["data"]),
        "v1 one": caller.get(f"/v1/models/{ALIAS}").status_code == 200,
        "list": ALIAS in ids(caller.get("/api/models/list").json()["items"]),
        "search": ALIAS in ids(caller.get("/api/models/list", {"query": "latest"}).json()["items"]),
        "one": caller.get(f"/api/models/{ALIAS}").status_code == 200,
        "tags": "newest" in ids(caller.get("/api/models/tags").json(), "name"),
        "explained": caller.get("/api/models/access", {"model_id": ALIAS}).status_code == 200,
        "switched": caller.patch("/api/models", {"model_id": ALIAS, "is_enabled": True}).status_code == 200,
        "default": caller.patch("/api/settings", {"default_model": ALIAS}).status_code == 200,
        "openrouter": ALIAS in ids(listed),
    }


@pytest.fixture
def everywhere(alias, settings):
    """The alias with a tag, and in the copy of OpenRouter's list."""
    alias.tags.create(name="newest", key="newest")
    settings.OPENROUTER_API_KEY = "a credential of ours"
    provider = Provider.objects.create(slug="openrouter", name="OpenRouter", kind="openrouter")
    facts = {ALIAS: {"alias_of": TARGET}}
    rows = [items.item(id_, id_, name=id_, facts=facts.get(id_, {}), pricing={}) for id_ in (ALIAS, TARGET, OTHER)]
    cache.store(provider, "language", rows)
    return alias


@pytest.mark.parametrize(
    ("policy", "there", "named"),
    [
        ({}, True, True),
        ({"deny": ["openai/*"]}, False, False),
        ({"deny": [TARGET]}, False, False),
        ({"deny": [ALIAS]}, False, False),
        ({"deny": ["minimax/*"]}, True, True),
        ({"allow": [ALIAS]}, True, False),
        ({"allow": ["~openai/*"]}, True, False),
        ({"allow": ["*openai/*"]}, True, True),
        ({"allow": ["minimax/*"]}, False, False),
        ({"allow": [TARGET]}, False, False),
    ],
)
def test_a_key_reaches_an_alias_as_its_policy_says_of_both(api, alice, make_key, everywhere, policy, there, named):
    caller = api.with_key(make_key(alice, **policy).token)
    assert set(seen_on(caller).values()) == {there}, seen_on(caller)
    told = [
        *caller.get("/api/models").json()["catalog"],
        *caller.get("/api/models/list").json()["items"],
        *([caller.get(f"/api/models/{ALIAS}").json()] if there else []),
    ]
    assert {row.get("alias_of") for row in told if row["id"] == ALIAS} == (
        {TARGET if named else None} if there else set()
    )
    if policy == {"allow": [ALIAS]}:
        assert TARGET not in str(told)


@pytest.mark.parametrize(
    "change",
    [
        {"active": False}, {"hidden": True}, {"restricted": True}, {"experimental": True},
        {"requires_feature_flag": "beta"}, {"model_id": "openai/gpt-5-renamed"}, {"alias_of": ALIAS},
        {"alias_of": TARGET}, {"alias_of": "openai/gone"},
    ],
    ids=str,
)  # fmt: skip
def test_an_alias_goes_with_its_target_for_everyone(api, alice, ops, everywhere, change):
    assert set(seen_on(api.as_(alice)).values()) == {True}
    AIModel.objects.filter(model_id=TARGET).update(**change)
    assert set(seen_on(api.as_(alice)).values()) == {False}
    # Staff are callers like any other, but that they may ask why.
    assert {route for route, shown in seen_on(api.as_(ops)).items() if shown} == {"explained"}
    assert ALIAS not in ids(api.get("/api/models").json()["catalog"])
    assert api.as_(alice).get("/api/models/access", {"model_id": ALIAS}).status_code == 404


def test_an_alias_whose_target_is_deleted_is_gone_and_returns_with_it(api, alice, alias, make_model):
    AIModel.objects.get(model_id=TARGET).delete()
    assert ALIAS not in ids(api.as_(alice).get("/v1/models").json()["data"])
    make_model(TARGET)
    assert ALIAS in ids(api.as_(alice).get("/v1/models").json()["data"])


@pytest.mark.parametrize(("links", "there"), [(1, True), (2, True), (3, True), (4, False), (9, False)])
def test_a_chain_of_aliases_is_followed_so_far_and_no_further(api, alice, make_key, make_model, links, there):
    make_model("acme/large")
    for n in range(links):
        make_model(f"~acme/{n}", alias_of=f"~acme/{n - 1}" if n else "acme/large")
    assert (f"~acme/{links - 1}" in ids(api.as_(alice).get("/v1/models").json()["data"])) is there
    denied = api.with_key(make_key(alice, deny=["acme/large"]).token)
    assert denied.get("/v1/models").json()["data"] == []


def test_a_circle_of_aliases_ends(api, alice, make_model):
    for n in range(3):
        make_model(f"~acme/{n}", alias_of=f"~acme/{(n + 1) % 3}")
    make_model("~acme/self", alias_of="~acme/self")
    assert api.as_(alice).get("/v1/models").json()["data"] == []
    assert api.as_(alice).get("/api/models/list").json() == {"items": [], "total": 0}


def test_a_grant_of_the_target_opens_the_alias(api, alice, bob, make_model):
    make_model("acme/secret", granted_to=alice)
    make_model("~acme/latest", alias_of="acme/secret")
    assert "~acme/latest" in ids(api.as_(alice).get("/v1/models").json()["data"])
    assert "~acme/latest" not in ids(api.as_(bob).get("/v1/models").json()["data"])


def test_a_custom_model_on_an_alias_is_judged_with_the_target(api, alice, make_key, make_model, alias):
    make_model("mine", owner=alice, base_model=alias)
    deny = api.with_key(make_key(alice, deny=["openai/*"]).token)
    assert api.as_(alice).get("/api/models/mine").json()["base_model_id"] == ALIAS
    assert "alias_of" not in api.as_(alice).get("/api/models/mine").json()
    assert deny.get("/api/models/mine").status_code == 404
    sent = {"id": "two", "name": "Two", "base_model_id": ALIAS}
    writer = api.with_key(make_key(alice, deny=["openai/*"], scopes=["models:read", "custom_models:write"]).token)
    assert writer.post("/api/models/custom", sent).status_code == 400
    AIModel.objects.filter(model_id=ALIAS).update(alias_of=OTHER)
    assert deny.get("/api/models/mine").status_code == 200


def test_a_base_model_out_of_sight_is_not_named_to_the_owner_of_a_delegated_one(api, alice, make_model):
    base = make_model("acme/large")
    make_model("mine", owner=alice, base_model=base, delegated=True)
    caller = api.as_(alice)
    assert caller.get("/api/models/mine").json()["base_model_id"] == "acme/large"
    AIModel.objects.filter(pk=base.pk).update(hidden=True)
    assert caller.get("/api/models/mine").json()["base_model_id"] is None
    assert caller.get("/api/models/custom/mine").json()["base_model_id"] is None
    for guess in ("acme/large", "acme/other"):
        answer = caller.patch("/api/models/custom/mine", {"base_model_id": guess})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["base_model_id"])


def test_a_key_cannot_narrow_itself_to_an_alias_that_its_deny_list_may_come_to_deny(api, alice, make_key, make_model):
    make_model(OTHER)
    make_model(ALIAS, alias_of=OTHER)
    scopes = ["models:read", "keys:write"]
    issued = make_key(alice, deny=["openai/*"], scopes=scopes)
    caller, address = api.with_key(issued.token), f"/api/keys/{issued.key.key_id}"
    assert caller.patch(address, {"mode": "allow_list", "allowed_models": [ALIAS]}).status_code == 403
    assert caller.patch(address, {"mode": "allow_list", "allowed_models": [OTHER]}).status_code == 200


def test_staff_with_a_restricted_key_are_told_nothing_of_an_alias_of_what_it_denies(api, ops, make_key, alias):
    asked = {"model_id": ALIAS}
    for policy, status in (({"deny": [TARGET]}, 404), ({"deny": [OTHER]}, 200), ({"allow": [ALIAS]}, 200)):
        caller = api.with_key(make_key(ops, **policy).token)
        answer = caller.get("/api/models/access", asked)
        assert answer.status_code == status, policy
        assert TARGET not in answer.content.decode()


def test_view_as_shows_an_alias_as_the_key_gets_it(client, ops, alice, make_key, alias):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    key = make_key(alice, deny=["openai/gpt-5"]).key
    page = client.get(reverse("admin:catalog_aimodel_view_as"), {"key": key.key_id, "show": "unseen"})
    lines = {line["row"].model_id: [check.check for check in line["sight"]] for line in page.context["lines"]}
    assert lines == {ALIAS: ["alias_target"], TARGET: ["key_policy"]}


def test_what_upstream_lists_and_the_catalog_has_not_is_judged_with_its_target_too(api, alice, make_key, everywhere):
    AIModel.objects.filter(model_id=ALIAS).delete()
    for policy, there in (({}, True), ({"deny": ["openai/*"]}, False), ({"allow": [ALIAS]}, True)):
        caller = api.with_key(make_key(alice, **policy).token)
        listed = caller.get("/api/models/openrouter").json()["data"]["models"]
        assert (ALIAS in ids(listed)) is there, policy
    AIModel.objects.filter(model_id=TARGET).update(hidden=True)
    listed = api.as_(alice).get("/api/models/openrouter").json()["data"]["models"]
    assert ids(listed) == [OTHER]


def test_hiding_a_target_says_who_loses_the_alias_and_what_is_built_on_it(alice, alias, make_model):
    mine = make_model("mine", owner=alice, base_model=alias)
    target = AIModel.objects.get(model_id=TARGET)
    assert audience.of([target.pk]).models == {target.pk, alias.pk, mine.pk}


def test_a_person_cannot_make_a_model_an_alias_of_itself(alias):
    alias.alias_of = alias.model_id
    with pytest.raises(ValidationError, match="no alias of itself"):
        alias.full_clean()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({TARGET: {"alias_of": ALIAS}}, "leads to no model"),
        ({ALIAS: {"alias_of": "acme/gone"}}, "leads to no model"),
        ({TARGET: {"alias_of": "acme/gone"}}, "leads to no model"),
        ({TARGET: {"hidden": True}}, "is denied to the caller"),
    ],
)
def test_staff_are_told_whether_an_alias_leads_nowhere_or_to_what_is_denied(api, ops, alias, changes, said):
    for name, values in changes.items():
        AIModel.objects.filter(model_id=name).update(**values)
    answer = api.as_(ops).get("/api/models/access", {"model_id": ALIAS}).json()
    assert answer["decided_by"] == "alias_target"
    assert [said in check["detail"] for check in answer["checks"] if not check["ok"]] == [True]


@pytest.mark.parametrize(
    ("model_id", "target", "said"),
    [
        (TARGET, "acme/gone", "There is no model acme/gone"),
        (TARGET, ALIAS, "leads back to itself"),
        (TARGET, "mine", "There is no model mine"),
        (OTHER, "~acme/2", "at most 3 steps"),
        ("acme/end", OTHER, "at most 3 steps"),
        (TARGET, OTHER, None),
        (OTHER, "~acme/1", None),
    ],
)
def test_a_person_makes_no_alias_that_nobody_would_see(alice, alias, make_model, model_id, target, said):
    make_model("acme/end")
    make_model("mine", owner=alice, base_model=alias)
    for n in range(3):
        make_model(f"~acme/{n}", alias_of=f"~acme/{n - 1}" if n else "acme/end")
    if said is None:
        call_command("edit_model", model_id, "--set", f"alias_of={target}")
    else:
        with pytest.raises(CommandError, match=said):
            call_command("edit_model", model_id, "--set", f"alias_of={target}")


def test_an_entry_whose_target_is_gone_is_edited_and_takes_what_its_source_says(alias):
    AIModel.objects.filter(model_id=TARGET).delete()
    call_command("edit_model", ALIAS, "--set", "family=gpt")
    said = {"value": "openai/gone", "source": "openrouter", "since": "2026-01-01T00:00:00+00:00"}
    AIModel.objects.filter(model_id=ALIAS).update(upstream={"alias_of": said}, pinned_fields=["alias_of"])
    call_command("edit_model", ALIAS, "--release", "alias_of")
    assert AIModel.objects.get(model_id=ALIAS).alias_of == "openai/gone"


def test_long_deny_lists_of_a_key_and_its_maker_still_make_one_statement(api, alice, make_key, alias):
    exact = [f"acme/{n}" for n in range(800)]
    wild = [f"acme/{n}*" for n in range(200)]
    maker = make_key(alice, deny=[*exact, *wild]).key
    caller = api.with_key(make_key(alice, deny=[*wild, *exact], made_with=maker).token)
    assert ALIAS in ids(caller.get("/api/models/list").json()["items"])
    assert ALIAS in ids(caller.get("/v1/models").json()["data"])
    assert caller.get("/api/models/tags").status_code == 200
