"""The one rule of sight: as a filter and as a decision it says the same, and what its tables here say."""

import itertools
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from apikeys.policy import Conjunction, KeyPolicy
from catalog.access import rules
from catalog.access.viewers import ANONYMOUS, Viewer, cached_by_viewer
from catalog.models import AccessGrant, AIModel
from preferences.models import ModelPreference

NOW = timezone.now()
FLAGS = ("beta", rules.EXPERIMENTAL_FLAG)
ALIASES = tuple(f"~acme/{n}" for n in range(4))
PATTERNS = ("acme/*", "acme/0", "acme/1", "~acme/*", "~acme/0", "~acme/1", "mine-*", "mine-0", "*1*", "nothing")

chance = st.floats(0, 1)


def often(true: float):
    return chance.map(lambda n: n < true)


@st.composite
def conditions(draw):
    """What makes a model visible or not, mostly so that it is."""
    return {
        "active": draw(often(0.85)),
        "hidden": draw(often(0.1)),
        "experimental": draw(often(0.15)),
        "requires_feature_flag": draw(st.sampled_from(["", "", "", "", "beta", "gone"])),
        "restricted": draw(often(0.3)),
        "enabled_by_default": draw(often(0.8)),
        "is_available": draw(often(0.8)),
        "created_at": NOW - timedelta(days=draw(st.sampled_from([1, 10]))),
    }


policies = st.one_of(
    st.none(),
    st.builds(
        KeyPolicy,
        st.sampled_from(["all", "allow_list", "deny_list", "odd"]),
        st.lists(st.sampled_from(PATTERNS), max_size=3, unique=True).map(tuple),
    ),
)


class Worlds(TestCase):
    """Random catalogs, custom models in chains (broken and too long ones too), grants, flags, policies, preferences."""

    @classmethod
    def setUpTestData(cls):
        people = get_user_model()._default_manager
        cls.users = [people.create(username=name) for name in ("alice", "bob")]
        cls.groups = [Group.objects.create(name=name) for name in ("research", "sales")]

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def test_the_filter_and_the_decision_agree(self, data):
        models = self.catalog(data)
        viewers = [ANONYMOUS, *(self.viewer(data, user) for user in self.users for _ in range(2))]
        targets = ("stands_for__grants", "stands_for__stands_for__grants")
        fresh = {model.pk: model for model in AIModel.objects.prefetch_related("grants", *targets)}
        by_id = {model.model_id: model for model in fresh.values()}
        for model in fresh.values():
            model.base_model = fresh.get(model.base_model_id)  # one row, one object: quicker than asking again
        for viewer in viewers:
            seen = {pk for pk, model in fresh.items() if rules.sees(viewer, model)}
            assert seen == keys(rules.visible(AIModel, viewer))
            assert seen == {pk for pk, model in fresh.items() if told_again(viewer, model, by_id)}
            used = {pk for pk, model in fresh.items() if all(check.ok for check in rules.explain(viewer, model))}
            assert used == keys(rules.usable(AIModel, viewer)) <= seen
            writable = keys(rules.writable(AIModel, viewer))
            found = {pk for pk, model in fresh.items() if told_again(viewer, model, by_id, may_be_off=pk in writable)}
            assert found == keys(rules.findable(AIModel, viewer)) >= seen
        assert len(models) == len(fresh)

    def catalog(self, data):
        draw = data.draw
        models = [AIModel.objects.create(model_id=f"acme/{n}", name="x", **draw(conditions())) for n in range(4)]
        for n in range(4):
            # Of entries and of aliases, later ones too: in chains, in circles, of nothing, of a custom model.
            target = draw(st.sampled_from([*ALIASES, "acme/0", "acme/1", "acme/2", "mine-0", "acme/gone"]))
            fields = draw(conditions())
            models.append(AIModel.objects.create(model_id=f"~acme/{n}", name="x", alias_of=target, **fields))
        for n in range(5):
            models.append(
                AIModel.objects.create(
                    model_id=f"mine-{n}",
                    name="x",
                    kind="custom",
                    owner=draw(st.sampled_from([*self.users, None])),
                    base_model=draw(st.sampled_from([None, *models, *models])),
                    delegated=draw(often(0.2)),
                    **draw(conditions()),
                )
            )
        for model in models:
            for principal in draw(
                st.lists(st.sampled_from(["everyone", *self.users, *self.groups]), max_size=2, unique=True)
            ):
                grant(model, principal, draw(st.sampled_from(["read", "write"])))
            for user in draw(st.lists(st.sampled_from(self.users), max_size=1)):
                ModelPreference.objects.create(user=user, model=model, is_enabled=draw(st.booleans()))
        return models

    def viewer(self, data, user):
        draw = data.draw
        policy = draw(policies)
        if policy is not None and draw(st.booleans()):
            policy = Conjunction((policy, KeyPolicy("deny_list", ("acme/2",))))
        viewer = Viewer(
            user_id=user.pk,
            groups=frozenset(group.pk for group in draw(st.lists(st.sampled_from(self.groups), unique=True))),
            flags=frozenset(draw(st.lists(st.sampled_from(FLAGS), unique=True))),
            policy=policy,
            no_new_since=draw(st.sampled_from([None, NOW - timedelta(days=5)])),
            is_staff=draw(st.booleans()),
        )
        return viewer.including(draw(st.lists(st.sampled_from(["hidden", "inactive"]), unique=True)))


