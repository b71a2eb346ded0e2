"""catalog/admin/grants.py and editing/grants.py: a list of their own, however many an entry has."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import AccessGrant, AIModel, CatalogVersion, FieldChange
from tests.admin_forms import fields_of

pytestmark = pytest.mark.django_db

LIST = "/admin/catalog/accessgrant/"


@pytest.fixture
def crowded(make_model, alice):
    """A model with 400 grants."""
    model = make_model("acme/shared", restricted=True)
    users = get_user_model().objects.bulk_create(get_user_model()(username=f"user{n:03}") for n in range(400))
    AccessGrant.objects.bulk_create(
        AccessGrant(model=model, principal_type="user", user=user, permission="read") for user in users
    )
    return model


def asked(client, address):
    client.get(address)
    with CaptureQueriesContext(connection) as queries:
        page = client.get(address)
    assert page.status_code == 200
    return len(queries), page


@pytest.mark.parametrize("of", ["entry", "custom"])
def test_a_model_with_400_grants_opens_in_few_queries_and_is_saved(desk, ops, crowded, make_model, alice, of):
    model, kind = crowded, "aimodel"
    if of == "custom":
        model, kind = make_model("preset", owner=alice, base_model=make_model("acme/base")), "custommodel"
        AccessGrant.objects.filter(model=crowded).update(model=model)
    address = f"/admin/catalog/{kind}/{model.pk}/change/"
    few, _ = asked(desk(ops), f"/admin/catalog/{kind}/{make_twin(make_model, model).pk}/change/")
    many, page = asked(desk(ops), address)
    assert many <= few + 1 <= 20
    assert "Grants: 400" in page.content.decode()
    assert f"{LIST}?model__id__exact={model.pk}" in page.content.decode()
    form = fields_of(page.content.decode(), f"{kind}_form")
    assert desk(ops).post(address, {**form, "name": "Saved", "_save": "Save"}).status_code == 302
    model.refresh_from_db()
    assert (model.name, model.grants.count()) == ("Saved", 400)


def make_twin(make_model, model):
    """One like it without grants."""
    return make_model(f"{model.model_id}-2", owner=model.owner, base_model=model.base_model)


def test_the_grants_of_one_model_are_searched_in_pages_and_few_queries(desk, ops, crowded, make_model, alice):
    make_model("acme/other", granted_to=alice)
    address = f"{LIST}?model__id__exact={crowded.pk}"
    queries, page = asked(desk(ops), address)
    assert queries <= 12
    assert (page.context["cl"].result_count, len(page.context["cl"].result_list)) == (400, 50)
    assert "Grants of acme/shared" in page.content.decode()
    found = desk(ops).get(f"{address}&q=user123").context["cl"].result_list
    assert [grant.user.username for grant in found] == ["user123"]


def add(client, **fields):
    form = {"principal_type": "user", "user": "", "group": "", "permission": "read", "_save": "Save", **fields}
    return client.post(f"{LIST}add/", form)


def test_a_grant_to_an_open_model_first_says_who_would_lose_sight(desk, ops, make_model, alice, bob):
    make_model("acme/open")
    before = CatalogVersion.objects.current()
    page = add(desk(ops), model="acme/open", user=alice.pk)
    names = [name for name, _ in page.context["loss"].users]
    assert ("bob" in names, "alice" in names) == (True, False)
    assert not AccessGrant.objects.exists()
    sent = dict(page.context["fields"])
    assert add(desk(ops), **sent, _narrow="1", _seal="made up").status_code == 200
    assert not AccessGrant.objects.exists()
    assert add(desk(ops), **sent, _narrow="1", _seal=page.context["seal"]).status_code == 302
    assert AccessGrant.objects.get().user == alice
    assert set(FieldChange.objects.values_list("field", flat=True)) == {"grants", "restricted"}
    assert CatalogVersion.objects.current() > before


def test_a_form_for_a_grant_knows_the_model_whose_list_one_comes_from(desk, ops, make_model):
    model = make_model("acme/m")
    page = desk(ops).get(f"{LIST}add/", {"_changelist_filters": f"model__id__exact={model.pk}"})
    assert fields_of(page.content.decode(), "accessgrant_form")["model"] == "acme/m"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"model": "no/such"}, "There is no model with this id."),
        ({"user": ""}, "Name the user or the group"),
        ({"principal_type": "everyone"}, "Name the user or the group"),
        ({"principal_type": "root"}, "not one of the available choices"),
    ],
    ids=str,
)
def test_a_grant_that_cannot_be_is_refused_in_words(desk, ops, make_model, alice, fields, told):
    make_model("acme/m")
    page = add(desk(ops), **{"model": "acme/m", "user": alice.pk, **fields})
    assert told in str(page.context["adminform"].form.errors)
    assert not AccessGrant.objects.exists()


def test_a_grant_that_is_there_already_is_refused_in_words(desk, ops, make_model, alice):
    make_model("acme/m", granted_to=alice)
    page = add(desk(ops), model="acme/m", user=alice.pk, permission="write")
    assert "There is this grant already; it permits to read." in page.content.decode()


def test_grants_are_taken_away_after_a_look_at_who_loses_sight(desk, ops, crowded, alice):
    taken = list(crowded.grants.all()[:3])
    form = {"action": "take", "_selected_action": [grant.pk for grant in taken], "_asked": "1"}
    page = desk(ops).post(LIST, form)
    assert [name for name, _ in page.context["preview"].loss.users] == ["user000", "user001", "user002"]
    assert "user user000: read" in page.content.decode()
    assert crowded.grants.count() == 400
    desk(ops).post(LIST, {**form, "_confirmed": page.context["preview"].seal})
    assert crowded.grants.count() == 397
    change = FieldChange.objects.get()
    assert (change.field, len(change.old), len(change.new), change.actor) == ("grants", 400, 397, "ops")
    assert AIModel.objects.get(pk=crowded.pk).restricted


def test_the_last_grant_taken_away_leaves_the_model_to_nobody(desk, ops, make_model, alice):
    model = make_model("acme/m", granted_to=alice)
    grant = model.grants.get()
    page = desk(ops).get(f"{LIST}{grant.pk}/delete/")
    assert "alice" in page.content.decode()
    sent = {"_asked": "1", "_confirmed": page.context["preview"].seal}
    assert desk(ops).post(f"{LIST}{grant.pk}/delete/", sent).status_code == 302
    model.refresh_from_db()
    assert (model.grants.count(), model.restricted) == (0, True)


def test_all_that_a_search_finds_may_be_changed_at_once(desk, ops, crowded):
    form = {"action": "permit", "select_across": "1", "index": "0", "permission": "write", "_asked": "1",
            "_selected_action": [crowded.grants.first().pk]}  # fmt: skip
    address = f"{LIST}?model__id__exact={crowded.pk}&q=user12"
    seal = desk(ops).post(address, form).context["preview"].seal
    with CaptureQueriesContext(connection) as queries:
        desk(ops).post(address, {**form, "_confirmed": seal})
    assert crowded.grants.filter(permission="write").count() == 10
    assert len(queries) < 40


def test_a_grants_own_page_changes_what_it_permits_and_nothing_else(desk, ops, make_model, alice, bob):
    grant = make_model("acme/m", granted_to=alice).grants.get()
    address = f"{LIST}{grant.pk}/change/"
    desk(ops).post(address, {"permission": "write", "user": bob.pk, "_save": "Save"})
    grant.refresh_from_db()
    assert (grant.permission, grant.user) == ("write", alice)
    assert FieldChange.objects.get().new[0]["permission"] == "write"


def test_history_names_the_grants_that_differ_and_no_others(desk, ops, crowded):
    Group.objects.create(name="research")
    add(desk(ops), model="acme/shared", principal_type="group", group=Group.objects.get().pk)
    page = desk(ops).get(f"/admin/catalog/aimodel/{crowded.pk}/history/").content.decode()
    assert "group research: read" in page
    assert "user000" not in page


@pytest.mark.parametrize(
    ("codename", "action"), [("delete_accessgrant", "take"), ("change_accessgrant", "permit")], ids=str
)
def test_each_act_needs_its_own_permission(desk, make_user, make_model, alice, codename, action):
    grant = make_model("acme/m", granted_to=alice).grants.get()
    sam = make_user("sam", is_staff=True)
    named = {"view_accessgrant", "change_accessgrant", "delete_accessgrant"} - {codename}
    sam.user_permissions.set(Permission.objects.filter(codename__in=named))
    desk(sam).post(LIST, {"action": action, "_selected_action": [grant.pk], "_asked": "1", "permission": "write"})
    if action == "take":
        assert desk(sam).post(f"{LIST}{grant.pk}/delete/", {"_asked": "1"}).status_code == 403
    assert AccessGrant.objects.get(permission="read") == grant
