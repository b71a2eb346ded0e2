"""Fixtures: a member of staff with a few rights, and a world with more and with less."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.utils import timezone

from catalog.models import AccessGrant
from tests.catalog.rights.desk import User, permissions


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