def grant(model, principal, permission="read"):
    kind = "everyone" if principal == "everyone" else "group" if isinstance(principal, Group) else "user"
    named = {} if kind == "everyone" else {kind: principal}
    AccessGrant.objects.create(model=model, principal_type=kind, permission=permission, **named)


def keys(condition):
    found = list(AIModel.objects.filter(condition).values_list("pk", flat=True))
    assert len(found) == len(set(found)), "a row stands twice in the answer"
    return set(found)


def told_again(viewer, model, by_id, may_be_off=False, include=None, aliases=()):
    """Section 4, sentence by sentence, without a line of catalog/access/rules.py.

    `aliases`: those that led here. An allow list was content with the first of them.
    """
    include = viewer.include if include is None else include
    if not model.active and "inactive" not in include and not may_be_off:
        return False
    if model.hidden and "hidden" not in include:
        return False
    if model.requires_feature_flag and model.requires_feature_flag not in viewer.flags:
        return False
    if model.experimental and "experimental_models" not in viewer.flags:
        return False
    granted = any(
        grant.principal_type == "everyone"
        or (viewer.user_id and grant.user_id == viewer.user_id)
        or grant.group_id in viewer.groups
        for grant in model.grants.all()
    )
    mine = viewer.user_id is not None and model.owner_id == viewer.user_id
    if not granted and not mine and (model.kind == "custom" or model.restricted):
        return False
    if not permitted(viewer.policy, model.model_id, is_target=bool(aliases)):
        return False
    if aliases and model.kind != "catalog":
        return False
    if model.kind == "catalog" and model.alias_of:
        target, links = by_id.get(model.alias_of), (*aliases, model)
        return target is not None and len(links) <= 3 and told_again(viewer, target, by_id, False, frozenset(), links)
    if model.kind == "catalog":
        return True
    if model.base_model is None:
        return False
    return model.delegated or (depth(model) <= 3 and told_again(viewer, model.base_model, by_id, include=frozenset()))


def permitted(policy, model_id, is_target):
    if policy is None or isinstance(policy, Conjunction):
        return all(permitted(each, model_id, is_target) for each in (policy.policies if policy else ()))
    return (is_target and policy.mode == "allow_list") or policy.allows(model_id)


def depth(model):
    """Links of the chain that a viewer must see: it ends below a delegated one."""
    chain = 1
    while model.base_model is not None and not model.delegated:
        model, chain = model.base_model, chain + 1
    return chain + (model.delegated and model.kind == "custom")


@pytest.mark.parametrize("staff", [True, False])
def test_only_staff_are_shown_what_is_hidden(make_model, staff):
    make_model("acme/hidden", hidden=True)
    viewer = Viewer(user_id=1, is_staff=staff).including(["hidden"])
    assert keys(rules.visible(AIModel, viewer)) == (keys(rules.EVERYTHING) if staff else set())


def test_the_explanation_has_every_condition_in_its_order(make_model, alice):
    model = make_model("acme/off", active=False, hidden=True, is_available=False)
    checks = rules.explain(Viewer(user_id=alice.pk), model)
    assert [check.check for check in checks] == [
        "active", "not_hidden", "feature_flag", "experimental", "readable", "key_policy", "alias_target", "base_model",
        "available", "enabled",
    ]  # fmt: skip
    assert [check.check for check in checks if not check.ok] == ["active", "not_hidden", "available"]


@pytest.mark.parametrize(("via_group", "permission"), [*itertools.product([True, False], ["read", "write"])])
def test_a_grant_that_goes_closes_and_never_opens(make_model, alice, via_group, permission):
    group = Group.objects.create(name="research")
    model = make_model("acme/secret", granted_to=group if via_group else alice, permission=permission)
    viewer = Viewer(user_id=alice.pk, groups=frozenset({group.pk}))
    assert rules.sees(viewer, model)
    (group if via_group else model.grants.get()).delete()
    model.refresh_from_db()
    assert not rules.sees(viewer, model)
    assert keys(rules.visible(AIModel, viewer)) == set()
    assert keys(rules.visible(AIModel, ANONYMOUS)) == set()


def test_a_custom_model_is_available_while_its_catalog_entry_is(make_model, alice):
    base = make_model("acme/large")
    middle = make_model("middle", owner=alice, base_model=base)
    top = make_model("top", owner=alice, base_model=middle)
    assert {m.model_id for m in AIModel.objects.filter(rules.available())} == {"acme/large", "middle", "top"}
    AIModel.objects.filter(pk=base.pk).update(is_available=False)
    assert not AIModel.objects.filter(rules.available()).exists()
    base.refresh_from_db()
    base.is_available = True
    AIModel.objects.bulk_update([base], ["is_available"])
    top.refresh_from_db()
    assert top.is_available
    middle.delete()
    top.refresh_from_db()
    assert not top.is_available
    assert not rules.sees(Viewer(user_id=alice.pk), top)


@pytest.mark.parametrize(("patterns", "times"), [(1, 20), (1000, 40)])
def test_what_is_made_for_viewers_of_long_policies_is_kept_for_few_of_them(patterns, times):
    made: list[Viewer] = []
    cached = cached_by_viewer(64)(made.append)
    long = KeyPolicy("deny_list", tuple(f"acme/{n:04}" for n in range(patterns)))
    for _ in range(2):
        for user in range(20):
            for _ in range(2):
                cached(Viewer(user_id=user, policy=Conjunction((long,))))
    assert len(made) == times
