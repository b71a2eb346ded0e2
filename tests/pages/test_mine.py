"""preferences/pages: my models and the editor of custom models."""

import re

import pytest
from django.contrib.auth.models import Group

from catalog.models import AccessGrant, AIModel
from preferences.models import DefaultModel

pytestmark = pytest.mark.django_db


@pytest.fixture
def base(make_model):
    return make_model("acme/base")


@pytest.fixture
def form(visit):
    """`form(alice, "mine", name="Other")`: the editor's fields as its page holds them, with what is typed over them."""

    def fill(user, model_id="", **typed):
        page = visit(user).get(f"/me/models/{model_id or 'new'}")
        held = {name: value for name, value in page.context["typed"].items() if value not in (False, [])}
        return {
            name: value
            for name, value in {**held, "state": page.context["state"], **typed}.items()
            if value is not None
        }

    return fill


NEW = {"id": "writer", "name": "Writer", "base_model_id": "acme/base", "params": '{"temperature": 0.2}'}


def test_it_tells_mine_shared_and_switched_off(visit, alice, bob, base, make_model):
    make_model("mine", owner=alice, base_model=base, active=False)
    make_model("bobs", owner=bob, base_model=base, granted_to=alice)
    make_model("private", owner=bob, base_model=base)
    visit(alice).post("/me/models", {"off": "acme/base"})
    page = visit(alice).get("/me/models").context
    assert [model.model_id for model in page["mine"]] == ["mine"]
    assert [model.model_id for model in page["shared"]] == ["bobs"]
    assert [item["id"] for item in page["off"]] == ["acme/base"]


def test_it_tells_my_default_and_why_it_is_that(visit, alice, base, make_model):
    make_model("acme/site")
    assert "nobody has chosen one" in visit(alice).get("/me/models").context["why"]
    DefaultModel.objects.create(model=AIModel.objects.get(model_id="acme/site"))
    page = visit(alice).get("/me/models").context
    assert (page["default"]["id"], page["why"]) == ("acme/site", "because it is the default of this site")
    visit(alice).post("/me/models", {"default": "acme/base"})
    assert visit(alice).get("/me/models").context["why"] == "because you chose it"
    AIModel.objects.filter(pk=base.pk).update(is_available=False)
    page = visit(alice).get("/me/models").context
    assert (page["default"]["id"], page["waiting"]["id"]) == ("acme/site", "acme/base")


def test_a_default_that_cannot_be_used_is_refused_in_words(visit, alice, make_model):
    make_model("acme/gone", is_available=False)
    page = visit(alice).post("/me/models", {"default": "acme/gone"}, follow=True)
    assert "This is no model that you may use." in page.content.decode()


def test_broken_ones_are_counted_and_what_is_out_of_sight_is_not_named(visit, alice, base, make_model):
    make_model("broken", owner=alice, base_model=make_model("acme/secret", restricted=True))
    page = visit(alice).get("/me/models")
    assert page.context["broken"] == 1
    assert b"acme/secret" not in page.content


def test_a_custom_model_is_made_and_changed_by_a_form(visit, alice, base, form):
    assert visit(alice).post("/me/models/new", form(alice, **NEW))["Location"] == "/me/models"
    made = AIModel.objects.get(model_id="writer")
    assert (made.owner, made.base_model, made.params, made.active) == (alice, base, {"temperature": 0.2}, True)
    visit(alice).post("/me/models/writer", form(alice, "writer", name="Other", is_active=None))
    made.refresh_from_db()
    assert (made.name, made.active, made.params) == ("Other", False, {"temperature": 0.2})


@pytest.mark.django_db(transaction=True)
def test_nul_is_a_mistake_of_the_form_and_none_of_the_server(visit, alice, base, form):
    browser = visit(alice)
    browser.raise_request_exception = False
    for sent in ({"on": "a\0b"}, {"off": "a\0b"}, {"default": "a\0b"}):
        assert browser.post("/me/models", sent).status_code in (303, 400, 404)
    for name in (*NEW, "people", "groups", "state", "next"):
        assert browser.post("/me/models/new", form(alice, **NEW | {name: "a\0b"})).status_code in (303, 400)
    assert browser.post("/me/settings", {"settings": "", "default_model": "a\0b"}).status_code == 400


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"id": "a/b"}, "id"),
        ({"id": "taken"}, "id"),
        ({"name": ""}, "name"),
        ({"base_model_id": "acme/secret"}, "base_model_id"),
        ({"base_model_id": "acme/nobody"}, "base_model_id"),
        ({"params": "{"}, "params"),
        ({"params": "[1]"}, "params"),
        ({"params": '{"a": NaN}'}, "params"),
        ({"people": "nobody"}, "people"),
        ({"groups": "999"}, "groups"),
    ],
)
def test_a_mistake_stands_at_its_field_and_what_was_typed_stays(visit, alice, base, form, make_model, typed, field):
    make_model("taken")
    make_model("acme/secret", restricted=True)
    page = visit(alice).post("/me/models/new", form(alice, **NEW | {"description": "typed"} | typed))
    assert (page.status_code, list(page.context["mistakes"])) == (400, [field])
    assert f'id="mistake-{field}"' in page.content.decode()
    assert "typed</textarea>" in page.content.decode()
    assert not AIModel.objects.filter(model_id="writer").exists()


