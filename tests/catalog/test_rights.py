"""catalog/access/rights.py: no page of the admin lets staff raise anybody, or themselves, beyond what they have."""

import functools
import json
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from waffle import get_waffle_flag_model

from apikeys.authentication import caller_of_key
from apikeys.models import ApiKey, Scope
from catalog.access.callers import caller_of
from catalog.access.rules import owned
from catalog.models import AccessGrant, AIModel, AuditEntry, CustomModel
from providers.models import Provider
from tests.admin_forms import fields_of

pytestmark = pytest.mark.django_db

User, Flag = get_user_model(), get_waffle_flag_model()


def keys(model):
    return [str(pk) for pk in model.objects.values_list("pk", flat=True)]


def key_of(model_id):
    return str(AIModel.objects.get(model_id=model_id).pk)


def grant_to_clerk(sent):
    return {"principal_type": "user", "user": str(User.objects.get(username="clerk").pk), "permission": "write"}


def group(name):
    return lambda sent: {"groups": [str(Group.objects.get(name=name).pk)]}


def permission(codename, field):
    return lambda sent: {field: [str(Permission.objects.get(codename=codename).pk)]}


# What a form could send to give the most: label -> the admin's model -> what to send instead of what the form holds.
# None takes a field out, as an empty checkbox does.
ATTEMPTS = {
    User: {
        "superuser": {"is_superuser": "on"},
        "staff with every permission": lambda sent: {"is_staff": "on", "user_permissions": keys(Permission)},
        "one permission": permission("add_provider", "user_permissions"),
        "a group with permissions": group("chiefs"),
        "a group with a grant": group("research"),
        "a group with a flag": group("testers"),
        "back again": {"is_active": "on"},
        "another name": {"username": "taken"},
        "another address": {"email": "taken@example.com"},
    },
    Group: {
        "every permission": lambda sent: {"permissions": keys(Permission)},
        "one permission": permission("add_provider", "permissions"),
        "another name": {"name": "taken"},
    },
    Flag: {
        "everyone": {"everyone": "true"},
        "signed in": {"everyone": "unknown", "authenticated": "on"},
        "staff": {"everyone": "unknown", "staff": "on"},
        "groups": lambda sent: {"everyone": "unknown", "groups": keys(Group)},
        "users": lambda sent: {"everyone": "unknown", "give_to": keys(User)},
        "the name of the experiments": {"name": "experimental_models", "everyone": "true"},
    },
    ApiKey: {
        "every model": {"mode": "all", "patterns": "", "no_models": None},
        "a pattern": {"mode": "allow_list", "patterns": "*", "no_models": None},
        "no denial": {"mode": "deny_list", "patterns": "", "no_models": "on"},
        "every scope": {"scopes": list(Scope.values)},
        "no limit": {"per_minute": "", "per_day": ""},
        "for ever": {"expires_at": ""},
        "on again": {"is_active": "on"},
        "another owner": lambda sent: {"user": str(User.objects.get(username="clerk").pk)},
        "of a group with a grant": lambda sent: {"user": "", "group": str(Group.objects.get(name="research").pk)},
        "of a group with a flag": lambda sent: {"user": "", "group": str(Group.objects.get(name="testers").pk)},
    },
    AIModel: {
        "open to all": {"restricted": None},
        "no flag": {"requires_feature_flag": ""},
        "no experiment": {"experimental": None},
        "no alias": {"alias_of": ""},
        "an alias of what all see": {"alias_of": "acme/open"},
    },
    AccessGrant: {
        "to write": {"permission": "write"},
        "another model, to all": {"model": "acme/secret", "principal_type": "everyone"},
        "another model, to themselves": lambda sent: {"model": "acme/secret"} | grant_to_clerk(sent),
    },
    CustomModel: {
        "another owner": lambda sent: {"owner": str(User.objects.get(username="clerk").pk)},
        "delegated": {"delegated": "on"},
        "upon what all see": lambda sent: {"base_model": key_of("acme/open")},
        "upon what few see": lambda sent: {"base_model": key_of("acme/secret")},
    },
}
# Editable relations to people or groups that give nobody anything.
HARMLESS = {
    "preferences.defaultmodel": "a default that its user does not see is passed over",
    "providers.provider": "the groups of new models take them from everybody else",
}


