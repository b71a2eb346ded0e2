"""catalog/access/rights.py: what staff do all day goes on, and what they may not do is refused in words."""

import json

import pytest
from django.contrib.auth.models import Group, Permission

from catalog.editing import custom_models, entries
from catalog.editing.history import Author
from catalog.models import AccessGrant, AIModel, AuditEntry, CustomModel, FieldChange
from providers.models import Provider
from tests.admin_forms import fields_of
from tests.catalog.rights.desk import Flag, User, confirmed, grant_to_clerk, key_of, keys, page, permissions, send

pytestmark = pytest.mark.django_db


def test_staff_still_change_who_has_less(world, desk, clerk, alice):
    actor = clerk(User)
    address = f"/admin/auth/user/{alice.pk}/change/"
    mine = str(Permission.objects.get(codename="view_user").pk)
    plain = str(Group.objects.get(name="plain").pk)
    answer = send(desk(actor), address, "user_form", first_name="Ada", groups=[plain], user_permissions=[mine])
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert (alice.first_name, alice.groups.get().name) == ("Ada", "plain")
    told = AuditEntry.objects.get(subject_id=str(alice.pk), subject_type="user").changes
    assert told["first_name"] == ["Alice", "Ada"]
    assert told["groups"] == [[], ["plain"]]


def test_who_sees_more_keeps_what_they_have_and_what_they_sign_in_with(world, desk, clerk, bob):
    actor = clerk(User)
    bob.groups.add(Group.objects.get(name="research"))
    answer = send(desk(actor), f"/admin/auth/user/{bob.pk}/change/", "user_form", last_name="Other", username="taken")
    assert answer.status_code == 302
    bob.refresh_from_db()
    assert (bob.username, bob.last_name, bob.groups.get().name) == ("bob", "Other", "research")


@pytest.mark.parametrize(
    ("name", "told"),
    [("ops", "is a superuser"), ("chief", "a permission that you do not have"), ("peer", "the same rights as you")],
)
def test_who_has_as_much_or_more_is_looked_at_and_not_changed(world, desk, clerk, make_user, name, told):
    actor = clerk(User)
    make_user("peer", is_staff=True).user_permissions.set(permissions(User))
    user = User.objects.get(username=name)
    address = f"/admin/auth/user/{user.pk}/change/"
    shown = desk(actor).get(address)
    assert told in shown.content.decode()
    assert '_save"' not in shown.content.decode()
    assert desk(actor).post(address, {}).status_code == 403
    assert desk(actor).post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"}).status_code == 403
    desk(actor).post("/admin/auth/user/", {"action": "delete_selected", "_selected_action": user.pk, "post": "yes"})
    assert User.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize("answer", ["change", "delete", "delete_selected"])
@pytest.mark.parametrize("more", [False, True])
def test_nobody_takes_rights_by_way_of_a_group_from_staff_with_as_much_or_more(
    world, desk, clerk, make_user, answer, more
):
    actor, desks = clerk(User, Group), Group.objects.create(name="desks")
    desks.permissions.set(permissions(User, Group))
    make_user("peer", is_staff=True, groups=["desks", "chiefs"] if more else ["desks"])
    sent = {"action": answer, "_selected_action": desks.pk, "post": "yes"}
    address = page(Group, "changelist") if answer == "delete_selected" else page(Group, answer, desks.pk)
    desk(actor).post(address, {"name": "desks", "permissions": []} | sent)
    assert desks.permissions.count() == len(permissions(User, Group))
    User.objects.get(username="peer").groups.remove(desks)
    desk(actor).post(address, {"name": "desks", "permissions": []} | sent)
    assert not desks.permissions.exists()


def test_a_permission_that_staff_lack_is_no_choice_of_theirs(world, desk, clerk, alice):
    actor = clerk(User)
    more = Permission.objects.get(codename="add_group")
    address = f"/admin/auth/user/{alice.pk}/change/"
    answer = send(desk(actor), address, "user_form", user_permissions=[str(more.pk)])
    assert "user_permissions" in answer.context["adminform"].form.errors
    assert not alice.user_permissions.exists()


def test_flags_switched_for_everyone_are_audited_and_only_those_of_who_sees_their_models(world, desk, clerk):
    actor = clerk(Flag)
    desk(actor).post("/admin/waffle/flag/", {"action": "enable_for_all", "_selected_action": keys(Flag)})
    assert dict(Flag.objects.values_list("name", "everyone")) == {"beta": None, "idle": True}
    entry = AuditEntry.objects.get(subject_type="flag")
    assert (entry.subject, entry.user, entry.changes) == ("idle", actor, {"everyone": [None, True]})


