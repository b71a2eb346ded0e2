"""catalog/admin, pages by their addresses: each asks for its permission, and ends with the person's account."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.urls import URLPattern

from catalog.models import AccessGrant, AIModel

pytestmark = pytest.mark.django_db

# Pages that are for every member of staff, or for everyone.
OPEN = {"", "login/", "logout/", "password_change/", "password_change/done/", "jsi18n/"}


def patterns(found, prefix=""):
    for pattern in found:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield address
        else:
            yield from patterns(pattern.url_patterns, address)


ADDRESSES = sorted({a for a in patterns(admin.site.urls[0]) if a not in OPEN and not a.startswith(("^", "(?P"))})


def filled(address, pk):
    return "/admin/" + re.sub(r"<[^>]+>", str(pk), address)


def permit(user, *codenames):
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def sam(make_user):
    return make_user("sam", is_staff=True)


@pytest.mark.parametrize("method", ["get", "post"])
def test_staff_without_a_permission_reach_no_page_by_its_address(desk, sam, alice, make_key, make_model, method):
    model = make_model("acme/x")
    make_key(alice)
    assert len(ADDRESSES) > 90
    for address in ADDRESSES:
        answer = getattr(desk(sam), method)(filled(address, model.pk))
        assert answer.status_code in (403, 404, 405) or _leads_nowhere(answer), address
        assert b"acme/x" not in answer.content, address


def _leads_nowhere(answer):
    """Django's answers for what is no row, and for an older form of an address."""
    return answer.status_code == 302 and (answer["Location"] == "/admin/" or answer["Location"].endswith("/change/"))


@pytest.mark.parametrize("lost", ["is_active", "is_staff"])
def test_a_session_in_the_admin_ends_with_the_account(desk, ops, lost):
    client = desk(ops)
    assert client.get("/admin/catalog/aimodel/").status_code == 200
    setattr(ops, lost, False)
    ops.save()
    for address in ("/admin/", "/admin/catalog/aimodel/", "/admin/catalog/aimodel/view-as/"):
        assert client.get(address).status_code == 302
        assert client.post(address, {}).status_code == 302


def test_view_as_needs_the_sight_of_models_too(desk, sam):
    permit(sam, "view_as")
    assert desk(sam).get("/admin/catalog/aimodel/view-as/").status_code == 403


@pytest.mark.parametrize(("kind", "codename"), [("user", "view_user"), ("key", "view_apikey")])
def test_view_as_somebody_needs_the_sight_of_them_too(desk, sam, alice, make_key, kind, codename):
    key = make_key(alice).key
    address = f"/admin/catalog/aimodel/view-as/?{kind}={alice.pk if kind == 'user' else key.key_id}"
    permit(sam, "view_as", "view_aimodel")
    assert desk(sam).get(address).status_code == 403
    assert "alice" not in desk(sam).get("/admin/catalog/aimodel/view-as/").content.decode()
    permit(sam, codename)
    assert desk(sam).get(address).status_code == 200


def test_view_as_shows_custom_models_only_to_who_may_view_them(desk, sam, alice, make_model):
    make_model("private", owner=alice, base_model=make_model("acme/x"))
    permit(sam, "view_as", "view_aimodel", "view_user")
    address = f"/admin/catalog/aimodel/view-as/?user={alice.pk}"
    shown = desk(sam).get(f"{address}&model=private&show=all")
    assert "acme/x" in shown.content.decode()
    assert [line["row"].model_id for line in shown.context["lines"]] == ["acme/x"]
    assert shown.context["explained"] is None
    assert desk(sam).get(f"{address}&dialect=/v1/models").status_code == 403
    permit(sam, "view_custommodel")
    assert "private" in desk(sam).get(f"{address}&dialect=/v1/models").content.decode()


def test_pages_of_people_name_members_and_models_only_to_who_may_view_them(desk, sam, alice, make_model):
    group = Group.objects.create(name="research")
    alice.groups.add(group)
    AccessGrant.objects.create(model=make_model("acme/x"), principal_type="group", group=group)
    AccessGrant.objects.create(model=AIModel.objects.get(), principal_type="user", user=alice)
    permit(sam, "view_group", "view_user")
    pages = [f"/admin/auth/group/{group.pk}/change/", f"/admin/auth/user/{alice.pk}/change/"]
    assert ["acme/x" in desk(sam).get(page).content.decode() for page in pages] == [False, False]
    assert "alice" in desk(sam).get(pages[0]).content.decode()
    permit(sam, "view_accessgrant")
    assert ["acme/x" in desk(sam).get(page).content.decode() for page in pages] == [True, True]
    sam.user_permissions.set(Permission.objects.filter(codename="view_group"))
    assert "alice" not in desk(sam).get(pages[0]).content.decode()


def test_staff_without_the_sight_of_models_ask_why_like_anybody(api, sam, make_model):
    make_model("acme/secret", restricted=True)
    assert api.as_(sam).get("/api/models/access", {"model_id": "acme/secret"}).status_code == 404
    permit(sam, "view_aimodel")
    assert api.as_(sam).get("/api/models/access", {"model_id": "acme/secret"}).json()["decided_by"] == "readable"
