"""catalog/api/rebuild.py and the journal of catalog/versions.py: what is brought up to date equals what is read whole."""

import random

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apikeys.authentication import caller_of_key
from catalog import versions
from catalog.access.callers import caller_of
from catalog.api import rebuild
from catalog.api import snapshot as snapshots
from catalog.api.rendering import catalog_lists, cli_rows
from catalog.api.snapshot import Snapshot, snapshot
from catalog.dialects.views import openai_list
from catalog.editing import bulk, entries
from catalog.editing.history import Author
from catalog.models import AccessGrant, AIModel, CatalogChange, CatalogVersion, Tag
from preferences.models import DefaultModel, ModelPreference, Profile
from tests.worlds import seeds

AUTHOR = Author.person(None, "a test")


class World:
    """A small catalog with every relation in it, and changes of every kind."""

    def __init__(self, dice, users, make_key, flag):
        self.dice, self.users, self.flag = dice, users, flag
        self.number = 0
        for _ in range(8):
            self.new()
        for _ in range(4):
            self.new_custom()
        for _ in range(3):
            self.new_alias()
        self.keys = [
            make_key(users[0], allow=["acme/*", "custom*"]).key.key_id,
            make_key(users[1], deny=["acme/m1", "acme/m3"]).key.key_id,
        ]

    def callers(self):
        return [caller_of(None), *map(caller_of, self.users), *map(caller_of_key, self.keys)]

    def any(self, **filters):
        return self.dice.choice(list(AIModel.objects.filter(**filters).order_by("pk")) or [self.new()])

    def values(self):
        return {
            "name": self.dice.choice("abcdef"),
            "active": self.dice.random() < 0.9,
            "hidden": self.dice.random() < 0.1,
            "restricted": self.dice.random() < 0.2,
            "experimental": self.dice.random() < 0.1,
            "requires_feature_flag": self.dice.choice(["", "", "", "beta"]),
            "enabled_by_default": self.dice.random() < 0.8,
            "supported_in_api": self.dice.random() < 0.9,
            "priority": self.dice.randrange(4),
            "is_available": self.dice.random() < 0.9,
            "supports_tools": self.dice.choice([None, True, False]),
        }

    def fields(self):
        name = self.dice.choice(list(self.values()))
        return {name: self.values()[name]}

    def new(self):
        self.number += 1
        return AIModel.objects.create(model_id=f"acme/m{self.number}", **self.values())

    def new_custom(self):
        self.number += 1
        base = self.any(kind="catalog") if self.dice.random() < 0.7 else self.any(kind="custom")
        if base.base_model and base.base_model.base_model:
            base = self.any(kind="catalog")
        return AIModel.objects.create(
            model_id=f"custom{self.number}",
            **self.values() | {"kind": "custom", "owner": self.dice.choice(self.users), "base_model": base},
        )

    def new_alias(self):
        self.number += 1
        target = self.dice.choice([self.any(kind="catalog").model_id, f"acme/m{self.number + 5}"])
        return AIModel.objects.create(model_id=f"~acme/latest{self.number}", **self.values() | {"alias_of": target})

    def save(self):
        row = self.any()
        for name, value in self.fields().items():
            setattr(row, name, value)
        row.save()

    def save_some(self):
        row, values = self.any(), self.fields()
        for name, value in values.items():
            setattr(row, name, value)
        row.save(update_fields=list(values))

    def rename(self):
        self.number += 1
        row = self.any(kind="catalog")
        row.model_id = f"acme/m{self.number}"
        row.save()

    def update(self):
        rows = [self.any().pk for _ in range(self.dice.randrange(1, 4))]
        AIModel.objects.filter(pk__in=rows).update(**self.fields())

    def update_all(self):
        AIModel.objects.update(priority=self.dice.randrange(4))

    def bulk_update(self):
        rows = [self.any() for _ in range(3)]
        for row in rows:
            row.name, row.context_length = self.dice.choice("xyz"), self.dice.randrange(1, 100)
        AIModel.objects.bulk_update(list({row.pk: row for row in rows}.values()), ["name", "context_length"])

    def bulk_create(self):
        self.number += 2
        AIModel.objects.bulk_create(AIModel(model_id=f"acme/m{self.number - n}", **self.values()) for n in range(2))

    def edit(self):
        entries.edit(self.any(kind="catalog"), {"context_length": self.dice.randrange(1, 1000)}, AUTHOR)

    def delete(self):
        self.any().delete()

    def rebase(self):
        row = self.any(kind="custom")
        row.base_model = self.any(kind="catalog")
        row.delegated = self.dice.random() < 0.4
        row.save()

    def tag(self):
        bulk.retag(AIModel.objects.filter(pk=self.any().pk), AUTHOR, add=[self.dice.choice(["fast", "new"])])

    def tag_by_relation(self):
        self.any().tags.set(Tag.named([self.dice.choice(["fast", "cheap"])]))

    def rename_tag(self):
        for tag in Tag.objects.all()[:1]:
            self.number += 1
            tag.name = f"{tag.name}{self.number}"
            tag.save()

    def grant(self):
        user, group = self.dice.choice(self.users), Group.objects.first()
        to = self.dice.choice([{"user": user}, {"group": group}, {}])
        kind = {"user": "user", "group": "group"}.get(next(iter(to), ""), "everyone")
        row = self.any()
        if not AccessGrant.objects.filter(model=row, principal_type=kind, **to).exists():
            AccessGrant.objects.create(model=row, principal_type=kind, **to)

    def take_grant(self):
        for grant in AccessGrant.objects.order_by("?")[:1]:
            grant.delete()

    def grant_group(self):
        bulk.grant_group(AIModel.objects.filter(pk=self.any().pk), Group.objects.first(), "read", AUTHOR)

    def group(self):
        self.dice.choice(self.users).groups.set(self.dice.choice([[], list(Group.objects.all())]))

    def hold_flag(self):
        self.flag.users.set(self.dice.choice([[], self.users[:1]]))
        self.flag.save()

    def switch(self):
        user = self.dice.choice(self.users)
        ModelPreference.objects.update_or_create(
            user=user, model=self.any(), defaults={"is_enabled": self.dice.random() < 0.5}
        )[0].save()

    def default(self):
        DefaultModel.objects.update_or_create(group=None, defaults={"model": self.any()})
        DefaultModel.objects.update_or_create(group=Group.objects.first(), defaults={"model": self.any(), "rank": 1})

    def own_default(self):
        profile, _ = Profile.objects.get_or_create(user=self.dice.choice(self.users))
        profile.default_model = self.any()
        profile.save()

    def several(self):
        with transaction.atomic():
            self.one()
            try:
                with transaction.atomic():
                    self.one()
                    if self.dice.random() < 0.5:
                        raise LookupError
            except LookupError:
                pass
            self.one()

    def one(self):
        getattr(self, self.dice.choice([name for name in CHANGES if name != "several"]))()