def test_who_sees_a_model_grants_it(world, desk, clerk):
    sent = {"model": "acme/open", "principal_type": "group", "group": str(Group.objects.get(name="plain").pk)}
    answer = confirmed(desk(clerk(AIModel, AccessGrant)), page(AccessGrant, "add"), sent | {"permission": "read"})
    assert answer.status_code == 302
    assert AIModel.objects.get(model_id="acme/open").grants.get().group.name == "plain"


def test_a_grant_of_what_one_does_not_see_is_refused_in_words(world, desk, clerk):
    actor = clerk(AIModel, AccessGrant)
    sent = {"model": "acme/secret", "principal_type": "everyone", "permission": "write"}
    assert "You do not see this model yourself" in desk(actor).post(page(AccessGrant, "add"), sent).content.decode()
    asked = {"action": "require_flag", "_asked": "1", "flag": "", "_selected_action": keys(AIModel)}
    assert "acme/beta" in desk(actor).post("/admin/catalog/aimodel/", asked).context["form"].errors["__all__"][0]


def test_changing_ones_own_password_is_audited(desk, ops):
    new = {"old_password": "ops's long password", "new_password1": "quite another one", "new_password2": "no"}
    assert desk(ops).post("/admin/password_change/", new).status_code == 200
    assert not AuditEntry.objects.exists()
    assert desk(ops).post("/admin/password_change/", new | {"new_password2": "quite another one"}).status_code == 302
    entry = AuditEntry.objects.get()
    assert (entry.user, entry.subject_id, list(entry.changes)) == (ops, str(ops.pk), ["password"])
    assert "another one" not in str(entry.changes)


def test_a_base_that_its_clerk_does_not_see_reaches_nobody_through_a_delegated_preset_above(world, desk, clerk, ops):
    actor = clerk(CustomModel, AccessGrant)
    address = page(CustomModel, "change", key_of("middle"))
    sent = fields_of(desk(ops).get(address).content.decode(), "custommodel_form")
    answer = confirmed(desk(actor), address, sent | {"base_model": key_of("acme/secret")})
    assert "delegated is built upon this one" in answer.context["adminform"].form.errors["base_model"][0]
    assert AIModel.objects.get(model_id="middle").base_model.model_id == "acme/open"


@pytest.mark.parametrize("model_id", ["acme/secret", "~acme/latest"])
def test_a_pin_that_keeps_an_unseen_alias_is_released_by_who_sees_it(world, desk, clerk, ops, model_id):
    AIModel.objects.filter(model_id=model_id).update(
        pinned_fields=["alias_of", "context_length"], manually_updated=True,
        upstream={"alias_of": {"value": "acme/open", "source": "openrouter", "since": "2026-01-01T00:00:00+00:00"}},
    )  # fmt: skip
    actor = clerk(AIModel)
    address = page(AIModel, "change", key_of(model_id))
    for person, pinned in ((actor, ["alias_of", "context_length"]), (ops, [])):
        sent = fields_of(desk(person).get(address).content.decode(), "aimodel_form")
        desk(person).post(address, sent | {"_release": "*"})
        assert AIModel.objects.get(model_id=model_id).pinned_fields == pinned


def test_pins_of_an_unseen_alias_are_not_released_in_bulk(world, desk, clerk):
    AIModel.objects.filter(model_id="~acme/latest").update(pinned_fields=["alias_of"], manually_updated=True)
    asked = {"action": "release", "_asked": "1", "_selected_action": keys(AIModel)}
    shown = desk(clerk(AIModel)).post("/admin/catalog/aimodel/", asked)
    assert "~acme/latest" in shown.context["form"].errors["__all__"][0]


@pytest.mark.parametrize("may_change", [False, True])
def test_write_is_granted_by_who_may_write(world, desk, clerk, may_change):
    actor = clerk(*((AccessGrant, CustomModel) if may_change else (AccessGrant,)))
    sent = {"model": "middle", "permission": "write"} | grant_to_clerk({})
    answer = confirmed(desk(actor), page(AccessGrant, "add"), sent)
    assert answer.status_code == (302 if may_change else 200)
    everyone = AccessGrant.objects.get(model__model_id="middle", principal_type="everyone")
    asked = {"action": "permit", "_asked": "1", "permission": "write", "_selected_action": [everyone.pk]}
    shown = desk(actor).post("/admin/catalog/accessgrant/", asked)
    assert ("You may not change middle yourself" in shown.content.decode()) is not may_change


