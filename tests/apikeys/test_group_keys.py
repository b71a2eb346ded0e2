"""Keys of a group: they see what a member of this group alone would who has set nothing, and have nothing of a person."""

import json
import random
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from waffle import get_waffle_flag_model

from apikeys import tokens
from apikeys.models import ApiKey, Scope
from catalog.access import audience
from catalog.access.callers import GroupPrincipal, caller_of
from catalog.dialects.registry import DIALECTS
from catalog.editing import entries
from catalog.editing.history import Author
from catalog.models import AuditEntry, FieldChange
from preferences.models import DefaultModel, ModelPreference, Profile
from tests.export_tokens import export_token
from tests.test_access_matrix import TABLE
from tests.test_what_keys_see import list_upstream, make_world
from tests.worlds import seeds

pytestmark = pytest.mark.django_db

EVERY_SCOPE = list(Scope.values)
SENTENCE = "This key belongs to a group, which has no preferences."
PERSONAL = {
    ("PATCH", "api/models"),
    ("PATCH", "api/settings"),
    ("POST", "api/models/custom"),
    ("POST", "api/keys"),
    ("PATCH", "api/keys/<str:key_id>"),
    ("DELETE", "api/keys/<str:key_id>"),
    ("POST", "api/keys/<str:key_id>/rotate"),
    ("POST", "api/keys/<str:key_id>/exports"),
    ("DELETE", "api/keys/<str:key_id>/exports/<str:export_id>"),
}


@pytest.fixture
def group(db):
    return Group.objects.create(name="research")


# As a fresh member of the group.


@pytest.fixture
def asking(api, make_user, make_key):
    """`asking(group, **policy)`: a client with a key of the group, and one with that of a member of this group alone."""

    def pair(group, **policy):
        member = make_user(f"member{get_user_model().objects.count()}", groups=[group.name])
        keys = make_key(group, **policy), make_key(member, **policy)
        ApiKey.objects.filter(pk__in=[issued.key.pk for issued in keys]).update(scopes=EVERY_SCOPE)
        return [(api.with_key(issued.token), issued.key) for issued in keys]

    return pair


def addresses(models, export, chance):
    """(address, headers) of whatever tells of models."""
    yield from (("/api/models", {}), ("/api/models?format=cli", {}), ("/api/models/tags", {}), ("/api/changes", {}))
    yield from (("/api/settings", {}), ("/api/models/openrouter", {}), ("/openrouter/api/v1/models/user", {}))
    for query in ("", "&view_option=created", "&view_option=shared", "&query=4", "&query=example.com", "&is_enabled=1"):
        yield f"/api/models/list?page_size=200{query}", {}
    for dialect in DIALECTS:
        yield dialect.address.replace("{token}", export).replace("{provider}", "acme"), dict(dialect.headers)
    for model in chance.sample(models, 8):
        path = quote(model.model_id, safe="")
        yield from ((f"/api/models/{path}", {}), (f"/v1/models/{path}", {}), (f"/api/models/custom/{path}", {}))
        yield f"/api/models/access?model_id={path}", {}


def told(answer):
    """The answer without what names the request, or speaks of a user's own switches."""
    body = answer.json()
    if isinstance(body, dict):
        body.pop("request_id", None)
        for check in body.get("checks", ()):
            check["detail"] = "" if check["check"] == "enabled" else check["detail"]
    return answer.status_code, body


@pytest.mark.parametrize("seed", seeds(2, 6))
def test_on_every_route_a_group_sees_what_a_member_would_who_has_set_nothing(asking, make_export, seed, settings):
    settings.OPENROUTER_API_KEY = "a credential of ours"
    world, chance = make_world(seed), random.Random(seed)
    list_upstream(world)
    for flag in get_waffle_flag_model().objects.order_by("pk"):
        flag.groups.set(chance.sample([*Group.objects.order_by("pk")], 1))
    get_waffle_flag_model().objects.create(name="gone", **chance.choice([{"authenticated": True}, {"everyone": True}]))
    for group in Group.objects.order_by("pk"):
        DefaultModel.objects.create(group=group, model=chance.choice(world.models), rank=1)
        policy = chance.choice([{}, {"allow": ["acme/*", "custom*"]}, {"deny": ["*4*"]}])
        (by_group, key), (by_member, members) = asking(group, **policy)
        pairs = zip(
            addresses(world.models, make_export(key), random.Random(seed)),
            addresses(world.models, make_export(members), random.Random(seed)),
            strict=True,
        )
        for (address, headers), (of_member, _) in pairs:
            answers = by_group.get(address, headers=headers), by_member.get(of_member, headers=headers)
            assert told(answers[0]) == told(answers[1]), address


