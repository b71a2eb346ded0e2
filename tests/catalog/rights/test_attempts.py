"""catalog/access/rights.py: no page of the admin lets staff raise anybody, or themselves, beyond what they have."""

import functools

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils import timezone

from apikeys.authentication import caller_of_key
from apikeys.models import ApiKey, Scope
from catalog.access.callers import caller_of
from catalog.access.rules import owned
from catalog.admin.audited import BoundedAdmin
from catalog.models import AccessGrant, AIModel, CustomModel
from tests.admin_forms import fields_of
from tests.catalog.rights.desk import Flag, User, confirmed, grant_to_clerk, key_of, keys, page

pytestmark = pytest.mark.django_db

REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label_lower)


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
            used = key.why_not(timezone.now()) is None
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


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label_lower)
def test_no_action_changes_a_row_that_may_only_be_looked_at(world, desk, ops, clerk, make_export, model):
    """Be it to switch off or to revoke: nobody takes from who has as much as or more than they have."""
    for key in ApiKey.objects.filter(is_active=True, expires_at=None, user__isnull=False):
        make_export(key)
    actor, model_admin = clerk(model), admin.site._registry[model]
    rows = {row.pk: row for row in model.objects.all() if not model_admin.has_change_permission(_asking(actor), row)}
    assert rows or not isinstance(model_admin, BoundedAdmin)
    before = [*model.objects.filter(pk__in=rows).order_by("pk").values()]
    for name in model_admin.get_actions(_asking(ops)):
        sent = {"action": name, "_selected_action": keys(model), "confirmed": "yes", "post": "yes"}
        confirmed(desk(actor), page(model, "changelist"), sent)
        assert [*model.objects.filter(pk__in=rows).order_by("pk").values()] == before, name


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