def test_a_base_is_searched_for_among_what_one_may_use_and_what_was_typed_stays(visit, alice, base, form, make_model):
    make_model("acme/secret", restricted=True)
    make_model("acme/off", enabled_by_default=False)
    sent = {**NEW, "base_model_id": "", "search": "1", "find": "acme"}
    page = visit(alice).post("/me/models/new", form(alice, **sent))
    assert (page.status_code, [pick.id for pick in page.context["picks"]]) == (200, ["acme/base"])
    assert 'value="Writer"' in page.content.decode()
    assert not AIModel.objects.filter(model_id="writer").exists()


def test_a_base_that_was_picked_stays_although_nobody_offers_it_now(visit, alice, base, make_model):
    make_model("mine", owner=alice, base_model=base)
    AIModel.objects.filter(pk=base.pk).update(is_available=False)
    page = visit(alice).get("/me/models/mine")
    assert [(pick.id, pick.is_picked) for pick in page.context["picks"]] == [("acme/base", True)]


def test_who_will_see_it_is_told_before_anything_is_saved(visit, alice, bob, make_user, base, form):
    make_user("carol", groups=["research"])
    alice.groups.add(Group.objects.get(name="research"))
    AccessGrant.objects.create(model=base, principal_type="user", user=alice)
    AccessGrant.objects.create(model=base, principal_type="group", group=Group.objects.get(name="research"))
    typed = form(alice, **NEW, people="bob", groups=str(Group.objects.get().pk), preview="1")
    page = visit(alice).post("/me/models/new", typed)
    assert page.context["seen"] == {"number": 1, "blind": ["bob"], "is_whole": True}
    assert not AIModel.objects.filter(model_id="writer").exists()


def test_sharing_keeps_who_may_write_and_takes_whom_the_form_drops(
    visit, alice, bob, make_user, base, form, make_model
):
    carol = make_user("carol")
    model = make_model("mine", owner=alice, base_model=base, granted_to=bob, permission="write")
    visit(alice).post("/me/models/mine", form(alice, "mine", people="bob\ncarol"))
    assert dict(model.grants.values_list("user", "permission")) == {bob.pk: "write", carol.pk: "read"}
    visit(alice).post("/me/models/mine", form(alice, "mine", people="carol"))
    assert dict(model.grants.values_list("user", "permission")) == {carol.pk: "read"}


def test_of_two_who_edit_at_once_the_second_is_shown_what_the_first_saved(visit, alice, bob, base, form, make_model):
    make_model("mine", owner=alice, base_model=base, granted_to=bob, permission="write")
    of_alice, of_bob = form(alice, "mine", name="Of Alice"), form(bob, "mine", name="Of Bob")
    assert visit(bob).post("/me/models/mine", of_bob).status_code == 303
    page = visit(alice).post("/me/models/mine", of_alice)
    assert page.status_code == 409
    assert page.context["theirs"] == [("Name", "Of Bob", "Of Alice")]
    assert AIModel.objects.get(model_id="mine").name == "Of Bob"
    again = of_alice | {"state": re.search(r'name="state" value="([^"]+)"', page.content.decode())[1]}
    assert visit(alice).post("/me/models/mine", again).status_code == 303
    assert AIModel.objects.get(model_id="mine").name == "Of Alice"


def test_it_is_deleted_as_it_was_seen_or_not_at_all(visit, alice, base, form, make_model):
    make_model("mine", owner=alice, base_model=base)
    assert visit(alice).post("/me/models/mine", {"delete": "1", "state": "old"}).status_code == 409
    assert (
        visit(alice).post("/me/models/mine", {"delete": "1", "state": form(alice, "mine")["state"]}).status_code == 303
    )
    assert not AIModel.objects.filter(model_id="mine").exists()


def test_who_may_only_read_it_is_refused_and_others_do_not_find_it(visit, alice, bob, make_user, base, make_model):
    make_model("mine", owner=alice, base_model=base, granted_to=bob)
    assert visit(bob).get("/me/models/mine").status_code == 403
    assert visit(make_user("carol")).get("/me/models/mine").status_code == 404
    assert visit(bob).post("/me/models/mine", {"name": "x"}).status_code == 403