def test_every_route_answers_a_group_as_a_member_but_for_what_only_a_person_has(asking, make_model, group, alice):
    large = make_model("acme/large")
    make_model("acme/small")
    make_model("acme/secret", restricted=True)
    make_model("mine", owner=alice, base_model=large)
    (by_group, _), (by_member, _) = asking(group)
    refused = set()
    for method, route, path, body, _ in TABLE:
        found = []
        for client in (by_member, by_group):
            with transaction.atomic():
                sent = json.dumps(body) if body is not None else ""
                found.append(client.generic(method, f"/{path or route}", sent, "application/json"))
                transaction.set_rollback(True)
        if found[1].status_code == 403 and found[1].json()["message"] == SENTENCE:
            refused.add((method, route))
        else:
            assert found[1].status_code == found[0].status_code, (method, path or route)
    assert refused == PERSONAL


def test_it_has_no_switch_and_no_default_of_those_that_its_members_or_its_maker_set(asking, make_model, group, ops):
    off, on = make_model("acme/off"), make_model("acme/on", enabled_by_default=False)
    for user in (ops, get_user_model().objects.create(username="member")):
        user.groups.add(group)
        Profile.objects.update_or_create(user=user, defaults={"default_model": off, "theme": "dark"})
        ModelPreference.objects.create(user=user, model=off, is_enabled=False)
        ModelPreference.objects.create(user=user, model=on, is_enabled=True)
    (caller, _), _ = asking(group)
    assert [row["id"] for row in caller.get("/api/models").json()["models"]] == ["acme/off"]
    assert caller.get("/api/settings").json() == {
        "default_model": "acme/off",
        "default_model_source": "first_usable",
        "theme": "system",
        "auto_enable_new_models": True,
    }
    DefaultModel.objects.create(group=group, model=off)
    assert caller.get("/api/settings").json()["default_model_source"] == "group"


def test_nothing_is_a_groups_own_not_even_what_nobody_owns(asking, make_model, group):
    base = make_model("acme/large")
    make_model("orphan", base_model=base, granted_to=group)
    (caller, _), _ = asking(group)
    found = {view: caller.get(f"/api/models/list?view_option={view}").json()["items"] for view in ("created", "shared")}
    assert {view: [item["id"] for item in items] for view, items in found.items()} == {
        "created": [],
        "shared": ["orphan"],
    }
    mine = caller.get("/api/changes?mine=true")
    assert (mine.status_code, mine.json()["message"]) == (403, SENTENCE)


def test_a_custom_model_that_the_group_may_write_is_changed_in_the_name_of_the_group(asking, make_model, group, alice):
    make_model("shared", owner=alice, base_model=make_model("acme/large"), granted_to=group, permission="write")
    (caller, key), _ = asking(group)
    assert caller.patch("/api/models/custom/shared", {"name": "Ours"}).status_code == 200
    change = FieldChange.objects.get(subject="shared", field="name")
    assert (change.user, change.actor) == (None, f"the group research with key {key.hint}")


def test_the_current_key_says_whose_it_is(api, alice, group, make_key):
    shown = {
        name: api.with_key(make_key(owner).token).get("/api/keys/current").json()
        for name, owner in (("research", group), ("alice", alice))
    }
    assert (shown["research"]["group"], shown["research"]["scopes"]) == ("research", ["models:read"])
    assert shown["alice"]["group"] is None


def test_a_request_costs_a_group_no_more_statements_than_a_user(api, alice, group, make_key, make_model):
    make_model("acme/large")
    counts = {}
    for name, owner in (("alice", alice), ("group", group)):
        caller = api.with_key(make_key(owner, per_minute=1000).token)
        for address in ("/v1/models", "/api/models", "/api/models/list", "/api/settings"):
            caller.get(address)
            with CaptureQueriesContext(
                connection,
            ) as captured:
                assert caller.get(address).status_code == 200
            counts.setdefault(name, []).append(len(captured))
    assert counts["group"] <= counts["alice"]


# The next request.


def ids(caller):
    return [row["id"] for row in caller.get("/v1/models").json()["data"]]


def test_what_a_group_is_granted_or_holds_is_seen_until_it_is_taken(api, group, make_key, make_model, hold_flag, alice):
    granted = make_model("acme/granted", granted_to=group)
    make_model("acme/beta", requires_feature_flag="beta")
    make_model("acme/hers", granted_to=alice)
    alice.groups.add(group)
    flag = hold_flag("beta", alice)
    caller = api.with_key(make_key(group).token)
    assert ids(caller) == ["acme/granted"]
    flag.groups.add(group)
    assert ids(caller) == ["acme/beta", "acme/granted"]
    granted.grants.all().delete()
    flag.groups.clear()
    assert ids(caller) == []