CHANGES = [
    "new", "new_custom", "new_alias", "save", "save_some", "rename", "update", "update_all", "bulk_update", "bulk_create",
    "edit", "delete", "rebase", "tag", "tag_by_relation", "rename_tag", "grant", "take_grant", "grant_group", "group",
    "hold_flag", "switch", "default", "own_default", "several",
]  # fmt: skip


def answers(store, caller):
    """All that the snapshot says to a caller, as bytes and as it is kept."""
    view = store.view(caller, lambda: caller)
    sees = view.visibility
    state = (sees.version, list(sees.pks), sees.marks, sees.own_default, sees.group_defaults, sees.site_default)
    return openai_list(view), catalog_lists(view, None), cli_rows(view, None), state, view.rendered.pk_of


@pytest.fixture
def world(request, make_user, make_key, hold_flag):
    people = [make_user(name, groups=["team"]) for name in ("ann", "ben", "cy")]
    snapshot.clear()
    return World(random.Random(request.param), people, make_key, hold_flag("beta", people[0]))


@pytest.mark.django_db
@pytest.mark.parametrize("world", seeds(4, 12), indirect=True)
def test_after_any_change_by_any_way_what_is_brought_up_equals_what_is_read_whole(world, monkeypatch):
    whole, reads = [], snapshots._read_all
    monkeypatch.setattr(snapshots, "_read_all", lambda viewer: whole.append(viewer) or reads(viewer))
    for caller in world.callers():
        answers(snapshot, caller)
    for _ in range(40):
        change = world.dice.choice(CHANGES)
        getattr(world, change)()
        # Not everyone asks after each change.
        for caller in world.dice.sample(world.callers(), 3):
            assert answers(snapshot, caller) == answers(Snapshot(), caller), change
    # Each comparison reads it whole once; beside these it is seldom read whole.
    assert len(whole) - 40 * 3 < 25