def permissions(*models):
    return Permission.objects.filter(
        content_type__app_label__in=[model._meta.app_label for model in models],
        content_type__model__in=[model._meta.model_name for model in models],
    )


@pytest.fixture
def clerk(make_user, desk):
    """`clerk(User)`: a member of staff with every permission of these models, and no other right."""

    def make(*models):
        user = make_user("clerk", is_staff=True)
        user.user_permissions.set(permissions(*models))
        # Signed in now, not within a transaction that a test takes back.
        desk(user)
        return user

    return make


@pytest.fixture
def world(ops, make_user, alice, bob, make_model, make_key, hold_flag):
    """People, groups, flags, keys and models with more than a clerk has, and with less."""
    secret, base = make_model("acme/secret", granted_to=bob), make_model("acme/open")
    make_model("acme/beta", requires_feature_flag="beta")
    make_model("acme/new", experimental=True)
    make_model("~acme/latest", alias_of="acme/secret")
    make_model("preset", owner=bob, base_model=secret, granted_to=alice)
    middle = make_model("middle", owner=bob, base_model=base, granted_to="everyone")
    make_model("delegated", owner=bob, base_model=middle, delegated=True, granted_to="everyone")
    make_model("hers", owner=alice, base_model=base)
    make_user("chief", is_staff=True, groups=["chiefs"])
    Group.objects.get(name="chiefs").permissions.set(Permission.objects.filter(codename__contains="provider"))
    gone = make_user("gone", groups=["research"])
    User.objects.filter(pk=gone.pk).update(is_active=False)
    research, testers = Group.objects.get(name="research"), Group.objects.create(name="testers")
    Group.objects.create(name="plain")
    AccessGrant.objects.create(model=secret, principal_type="group", group=research)
    hold_flag("beta", bob).groups.add(testers)
    hold_flag("idle", bob)
    past = timezone.now() - timedelta(days=1)
    for owner in (ops, User.objects.get(username="chief"), bob, alice, research):
        make_key(owner, allow=["acme/open"], per_minute=5)
    make_key(bob, is_active=False)
    make_key(bob, expires_at=past)
    make_key(testers, is_active=False)


def page(model, view, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=args)


def sight(viewer):
    """The models that one sees and did not make: one's own are nobody's to give."""
    if viewer is None:
        return set()
    seen = AIModel.objects.visible_to(viewer).exclude(owned(viewer))
    return set(seen.values_list("model_id", flat=True))


class Having:
    """What everybody, or every key, has at this moment; and what one signs in with.

    A key never has more than its owner, so only where keys themselves are changed they are asked for.
    """

    def __init__(self, model=User):
        self.has, self.secrets = {}, {}
        seen = functools.cache(sight)
        people = User.objects.all() if model is not ApiKey else User.objects.filter(username="clerk")
        for user in people:
            held = {"superuser"} if user.is_superuser and user.is_active else set()
            own = seen(caller_of(user).viewer if user.is_active else None)
            self.has[user.pk] = held | user.get_all_permissions() | own
            self.secrets[user.pk] = (user.username, user.email, user.password)
        for key in ApiKey.objects.select_related("user", "group") if model is ApiKey else ():
            used = key.is_alive(timezone.now()) and key.owner.is_active
            # A key acts for its owner; a group's has none of the group's permissions.
            held = {"superuser"} if key.owner.is_superuser else key.user.get_all_permissions() if key.user else set()
            self.has[key.key_id] = held | seen(caller_of_key(key.key_id).viewer) if used else set()

    def refuse_more(self, before, mine):
        """Nobody has more than before but for what the actor has; nor is who has more open to be signed in as."""
        for who, has in self.has.items():
            assert has <= before.has.get(who, set()) | mine, who
        for user, secrets in self.secrets.items():
            if user in before.has and not before.has[user] <= mine:
                assert secrets == before.secrets[user], user


