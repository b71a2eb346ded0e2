"""Who sees given models, and who would lose sight of them: catalog/access/audience.py."""

import random

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Q
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext

from catalog.access import audience, callers, rules
from catalog.access.viewers import Viewer
from catalog.editing import entries
from catalog.editing.history import Author
from catalog.models import AccessGrant, AIModel

pytestmark = pytest.mark.django_db


@pytest.fixture
def crowd(make_user, hold_flag):
    """Users in overlapping groups, two in each combination of them, some with flags."""
    users = [make_user(f"u{n}", groups=[f"g{n % 3}", f"g{n % 2}"]) for n in range(12)]
    hold_flag("beta", users[0], users[3])
    hold_flag(rules.EXPERIMENTAL_FLAG, users[1], users[3])
    return users


def scatter(make_model, users, seed):
    """Models in every state that the rule tells apart, and custom models upon them."""
    dice = random.Random(seed)
    principals = ["everyone", *users, *Group.objects.order_by("pk")]

    def some():
        return dice.sample(principals, dice.choice([0, 0, 1, 2]))

    for n in range(25):
        state = {
            "active": dice.random() > 0.2,
            "hidden": dice.random() < 0.2,
            "experimental": dice.random() < 0.3,
            "requires_feature_flag": dice.choice(["", "", "beta"]),
        }
        make_model(f"acme/m{n}", granted_to=some(), **state)
    for n in range(25):
        base = dice.choice(list(AIModel.objects.order_by("pk")))
        if base.base_model is None or base.base_model.base_model is None:
            make_model(
                f"preset{n}", owner=dice.choice(users), base_model=base, granted_to=some(),
                delegated=dice.random() < 0.3,
            )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_everybodys_sight_is_what_the_rule_answers_each_of_them(make_model, crowd, seed):
    scatter(make_model, crowd, seed)
    keys = set(AIModel.objects.values_list("pk", flat=True))
    seen = audience.of(keys)
    for user in get_user_model().objects.all():
        viewer = callers.caller_of(user).viewer
        assert seen.seen[user.pk] == set(AIModel.objects.visible_to(viewer).values_list("pk", flat=True)), user
    nobody = callers.caller_of(None).viewer
    assert seen.seen[audience.ANYBODY] == set(AIModel.objects.visible_to(nobody).values_list("pk", flat=True))
    assert seen.is_whole
    for key in random.Random(seed).sample(sorted(keys), 5):
        one = audience.of([key])
        assert {user: key in models for user, models in one.seen.items()} == {
            user: key in models for user, models in seen.seen.items()
        }


def _fields(condition):
    """The names of the model's own fields in a condition."""
    named = {field.name for field in AIModel._meta.get_fields()} | {"pk"}
    for part in condition.children:
        if isinstance(part, Q):
            yield from _fields(part)
        else:
            # The last of the path that is a field: what follows is a look-up.
            yield [name for name in part[0].split("__") if name in named][-1]


def test_every_field_that_the_rule_reads_is_one_whose_change_asks_who_loses_sight():
    viewer = Viewer(user_id=1)
    parts = [
        rules._all(rules.SIGHT, AIModel, viewer),
        rules._target_seen(AIModel, viewer),
        rules._base_seen(AIModel, viewer, "", rules.MAX_CHAIN - 1),
    ]
    read = {name for part in parts for name in _fields(part)} - {"pk"}
    assert read == set(audience.SIGHT_FIELDS)


@pytest.mark.parametrize("groups", [3, 60])
def test_the_question_takes_as_many_statements_for_many_groups_as_for_few(make_user, make_model, groups):
    model = make_model("acme/m")
    preset = make_model("preset", owner=make_user("owner"), base_model=model)
    for n in range(groups):
        make_user(f"u{n}", groups=[f"g{n}"])
        AccessGrant.objects.create(model=model, principal_type="group", group=Group.objects.get(name=f"g{n}"))
    with CaptureQueriesContext(connection) as queries:
        seen = audience.of([model.pk])
    assert len(seen.seen) == groups + 2
    assert preset.pk in seen.models
    assert len(queries) <= 12