def changed_since(version):
    return CatalogChange.objects.between(version, CatalogVersion.objects.current())


@pytest.mark.django_db(transaction=True)
def test_a_transaction_raises_the_number_once_and_names_what_it_changed(make_model):
    one, two = make_model("acme/a"), make_model("acme/b")
    before, entries_before = CatalogVersion.objects.current(), CatalogChange.objects.count()
    with transaction.atomic():
        AIModel.objects.filter(pk=one.pk).update(name="x")
        AIModel.objects.filter(pk=two.pk).update(name="y")
        AIModel.objects.filter(pk=two.pk).update(name="z")
    assert CatalogChange.objects.count() == entries_before + 1
    assert changed_since(before).keys == {one.pk, two.pk}


@pytest.mark.django_db(transaction=True)
def test_a_savepoint_that_is_rolled_back_takes_its_keys_with_it(make_model):
    models = [make_model(f"acme/{name}") for name in "abc"]
    before = CatalogVersion.objects.current()
    with transaction.atomic():
        AIModel.objects.filter(pk=models[0].pk).update(name="x")
        with transaction.atomic():
            AIModel.objects.filter(pk=models[1].pk).update(name="x")
            transaction.set_rollback(True)
        AIModel.objects.filter(pk=models[1].pk).update(name="y")
        with transaction.atomic():
            AIModel.objects.filter(pk=models[2].pk).update(name="x")
        AIModel.objects.filter(pk=models[0].pk).update(name="z")
    assert changed_since(before).keys == {model.pk for model in models}


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_in_no_journal(make_model):
    model = make_model("acme/a")
    state = list(CatalogChange.objects.values_list("version", "keys")), CatalogVersion.objects.current()
    with transaction.atomic():
        AIModel.objects.filter(pk=model.pk).update(name="x")
        transaction.set_rollback(True)
    assert (list(CatalogChange.objects.values_list("version", "keys")), CatalogVersion.objects.current()) == state


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("every", "kept"), [(2**62, 9), (1, 4)])
def test_the_journal_is_cut_to_its_reach(make_model, monkeypatch, every, kept):
    model = make_model("acme/a")
    CatalogChange.objects.all().delete()
    monkeypatch.setattr(versions, "REACH", 3)
    monkeypatch.setattr(versions, "CUT_EVERY", every)
    for priority in range(9):
        AIModel.objects.filter(pk=model.pk).update(priority=priority)
    assert CatalogChange.objects.count() == kept
    assert CatalogChange.objects.order_by("version").last().version == CatalogVersion.objects.current()


@pytest.mark.django_db
@pytest.mark.parametrize(("count", "named"), [(500, True), (501, False)])
def test_many_changed_models_are_any_models(count, named):
    AIModel.objects.bulk_create(AIModel(model_id=f"acme/{n}", name=str(n)) for n in range(count))
    before = CatalogVersion.objects.current()
    AIModel.objects.update(priority=1)
    assert (changed_since(before).keys is not None) is named


@pytest.mark.django_db
def test_a_journal_that_does_not_reach_back_or_has_a_gap_says_nothing(make_model):
    versions = []
    for name in "abc":
        make_model(f"acme/{name}")
        versions.append(CatalogVersion.objects.current())
    assert changed_since(versions[0]).keys is not None
    assert changed_since(versions[0] - 1) is None
    CatalogVersion.objects.update(number=versions[2] + 5)
    assert changed_since(versions[0]) is None