def forms(model, client):
    """Address and content of each form of this kind: all fields that there are, as the database has them."""
    for row in admin.site._registry[model].get_queryset(_request()).order_by("pk"):
        address = page(model, "change", row.pk)
        body = client.get(address).content.decode()
        if '_save"' in body:
            yield address, fields_of(body, f"{model._meta.model_name}_form")


def _request():
    return type("Request", (), {"user": None, "GET": {}})()


def confirmed(client, address, wanted):
    """The answer to a form whose preview, where there is one, is confirmed as it was shown."""
    answer = client.post(address, wanted)
    seal = (answer.context or {}).get("seal") if answer.status_code == 200 else None
    return client.post(address, wanted | {"_narrow": "1", "_seal": seal}) if seal else answer


@pytest.mark.parametrize("model", ATTEMPTS, ids=lambda model: model.__name__)
def test_no_form_raises_anybody_beyond_who_sends_it(world, desk, ops, clerk, model):
    actor = clerk(model, AccessGrant)
    before = Having(model)
    for address, sent in list(forms(model, desk(ops))):
        for attempt in ATTEMPTS[model].values():
            changes = attempt(sent) if callable(attempt) else attempt
            wanted = {name: value for name, value in (sent | changes).items() if value is not None}
            with transaction.atomic():
                answer = confirmed(desk(actor), address, wanted)
                assert answer.status_code in (200, 302, 403), address
                if answer.status_code == 302:
                    assert not answer["Location"].startswith("/admin/login/")
                    Having(model).refuse_more(before, before.has[actor.pk])
                transaction.set_rollback(True)


@pytest.mark.parametrize("model", ATTEMPTS, ids=lambda model: model.__name__)
def test_no_action_raises_anybody_beyond_who_runs_it(world, desk, ops, clerk, model):
    actor = clerk(model, AccessGrant)
    before = Having(model)
    research = str(Group.objects.get(name="research").pk)
    # Upon a base that people see, those whom its owner granted a preset see it: that is the owner's gift.
    answers = {"confirmed": "yes", "_asked": "1", "flag": "", "permission": "write", "group": research, "tags": "x",
               "base": "acme/secret"}  # fmt: skip
    for name in admin.site._registry[model].get_actions(_asking(ops)):
        with transaction.atomic():
            sent = {"action": name, "_selected_action": keys(model)} | answers
            preview = (desk(actor).post(page(model, "changelist"), sent).context or {}).get("preview")
            if preview:
                desk(actor).post(page(model, "changelist"), sent | {"_confirmed": preview.seal})
            Having(model).refuse_more(before, before.has[actor.pk])
            transaction.set_rollback(True)


def _asking(user):
    return type("Request", (), {"user": user, "GET": {}, "POST": {}})()


def test_no_password_page_opens_an_account_with_more(world, desk, clerk, make_user):
    actor = clerk(User)
    make_user("carol")
    before = Having()
    new = {"password1": "another long password", "password2": "another long password", "usable_password": "true"}
    answers = {
        user.username: desk(actor).post(f"/admin/auth/user/{user.pk}/password/", new).status_code
        for user in User.objects.exclude(pk=actor.pk)
    }
    Having().refuse_more(before, before.has[actor.pk])
    assert answers == {"ops": 403, "chief": 403, "bob": 403, "gone": 403, "alice": 403, "carol": 302}


def test_an_account_with_models_of_its_own_is_entered_by_who_may_view_them(world, desk, clerk, alice):
    """With a password one looks as its owner does, so at what they have kept to themselves too."""
    new = {"password1": "another long password", "password2": "another long password", "usable_password": "true"}
    address = f"/admin/auth/user/{alice.pk}/password/"
    assert desk(clerk(User, CustomModel)).post(address, new).status_code == 302