def test_three_thousand_models_and_sixty_groups_take_few_statements(make_user, make_model):
    AIModel.objects.bulk_create(
        AIModel(model_id=f"a/m{n}", name="m", experimental=n % 2 == 0, active=n % 3 > 0) for n in range(3_000)
    )
    for n in range(60):
        make_user(f"u{n}", groups=[f"g{n}"])
    with CaptureQueriesContext(connection) as queries:
        seen = audience.of(AIModel.objects.values_list("pk", flat=True))
    assert seen.is_whole
    assert {len(models) for models in seen.seen.values()} == {1000}
    assert len(queries) <= 12


def test_what_is_too_much_to_ask_is_said_to_be_left_out(make_user, make_model, monkeypatch):
    monkeypatch.setattr(audience, "MOST_ASKED", 2)
    for name in "abc":
        make_user(name, groups=[name])
    seen = audience.of([make_model("acme/m").pk])
    assert not seen.is_whole
    assert len(seen.seen) == 2


@pytest.mark.parametrize(
    ("users", "anybody", "sentence"),
    [
        ([("alice", 1)], True, "1 user would lose sight; so would whoever is not signed in"),
        ([("alice", 1)], False, "1 user would lose sight"),
        ([], True, "Whoever is not signed in would lose sight; nobody who is signed in would"),
        ([], False, "Nobody who is signed in would lose sight"),
    ],
)
def test_the_page_says_in_one_true_sentence_who_would_lose_sight(users, anybody, sentence):
    loss = audience.Loss(users, [("alice", "a key")], is_whole=True, anybody=anybody)
    assert f"<h2>{sentence}</h2>" in render_to_string("admin/catalog/loss.html", {"loss": loss})


# Keys.


def losing(model, **values):
    before = audience.of([model.pk])
    entries.edit(model, values, Author.person(None, "test"))
    return audience.loss(before, audience.of([model.pk]))


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ({}, True),
        ({"allow": ["acme/*"]}, True),
        ({"allow": ["acme/m"]}, True),
        ({"allow": ["other/*"]}, False),
        ({"allow": []}, False),
        ({"deny": ["acme/m"]}, False),
        ({"deny": ["other/*"]}, True),
        ({"is_active": False}, False),
    ],
    ids=str,
)
def test_only_keys_whose_policy_reached_the_models_are_named(alice, make_key, make_model, key, named):
    make_key(alice, **key)
    lost = losing(make_model("acme/m"), hidden=True)
    assert [name for name, _ in lost.users] == ["alice"]
    assert [owner for owner, _ in lost.keys] == (["alice"] if named else [])


def test_a_key_made_with_another_is_named_only_within_that_one(alice, make_key, make_model):
    parent = make_key(alice, name="parent", allow=["other/*"]).key
    make_key(alice, name="child", made_with=parent)
    assert losing(make_model("acme/m"), active=False).keys == []


def test_a_key_needs_its_policy_for_the_base_of_a_custom_model_too(alice, make_key, make_model):
    preset = make_model("preset", owner=alice, base_model=make_model("acme/m"))
    for name, allowed in (("both", ["preset", "acme/*"]), ("one", ["preset"])):
        make_key(alice, name=name, allow=allowed)
    assert [key.partition(" ")[0] for _, key in losing(preset, active=False).keys] == ["both"]


def test_a_key_that_loses_sight_while_its_owner_does_not_is_named(alice, make_key, make_model):
    preset = make_model("preset", owner=alice, base_model=make_model("acme/m"))
    make_key(alice, allow=["preset", "acme/*"])
    lost = losing(preset, base_model=make_model("other/m"))
    assert (lost.users, [owner for owner, _ in lost.keys]) == ([], ["alice"])
    assert lost