@pytest.mark.parametrize(
    ("before", "after", "member", "done"),
    [
        (["insiders"], [], False, False),
        (["insiders"], [], True, True),
        (["insiders", "plain"], ["plain"], False, False),
        ([], ["insiders"], False, False),
        ([], ["plain"], False, True),
        (["insiders"], ["insiders"], False, True),
    ],
)
def test_for_whom_new_models_arrive_is_for_members_to_decide_and_audited(
    world, desk, clerk, ops, before, after, member, done
):
    insiders = Group.objects.create(name="insiders")
    AccessGrant.objects.create(
        model=AIModel.objects.get(model_id="acme/secret"), principal_type="group", group=insiders
    )
    provider = Provider.objects.create(slug="lab", name="Lab", kind="openai")
    provider.new_models_groups.set(Group.objects.filter(name__in=before))
    actor = clerk(Provider)
    actor.groups.set([insiders] if member else [])
    address = page(Provider, "change", provider.pk)
    sent = fields_of(desk(ops).get(address).content.decode(), "provider_form")
    groups = [str(group.pk) for group in Group.objects.filter(name__in=after)]
    answer = desk(actor).post(address, sent | {"new_models_groups": groups})
    assert answer.status_code == (302 if done else 200)
    assert sorted(provider.new_models_groups.values_list("name", flat=True)) == (after if done else before)
    told = [entry.changes for entry in AuditEntry.objects.filter(subject_type="provider")]
    assert told == ([{"new_models_groups": [before, after]}] if done and before != after else [])


@pytest.mark.parametrize("left_out", ["delegated", "base_model", "name"])
def test_a_form_that_hides_what_it_was_opened_with_is_damaged(world, desk, clerk, ops, left_out):
    actor = clerk(CustomModel)
    address = page(CustomModel, "change", key_of("delegated"))
    sent = fields_of(desk(ops).get(address).content.decode(), "custommodel_form")
    opened = json.loads(sent["opened"])
    del opened["values"][left_out]
    wanted = sent | {"base_model": key_of("acme/secret"), "opened": json.dumps(opened)}
    wanted.pop("delegated")
    assert "damaged" in str(desk(actor).post(address, wanted).context["adminform"].form.errors)
    assert AIModel.objects.get(model_id="delegated").base_model.model_id == "middle"


@pytest.mark.parametrize("at_once", [False, True])
def test_new_models_do_not_arrive_for_all_where_their_last_group_is_deleted(world, at_once):
    groups = [Group.objects.create(name=name) for name in ("one", "two")]
    provider = Provider.objects.create(slug="lab", name="Lab", kind="openai")
    provider.new_models_groups.set(groups)
    if at_once:
        Group.objects.filter(name__in=["one", "two"]).delete()
    else:
        groups[0].delete()
        provider.refresh_from_db()
        assert provider.new_models_active
        groups[1].delete()
    provider.refresh_from_db()
    assert not provider.new_models_active


def test_staff_who_see_entries_are_told_nothing_of_others_custom_models(world, api, clerk):
    actor = clerk(AIModel)
    # "hers" is Alice's alone.
    assert api.as_(actor).get("/api/models/access?model_id=hers").status_code == 404
    assert api.as_(actor).get("/api/models/access?model_id=acme/secret").status_code == 200


@pytest.mark.parametrize("permission", ["view_aimodel", "view_custommodel"])
def test_history_tells_of_custom_models_where_the_admin_shows_them(world, desk, clerk, bob, permission):
    actor, author = clerk(FieldChange), Author.person(bob)
    actor.user_permissions.add(*Permission.objects.filter(codename=permission))
    entries.edit(AIModel.objects.get(model_id="preset"), {"params": {"system": "a private prompt"}}, author)
    entries.edit(AIModel.objects.get(model_id="acme/open"), {"description": "an open word"}, author)
    custom_models.remove(AIModel.objects.get(model_id="hers"), author)
    lists = "/admin/catalog/fieldchange/", "/admin/log/"
    pages = [desk(actor).get(address).content.decode() for address in lists]
    pages += [desk(actor).get(f"{lists[0]}{pk}/change/", follow=True).content.decode() for pk in keys(FieldChange)]
    shown = [any(word in page for page in pages) for word in ("a private prompt", "an open word", "hers")]
    assert shown == [permission == "view_custommodel", True, permission == "view_custommodel"]