# What a new row needs besides.
NEW = {
    User: {
        "username": "new",
        "password1": "a long password",
        "password2": "a long password",
        "usable_password": "true",
    },
    Group: {"name": "new"},
    Flag: {"name": "new"},
    ApiKey: {"name": "new"},
    AIModel: {"model_id": "acme/added", "name": "new"},
    AccessGrant: {"model": "acme/open", "principal_type": "everyone", "permission": "read"},
    CustomModel: {"model_id": "added", "name": "new"},
}


@pytest.mark.parametrize("model", ATTEMPTS, ids=lambda model: model.__name__)
def test_no_new_row_gives_more_than_its_maker_has(world, desk, ops, clerk, model):
    actor = clerk(model, AccessGrant)
    shown = desk(ops).get(page(model, "add")).content.decode()
    plain = fields_of(shown, f"{model._meta.model_name}_form") | NEW[model]
    base = str(AIModel.objects.get(model_id="acme/secret").pk)
    before, made = Having(model), 0
    owners = User.objects.filter(username__in=("clerk", "ops", "chief", "bob") if model is ApiKey else ("clerk",))
    for user in map(str, owners.values_list("pk", flat=True)):
        sent = plain | {ApiKey: {"user": user}, CustomModel: {"owner": user, "base_model": base}}.get(model, {})
        for attempt in ATTEMPTS[model].values():
            changes = attempt(sent) if callable(attempt) else attempt
            wanted = {name: value for name, value in (sent | changes).items() if value is not None}
            with transaction.atomic():
                count = model.objects.count()
                confirmed(desk(actor), page(model, "add"), wanted)
                if model.objects.count() > count:
                    made += 1
                    Having(model).refuse_more(before, before.has[actor.pk] | {"acme/added", "added"})
                transaction.set_rollback(True)
    assert made, "a row that gives nothing more can be made"


def test_every_admin_with_people_or_groups_in_its_form_is_attempted(ops):
    given = (User, Group, Permission)
    for model, model_admin in admin.site._registry.items():
        if not model_admin.has_change_permission(_asking(ops)):
            continue
        related = [f for f in model._meta.get_fields() if f.is_relation and f.related_model in given and f.concrete]
        editable = {f.name for f in related if f.editable and f.name not in model_admin.readonly_fields}
        assert not editable or model in ATTEMPTS or model._meta.label_lower in HARMLESS, model


# What staff do all day goes on.


def send(client, address, form, **changes):
    return client.post(address, fields_of(client.get(address).content.decode(), form) | changes)


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


def test_staff_switch_off_and_revoke_any_key_and_switch_on_only_those_of_who_has_less(world, desk, clerk, api):
    actor = clerk(ApiKey)
    wanted = {"_selected_action": keys(ApiKey), "confirmed": "yes"}
    desk(actor).post("/admin/apikeys/apikey/", wanted | {"action": "switch_off"})
    assert not ApiKey.objects.filter(is_active=True).exists()
    answer = desk(actor).post("/admin/apikeys/apikey/", wanted | {"action": "switch_on"}, follow=True)
    owners = set(ApiKey.objects.filter(is_active=True).values_list("user__username", flat=True))
    # The group's key names what the clerk sees; that of the group with a flag, every model.
    assert owners == {"alice", "bob", None}
    assert not ApiKey.objects.filter(is_active=True, mode="all").exists()
    assert "ops is a superuser" in answer.content.decode()
    confirmed(desk(actor), "/admin/apikeys/apikey/", wanted | {"action": "revoke"})
    assert not ApiKey.objects.filter(revoked_at=None).exists()


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
    assert api.as_(alice).delete(f"/api/keys/{shown['key'].key_id}").status_code == 204
    assert key.get("/api/models/acme/secret").status_code == 401


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
