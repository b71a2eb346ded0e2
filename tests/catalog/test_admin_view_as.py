"""catalog/admin/view_as.py and mends.py: what decides, how to change it, and a dialect's answer in pages and as bytes."""

import json

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from catalog.access.rules import EXPERIMENTAL_FLAG
from catalog.models import AccessGrant
from tests.catalog.test_admin_permissions import permit

pytestmark = pytest.mark.django_db

PAGE = "/admin/catalog/aimodel/view-as/"


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


def why(client, user, model):
    return client.get(PAGE, {"user": user.pk, "model": model.model_id})


@pytest.mark.parametrize(
    ("fields", "check", "ways"),
    [
        ({"active": False, "hidden": True}, "active", ["Change acme/x"]),
        ({"hidden": True}, "not_hidden", ["Change acme/x"]),
        ({"requires_feature_flag": "beta"}, "feature_flag", ["Make the flag beta", "Change acme/x"]),
        ({"experimental": True}, "experimental", [f"Make the flag {EXPERIMENTAL_FLAG}", "Change acme/x"]),
        ({"is_available": False}, "available", ["Change acme/x", "Its offers"]),
        ({"enabled_by_default": False}, "enabled", ["Change acme/x"]),
    ],
)
def test_the_check_that_decides_comes_first_with_the_ways_to_change_it(staff, alice, make_model, fields, check, ways):
    context = why(staff, alice, make_model("acme/x", **fields)).context
    assert context["deciding"].check == check
    assert [way.label for way in context["mends"]] == ways


def test_a_grant_is_given_by_the_button_beside_the_reason(staff, bob, alice, make_model):
    model = make_model("acme/secret", granted_to=alice)
    AccessGrant.objects.create(model=model, principal_type="group", group=Group.objects.create(name="research"))
    page = why(staff, bob, model)
    assert "User bob does not see it: <strong>The entry is only for those granted" in page.content.decode()
    grant, its_grants, groups = page.context["mends"]
    assert (its_grants.label, groups.label) == ("Its grants (research)", "The groups of bob")
    staff.post(grant.address, {**grant.form, "_save": "1"})
    assert why(staff, bob, model).context["deciding"] is None


def test_what_a_key_is_refused_by_its_policy_leads_to_the_key(staff, alice, make_model, make_key):
    model, key = make_model("acme/x"), make_key(alice, allow=["other/*"]).key
    context = staff.get(PAGE, {"key": key.key_id, "model": model.model_id}).context
    assert [way.address for way in context["mends"]] == [reverse("admin:apikeys_apikey_change", args=[key.pk])]


def test_an_alias_leads_to_what_it_stands_for(staff, bob, alice, make_model):
    make_model("acme/secret", granted_to=alice)
    way = why(staff, bob, make_model("acme/alias", alias_of="acme/secret")).context["mends"][0]
    assert way.label == "Why not acme/secret"
    assert staff.get(f"{PAGE}{way.address}").context["deciding"].check == "readable"


def test_who_may_only_look_is_shown_no_way(client, alice, make_model, make_user):
    sam = make_user("sam", is_staff=True)
    permit(sam, "view_as", "view_aimodel", "view_user")
    client.force_login(sam, backend="django.contrib.auth.backends.ModelBackend")
    context = why(client, alice, make_model("acme/x", granted_to=sam)).context
    assert (context["deciding"].check, context["mends"]) == ("readable", [])


@pytest.mark.parametrize("dialect", ["/v1/models", "/v1/model/info", "/api/models"])
def test_a_dialects_answer_is_read_in_pages_and_kept_byte_for_byte(staff, api, alice, make_model, dialect):
    for number in range(60):
        make_model(f"acme/m{number:02}")
    asked = {"user": alice.pk, "dialect": dialect}
    first, second = (staff.get(PAGE, {**asked, "p": p}).context for p in (1, 2))
    assert (first["page"].paginator.count, len(second["page"].object_list)) == (60, 10)
    assert "acme/m00" in first["text"]
    assert "acme/m59" in second["text"]
    assert "acme/m59" not in first["text"]
    kept = staff.get(PAGE, {**asked, "download": "1"})
    assert kept["Content-Disposition"].startswith('attachment; filename="user-alice-')
    assert json.loads(kept.content) == api.as_(alice).get(dialect).json()


def test_users_are_found_by_search_and_not_listed(staff, alice):
    page = staff.get(PAGE).content.decode()
    assert "admin-autocomplete" in page
    assert "alice" not in page
