"""GET /api/models/access: why somebody can or cannot see and use a model."""

import pytest
from django.contrib.auth.models import Permission

from preferences.models import ModelPreference

PATH = "/api/models/access"
ORDER = [
    "active", "not_hidden", "feature_flag", "experimental", "readable", "key_policy", "alias_target", "base_model",
    "available", "enabled",
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "decided_by"),
    [
        ({}, None),
        ({"active": False}, "active"),
        ({"hidden": True}, "not_hidden"),
        ({"requires_feature_flag": "beta"}, "feature_flag"),
        ({"experimental": True}, "experimental"),
        ({"restricted": True}, "readable"),
        ({"is_available": False}, "available"),
        ({"enabled_by_default": False}, "enabled"),
        ({"hidden": True, "active": False}, "active"),
    ],
)
def test_staff_are_told_the_first_condition_that_fails(api, ops, make_model, fields, decided_by):
    make_model("acme/large", **fields)
    told = api.as_(ops).get(PATH, {"model_id": "acme/large"}).json()
    assert [check["check"] for check in told["checks"]] == ORDER
    assert told["decided_by"] == decided_by
    assert told["usable"] is (decided_by is None)
    assert told["visible"] is (decided_by in (None, "available", "enabled"))
    assert all(check["detail"] for check in told["checks"])


def test_others_are_told_of_what_they_find_and_of_nothing_else(api, alice, make_model):
    seen = make_model("acme/large")
    make_model("acme/secret", restricted=True)
    ModelPreference.objects.create(user=alice, model=seen, is_enabled=False)
    caller = api.as_(alice)
    assert caller.get(PATH, {"model_id": "acme/large"}).json()["decided_by"] == "enabled"
    hidden, unknown = (caller.get(PATH, {"model_id": name}) for name in ("acme/secret", "acme/none"))
    assert (hidden.status_code, unknown.status_code) == (404, 404)
    assert {**hidden.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
    assert api.get(PATH, {"model_id": "acme/large"}).status_code == 401


def test_an_owner_is_told_why_an_inactive_one_cannot_be_used(api, alice, make_model):
    make_model("mine", owner=alice, base_model=make_model("acme/large"), active=False)
    assert api.as_(alice).get(PATH, {"model_id": "mine"}).json()["decided_by"] == "active"


def test_a_preset_without_sight_of_its_base_says_so(api, ops, alice, bob, make_model):
    base = make_model("acme/secret", granted_to=alice)
    make_model("hers", owner=alice, base_model=base, granted_to=bob)
    staff = api.as_(ops)
    assert staff.get(PATH, {"model_id": "hers", "user": "bob"}).json()["decided_by"] == "base_model"
    assert staff.get(PATH, {"model_id": "hers", "user": "alice"}).json()["decided_by"] is None
    assert api.as_(bob).get(PATH, {"model_id": "hers"}).status_code == 404


@pytest.mark.parametrize("permitted", [True, False])
def test_only_staff_with_the_permission_ask_for_others(api, bob, make_user, make_model, permitted):
    clerk = make_user("clerk", is_staff=True)
    if permitted:
        clerk.user_permissions.add(Permission.objects.get(codename="view_as"))
    make_model("acme/secret", granted_to=bob)
    response = api.as_(clerk).get(PATH, {"model_id": "acme/secret", "user": "bob"})
    assert response.status_code == (200 if permitted else 403)
    assert not permitted or response.json()["visible"] is True


def test_somebody_else_asks_for_nobody(api, alice, bob, make_model):
    make_model("acme/large")
    assert api.as_(alice).get(PATH, {"model_id": "acme/large", "user": "bob"}).status_code == 403


def test_the_policy_of_a_key_is_explained_to_staff(api, ops, alice, make_key, make_model):
    make_model("acme/large")
    key = make_key(alice, allow=["acme/small"])
    told = api.as_(ops).get(PATH, {"model_id": "acme/large", "key": key.key.key_id}).json()
    assert (told["visible"], told["decided_by"]) == (False, "key_policy")
    assert api.with_key(key.token).get(PATH, {"model_id": "acme/large"}).status_code == 404


def test_a_key_of_staff_learns_nothing_outside_its_policy(api, ops, make_key, make_model):
    make_model("acme/large", hidden=True)
    narrow = api.with_key(make_key(ops, allow=["acme/small"]).token)
    assert narrow.get(PATH, {"model_id": "acme/large"}).status_code == 404
    assert narrow.get(PATH, {"model_id": "acme/large", "user": "ops"}).status_code == 404


@pytest.mark.parametrize(
    "query",
    ["", "model_id=", "model_id=acme/large&user=nobody", "model_id=acme/large&key=none", "model_id=a&user=a&key=b"],
)
def test_a_question_that_names_nobody_is_refused(api, ops, make_model, query):
    make_model("acme/large")
    assert api.as_(ops).get(f"{PATH}?{query}").status_code == 400