@pytest.mark.django_db
@pytest.mark.parametrize("count", [10, 400])
def test_the_first_answer_after_a_change_reads_the_change(api, alice, count):
    AIModel.objects.bulk_create(AIModel(model_id=f"acme/{n}", name=str(n), is_available=True) for n in range(count))
    caller = api.as_(alice)
    caller.get("/api/models")
    AIModel.objects.filter(model_id="acme/3").update(name="Another")
    with CaptureQueriesContext(connection) as queries:
        assert b"Another" in caller.get("/api/models").content
    assert len(queries) <= 12
    rows = [query["sql"] for query in queries if 'FROM "catalog_aimodel"' in query["sql"]]
    assert all("WHERE" in sql for sql in rows)


@pytest.mark.django_db
def test_forty_changed_models_and_what_the_rule_reads_of_them_cost_as_many_statements_as_one(make_model, alice):
    models = [make_model(f"acme/m{number}", restricted=True) for number in range(40)]
    AccessGrant.objects.bulk_create(AccessGrant(model=model, principal_type="user", user=alice) for model in models)

    def statements(keys):
        with CaptureQueriesContext(connection) as captured:
            found = rebuild.read(keys, ())
            seen = [[grant.user_id for grant in model.grants.all()] for model in found.values()]
        assert seen == [[alice.pk]] * len(keys)
        return len(captured)

    keys = [model.pk for model in models]
    assert statements(keys) == statements(keys[:1])


@pytest.mark.django_db
def test_a_version_without_an_entry_in_the_middle_is_noticed(make_model):
    """Such as one of code that knows no journal, which runs beside this during an upgrade."""
    model = make_model("acme/a")
    before = CatalogVersion.objects.current()
    CatalogVersion.objects.update(number=versions.after("number"))
    AIModel.objects.filter(pk=model.pk).update(name="x")
    assert CatalogChange.objects.count() > 1
    assert changed_since(before) is None


@pytest.mark.django_db
def test_a_grant_that_moves_is_a_change_of_both_models(make_model, alice):
    one, two = make_model("acme/a", granted_to=alice), make_model("acme/b")
    before = CatalogVersion.objects.current()
    grant = AccessGrant.objects.get()
    grant.model = two
    grant.save()
    assert changed_since(before).keys >= {one.pk, two.pk}


@pytest.mark.django_db
def test_a_row_that_comes_to_match_an_update_is_not_changed_without_an_entry(make_model):
    make_model("acme/a", name="old")
    before, done = CatalogVersion.objects.current(), []

    def meanwhile(execute, sql, *rest):
        if sql.startswith("UPDATE") and not done:
            done.append(sql)
            make_model("acme/b", name="old")
        return execute(sql, *rest)

    with connection.execute_wrapper(meanwhile):
        AIModel.objects.filter(name="old").update(name="new")
    assert list(AIModel.objects.filter(name="new").values_list("model_id", flat=True)) == ["acme/a"]
    assert {*AIModel.objects.filter(name="new").values_list("pk", flat=True)} <= changed_since(before).keys


@pytest.mark.django_db
def test_an_update_of_no_row_is_no_new_version(make_model):
    make_model("acme/a")
    before = CatalogVersion.objects.current()
    assert AIModel.objects.filter(model_id="acme/none").update(name="x") == 0
    assert CatalogVersion.objects.current() == before


@pytest.mark.django_db
def test_a_base_of_very_many_presets_is_read_whole(alice, make_model, monkeypatch):
    monkeypatch.setattr("catalog.api.rebuild._MOST_REMEMBERED", 3)
    base = make_model("acme/base")
    for number in range(4):
        make_model(f"mine{number}", base_model=base, owner=alice)
    snapshot.clear()
    answers(snapshot, caller_of(alice))
    base.name = "Another"
    base.save()
    assert answers(snapshot, caller_of(alice)) == answers(Snapshot(), caller_of(alice))
    assert snapshot.rendered.steps == ()
