"""catalog/access/rights.py: keys that staff make for others give no more than both have."""

import pytest
from django.contrib.auth.models import Permission

from apikeys.models import ApiKey
from catalog.models import AccessGrant, AIModel, CustomModel
from tests.catalog.rights.desk import confirmed, keys, page

pytestmark = pytest.mark.django_db


def test_staff_switch_off_switch_on_and_revoke_only_keys_of_who_has_less(world, desk, clerk, api):
    actor = clerk(ApiKey)
    wanted = {"_selected_action": keys(ApiKey), "confirmed": "yes"}
    desk(actor).post("/admin/apikeys/apikey/", wanted | {"action": "switch_off"})
    above = {"chief", "ops"}
    assert {key.user.username for key in ApiKey.objects.filter(is_active=True)} == above
    answer = desk(actor).post("/admin/apikeys/apikey/", wanted | {"action": "switch_on"}, follow=True)
    owners = set(ApiKey.objects.filter(is_active=True).values_list("user__username", flat=True))
    # The group's key names what the clerk sees; that of the group with a flag, every model.
    assert owners == {"alice", "bob", None, *above}
    assert not ApiKey.objects.filter(is_active=True, mode="all").exists()
    assert "ops is a superuser" in answer.content.decode()
    confirmed(desk(actor), "/admin/apikeys/apikey/", wanted | {"action": "revoke"})
    assert {key.user.username for key in ApiKey.objects.filter(revoked_at=None)} == above


def test_a_key_for_who_sees_more_names_models_that_its_maker_sees(world, desk, clerk, bob):
    actor = clerk(ApiKey)
    sent = {"user": bob.pk, "name": "k", "mode": "all", "patterns": "", "is_active": "on", "scopes": ["models:read"],
            "expires_at": "", "per_minute": "", "per_day": ""}  # fmt: skip
    refused = desk(actor).post("/admin/apikeys/apikey/add/", sent)
    assert "models that you do not see" in str(refused.context["adminform"].form.errors["patterns"])
    unseen = desk(actor).post("/admin/apikeys/apikey/add/", sent | {"mode": "allow_list", "patterns": "acme/secret"})
    assert "There is no model" in str(unseen.context["adminform"].form.errors["patterns"])
    made = desk(actor).post("/admin/apikeys/apikey/add/", sent | {"mode": "allow_list", "patterns": "acme/open"})
    assert "mdx_" in made.content.decode()


def test_what_a_policy_comes_to_is_not_told_of_who_sees_more(world, desk, clerk, ops, alice):
    actor = clerk(ApiKey)
    told = {
        user.username: desk(actor).post("/admin/apikeys/apikey/matches", {"user": user.pk, "mode": "all"}).json()
        for user in (ops, alice)
    }
    assert "superuser" in told["ops"]["told"]
    assert told["alice"]["told"].startswith("Allows")


@pytest.mark.parametrize(
    ("also", "sent", "named"),
    [
        ((), {"patterns": "her*\nacme/open"}, "patterns"),
        ((), {"patterns": "acme/open", "scopes": ["models:read", "custom_models:write"]}, "scopes"),
        ((), {"patterns": "acme/open"}, None),
        ((CustomModel,), {"patterns": "her*\nacme/open", "scopes": ["models:read", "custom_models:write"]}, None),
    ],
)
def test_a_key_made_for_another_does_not_open_what_they_keep_to_themselves(
    world, desk, clerk, alice, also, sent, named
):
    actor = clerk(ApiKey, *also)
    form = {"user": str(alice.pk), "name": "k", "mode": "allow_list", "scopes": ["models:read"], "is_active": "on"}
    before = ApiKey.objects.count()
    answer = desk(actor).post(page(ApiKey, "add"), form | sent)
    if named is None:
        assert ApiKey.objects.count() == before + 1
    else:
        assert list(answer.context["adminform"].form.errors) == [named]
        assert ApiKey.objects.count() == before


@pytest.mark.parametrize(
    ("scope", "permission"),
    [
        ("preferences:write", "change_user"),
        ("custom_models:write", "change_custommodel"),
        ("keys:write", "change_apikey"),
    ],
)
@pytest.mark.parametrize("may", [False, True])
def test_a_key_made_for_another_writes_only_what_its_maker_may_change(
    world, desk, clerk, alice, scope, permission, may
):
    actor = clerk(ApiKey)
    held = Permission.objects.get(codename=permission)
    (actor.user_permissions.add if may else actor.user_permissions.remove)(held)
    sent = {"user": alice.pk, "name": "k", "mode": "allow_list", "patterns": "acme/open", "is_active": "on"}
    answer = desk(actor).post(page(ApiKey, "add"), sent | {"scopes": ["models:read", scope]})
    assert ("mdx_" in answer.content.decode()) is may
    assert may or "so no key that you make for them may" in str(answer.context["adminform"].form.errors["scopes"])
    mine = desk(actor).post(page(ApiKey, "add"), sent | {"user": actor.pk, "scopes": ["models:read", scope]})
    assert "mdx_" in mine.content.decode()


def test_what_an_owner_is_granted_later_a_key_that_staff_made_opens_until_the_owner_ends_it(
    world, desk, clerk, alice, api
):
    """The decision: a key is its owner's, with what they have at each moment. Its maker gave no more than they had."""
    sent = {"user": alice.pk, "name": "k", "mode": "allow_list", "patterns": "acme/*", "is_active": "on"}
    shown = desk(clerk(ApiKey)).post(page(ApiKey, "add"), sent | {"scopes": ["models:read"]}).context
    key = api.with_key(shown["token"])
    assert key.get("/api/models/acme/secret").status_code == 404
    AccessGrant.objects.create(model=AIModel.objects.get(model_id="acme/secret"), principal_type="user", user=alice)
    assert key.get("/api/models/acme/secret").status_code == 200
    assert api.as_(alice).delete(f"/api/keys/{shown['made'].key_id}").status_code == 204
    assert key.get("/api/models/acme/secret").status_code == 401