def test_it_outlives_its_maker_and_ends_with_its_group(api, group, make_key, ops):
    issued = make_key(group, created_by=ops)
    caller = api.with_key(issued.token)
    ops.is_active = False
    ops.save()
    assert caller.get("/v1/models").status_code == 200
    ops.delete()
    assert caller.get("/v1/models").status_code == 200
    group.delete()
    assert caller.get("/v1/models").status_code == 401
    assert AuditEntry.objects.filter(subject_type="apikey", subject_id=str(issued.key.pk), action="create").exists()


def test_an_export_of_a_groups_key_shows_what_it_sees_and_goes_with_the_group(
    api, group, make_key, make_model, make_export
):
    make_model("acme/ours", granted_to=group, pricing={"prompt": "0.1", "completion": "0.1"})
    make_model("acme/secret", restricted=True)
    address = f"/export/{make_export(make_key(group).key)}/api.json"
    assert [*api.get(address).json()["acme"]["models"]] == ["ours"]
    group.delete()
    assert api.get(address).status_code == 404
    assert api.get(f"/export/{export_token(1).text}/api.json").status_code == 404


@pytest.mark.parametrize("owners", [(None, None), ("user", "group")])
def test_a_key_has_one_owner(alice, group, owners):
    whose = {"user": alice if "user" in owners else None, "group": group if "group" in owners else None}
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.create(key_id="k", name="n", hint="h", secret_hash="x", pepper_id="p", **whose)


# Staff.


ADD = "/admin/apikeys/apikey/add/"


def form(**fields):
    return {
        "user": "", "group": "", "name": "k", "mode": "all", "patterns": "", "is_active": "on", "expires_at": "",
        "scopes": ["models:read", "preferences:write"], "per_minute": "", "per_day": "",
    } | fields  # fmt: skip


def made_by(client, user, sent):
    """The errors of the form by field; None where a key was made."""
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post(ADD, sent)
    return None if "mdx_" in answer.content.decode() else answer.context["adminform"].form.errors


def test_staff_make_it_in_the_admin_and_say_clearly_whose_it_is(client, ops, group, alice):
    assert "user" in made_by(client, ops, form())
    assert "user" in made_by(client, ops, form(user=alice.pk, group=group.pk))
    assert "scopes" in made_by(client, ops, form(group=group.pk, scopes=["models:read", "keys:write"]))
    assert not ApiKey.objects.exists()
    assert made_by(client, ops, form(group=group.pk)) is None
    key = ApiKey.objects.get()
    assert (key.user, key.group, key.scopes, key.created_by) == (None, group, ["models:read"], ops)
    assert AuditEntry.objects.get(action="create").changes["group"] == [None, group.pk]
    page = client.get(reverse("admin:apikeys_apikey_change", args=[key.pk])).content.decode()
    assert "research" in page
    assert 'field-user"' not in page
    assert (
        "the group research" in client.get(reverse("admin:apikeys_apikey_changelist") + "?q=research").content.decode()
    )


def test_staff_change_switch_and_revoke_it(client, api, ops, group, make_key):
    issued = make_key(group)
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    address = reverse("admin:apikeys_apikey_change", args=[issued.key.pk])
    assert client.post(address, form(name="other", scopes=["models:read"])).status_code == 302
    assert ApiKey.objects.get().name == "other"
    chosen = {"_selected_action": [issued.key.pk]}
    listed = reverse("admin:apikeys_apikey_changelist")
    for action, status in (("switch_off", 401), ("switch_on", 200)):
        client.post(listed, chosen | {"action": action})
        assert api.with_key(issued.token).get("/v1/models").status_code == status
    preview = client.post(listed, chosen | {"action": "revoke"})
    assert "of the group research" in preview.content.decode()
    client.post(listed, chosen | {"action": "revoke", "confirmed": "1", "_seal": preview.context["seal"]})
    assert api.with_key(issued.token).get("/v1/models").status_code == 401


@pytest.fixture
def clerk(make_user):
    """Staff who may change keys and look at custom models, and are no superuser."""
    user = make_user("clerk", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(Q(content_type__model="apikey") | Q(codename="view_custommodel"))
    )
    return user


def test_who_sees_less_than_the_group_makes_its_key_only_within_their_own_sight(client, clerk, group, make_model):
    make_model("acme/open")
    assert made_by(client, clerk, form(group=group.pk)) is None
    make_model("acme/secret", granted_to=group)
    beyond = made_by(client, clerk, form(group=group.pk))
    assert "models that you do not see and the group research sees" in str(beyond)
    narrow = form(group=group.pk, mode="allow_list", patterns="acme/open")
    assert made_by(client, clerk, narrow) is None
    assert "scopes" in made_by(client, clerk, narrow | {"scopes": ["models:read", "custom_models:write"]})
    asked = {"group": group.pk, "mode": "all"}
    assert "do not see" in client.post(reverse("admin:apikeys_apikey_matches"), asked).json()["told"]


def test_a_group_owns_nothing_of_the_user_who_has_its_number(client, clerk, make_user, make_model):
    twin = make_user("twin")
    group = Group.objects.create(pk=twin.pk, name="twins")
    make_model("preset", owner=twin, base_model=make_model("acme/open"), granted_to=group)
    assert "do not see" in str(made_by(client, clerk, form(group=group.pk)))


def test_the_form_says_what_a_policy_comes_to_for_the_group(client, ops, group, make_model):
    make_model("acme/ours", granted_to=group)
    make_model("acme/secret", restricted=True)
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    sent = {"group": group.pk, "mode": "allow_list", "patterns": "acme/secret"}
    answer = client.post(reverse("admin:apikeys_apikey_matches"), sent).json()["told"]
    assert answer == "Allows 0 of the 1 models that this group sees now. Matches nothing: acme/secret."


def test_view_as_and_explain_show_what_the_key_gets(client, api, ops, group, make_key, make_model):
    make_model("acme/ours", granted_to=group)
    make_model("acme/secret", restricted=True)
    key = make_key(group).key
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(reverse("admin:catalog_aimodel_view_as"), {"key": key.key_id})
    assert (page.context["visible"], "of the group research" in page.content.decode()) == (1, True)
    told = {
        name: api.as_(ops).get(f"/api/models/access?model_id=acme/{name}&key={key.key_id}").json()["usable"]
        for name in ("ours", "secret")
    }
    assert told == {"ours": True, "secret": False}


def test_a_preview_names_the_keys_of_groups_that_lose_sight(group, make_key, make_model):
    model = make_model("acme/ours", granted_to=group)
    for name, policy in (("reaches it", {}), ("does not", {"deny": ["acme/*"]})):
        make_key(group, name=name, **policy)
    before = audience.of([model.pk])
    entries.edit(model, {"hidden": True}, Author.person(None, "test"))
    lost = audience.loss(before, audience.of([model.pk])).keys
    assert [(owner, key.partition(" (")[0]) for owner, key in lost] == [("the group research", "reaches it")]


def test_the_command_makes_it_for_a_group_or_a_user(capsys, group, alice):
    call_command("create_api_key", "--group", "research", "--name", "ci")
    key = ApiKey.objects.get(key_id=tokens.parse(capsys.readouterr().out.strip()).key_id)
    assert (key.user, key.group, key.name, key.scopes) == (None, group, "ci", ["models:read"])
    for words in (
        ["--group", "nobody"],
        ["alice", "--group", "research"],
        [],
        ["--group", "research", "--scope", "keys:write"],
    ):
        with pytest.raises(CommandError):
            call_command("create_api_key", *words)
    call_command("revoke_api_key", key.key_id)
    assert "of the group research." in capsys.readouterr().out


def test_a_group_that_is_deleted_meanwhile_sees_what_anybody_does(group):
    principal = GroupPrincipal(group)
    assert caller_of(principal).viewer.groups == {group.pk}
    group.delete()
    assert caller_of(principal).viewer.is_anonymous


# Members.


def test_members_see_the_keys_of_their_groups_and_can_do_nothing_with_them(
    client, alice, bob, group, make_key, make_model, ops
):
    make_model("acme/ours", granted_to=group)
    make_model("acme/hers", granted_to=alice)
    key = make_key(group, name="ci", created_by=ops).key
    make_key(group, name="ended", revoked_at=key.created_at)
    alice.groups.add(group)
    for user, names in ((alice, ["ci"]), (bob, [])):
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        page = client.get("/me/keys")
        assert [(row.key.name, row.reaches) for row in page.context["group_rows"]] == [(name, 1) for name in names]
        assert page.context["rows"] == []
        assert ("research" in page.content.decode(), "ops</" in page.content.decode()) == (bool(names), False)
        assert f"/me/keys/{key.key_id}" not in page.content.decode()
        assert client.get(f"/me/keys/{key.key_id}").status_code == 404
        assert client.get(f"/api/keys/{key.key_id}").status_code == 404
