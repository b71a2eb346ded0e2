"""catalog/changes.py and /api/changes: complete, in the order of commits, and only of what the caller sees."""

import threading
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.changes import Cursor
from catalog.editing import entries
from catalog.editing.history import Author, change_row
from catalog.models import AIModel, CatalogVersion, FieldChange
from preferences.models import ModelPreference, Profile

BY_SYNC = Author.sync(7, "openrouter, confirmed by ops")


@pytest.fixture
def change(db):
    """`change(model, "name", "old", "new")` as a person, or as a sync."""

    def write(model, field, old=None, new=None, author=None):
        author = author or Author.person(None, "a name")
        FieldChange.objects.bulk_create([change_row(author, model.model_id, field, old, new, model=model)])

    return write


@pytest.fixture
def ask(api, alice, make_key):
    caller = api.with_key(make_key(alice).token)

    def get(status=200, **sent):
        answer = caller.get("/api/changes", sent)
        assert answer.status_code == status, answer.content
        return answer.json()

    return get


def told(answer):
    return [(item["model_id"], item["kind"], item["field"], item["old"], item["new"]) for item in answer["items"]]


def test_each_kind_of_change_is_told_in_order(ask, make_model, change):
    model = make_model("acme/x")
    change(model, "created", None, "acme/x", BY_SYNC)
    change(model, "pricing", {"prompt": "0.1"}, {"prompt": "0.2"}, BY_SYNC)
    change(model, "is_available", True, False)
    change(model, "is_available", False, True)
    change(make_model("acme/back"), "hidden", True, False)
    answer = ask()
    assert told(answer) == [
        ("acme/x", "added", None, None, None),
        ("acme/x", "changed", "pricing", {"prompt": "0.1"}, {"prompt": "0.2"}),
        ("acme/x", "retired", "is_available", True, False),
        ("acme/x", "returned", "is_available", False, True),
        ("acme/back", "returned", "hidden", True, False),
    ]
    assert [(item["source"], item["provider"]) for item in answer["items"][:3]] == [
        ("sync", "openrouter"),
        ("sync", "openrouter"),
        ("person", None),
    ]
    assert "a name" not in str(answer)
    assert "ops" not in str(answer)


def test_a_reader_who_goes_on_from_next_gets_each_change_once(ask, make_model, change):
    model, seen, since = make_model("acme/x"), [], {}
    for n in range(7):
        change(model, "name", str(n), str(n + 1))
    for _ in range(5):
        answer = ask(limit=2, **since)
        seen += [item["new"] for item in answer["items"]]
        since = {"since": answer["next"]}
    assert seen == ["1", "2", "3", "4", "5", "6", "7"]
    assert ask(**since) == {"items": [], "next": since["since"]}
    change(model, "name", "7", "8")
    assert [item["new"] for item in ask(**since)["items"]] == ["8"]


def test_without_any_change_there_is_a_place_to_go_on_from(ask, make_model, change):
    begun = ask()
    assert begun["items"] == []
    change(make_model("acme/x"), "name", "a", "b")
    assert len(ask(since=begun["next"])["items"]) == 1


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({"kind": "added"}, ["created"]),
        ({"kind": "retired"}, ["is_available"]),
        ({"kind": "returned"}, ["active"]),
        ({"kind": "changed"}, ["pricing", "name"]),
        ({"field": "pricing"}, ["pricing"]),
        ({"provider": "openrouter"}, ["created", "pricing"]),
        ({"provider": "open"}, []),
        ({"model_id": "acme/none"}, []),
        ({"model_id": "acme/x", "kind": "changed", "field": "name"}, ["name"]),
        ({"from": "2999-01-01"}, []),
        ({"to": "2001-01-01"}, []),
        ({"from": "2001-01-01", "to": "2999-01-01"}, ["created", "pricing", "name", "is_available", "active"]),
    ],
)
def test_filters(ask, make_model, change, sent, fields):
    model = make_model("acme/x")
    change(model, "created", None, "acme/x", BY_SYNC)
    change(model, "pricing", {}, {"prompt": "1"}, Author.sync(7, "openrouter"))
    change(model, "name", "a", "b")
    change(model, "is_available", True, False)
    change(make_model("acme/back"), "active", False, True)
    assert [item["field"] or "created" for item in ask(**sent)["items"]] == fields


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"since": "x"}, "since"),
        ({"since": "1-٣"}, "since"),
        ({"since": "-1--1"}, "since"),
        ({"since": "9" * 40 + "-1"}, "since"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"kind": "gone"}, "kind"),
        ({"field": "notes"}, "field"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-01-31T0:0:0"}, "from"),
        ({"to": "9999-12-31T23:59:59-12:00"}, "to"),
        ({"mine": "yes"}, "mine"),
        ({"nonsense": "1"}, "nonsense"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(ask, sent, field):
    refused = ask(status=400, **sent)
    assert list(refused["errors"]) == [field]
    assert "isoformat" not in refused["message"]


def test_only_what_the_caller_sees_now_and_nothing_that_is_for_staff(ask, make_model, change, alice):
    shown, secret = make_model("acme/x"), make_model("acme/secret", granted_to="everyone")
    for model in (shown, secret, make_model("acme/hidden", hidden=True)):
        for field in ("notes", "pinned_fields", "grants", "restricted", "enabled_by_default"):
            change(model, field, None, "a word for staff")
        change(model, "name", "a", "b")
    FieldChange.objects.bulk_create([change_row(BY_SYNC, "acme/x", "active", True, False, model=shown, offered_by="p")])
    assert {item["model_id"] for item in ask()["items"]} == {"acme/x", "acme/secret"}
    secret.grants.all().delete()
    AIModel.objects.filter(pk=secret.pk).update(restricted=True)
    answer = ask()
    assert told(answer) == [("acme/x", "changed", "name", "a", "b")]
    shown.delete()
    assert ask()["items"] == []


def test_the_past_of_a_custom_model_is_for_those_who_may_change_it(api, ask, make_model, change, alice, bob):
    base = make_model("acme/base")
    for owner, model_id, permission in ((alice, "mine", "read"), (bob, "shared", "read"), (bob, "ours", "write")):
        model = make_model(model_id, owner=owner, base_model=base, granted_to="everyone", permission=permission)
        change(model, "name", "Merger with ACME", "Helper")
    assert [item["model_id"] for item in ask()["items"]] == ["mine", "ours"]
    assert api.get("/api/changes").json()["items"] == []


@pytest.mark.parametrize(
    ("field", "old", "new", "told"),
    [
        ("hidden", True, False, ["name"]),
        ("active", False, True, ["name"]),
        ("experimental", True, False, ["experimental", "name"]),
        ("restricted", True, False, ["name"]),
        ("grants", [], [{"principal_type": "everyone"}], ["name"]),
        ("requires_feature_flag", "beta", "", ["name"]),
        ("alias_of", "acme/secret", "", ["alias_of", "name"]),
        ("hidden", False, True, ["name", "name"]),
        ("priority", 1, 2, ["name", "priority", "name"]),
    ],
)
def test_what_an_entry_was_before_it_came_into_sight_is_not_told(
    api, ask, alice, make_model, change, field, old, new, told
):
    model = make_model("acme/x", restricted=field == "grants", granted_to="everyone")
    change(model, "name", "Secret", "Better")
    change(model, field, old, new)
    change(model, "name", "Better", "Best")
    answer = ask(kind="changed")
    assert [item["field"] for item in answer["items"]] == told
    for path in ("/api/changes", "/changes", "/changes.atom", "/models/acme/x"):
        assert (b"Secret" in api.as_(alice).get(path).content) == (told.count("name") == 2)


def test_what_was_changed_in_the_act_that_shows_an_entry_is_not_told(ask, make_model):
    model = make_model("acme/x", hidden=True)
    entries.edit(model, {"name": "Better", "hidden": False}, Author.person(None, "somebody"))
    assert [item["field"] for item in ask()["items"]] == ["hidden"]


def test_an_alias_has_no_past_from_before_its_target_was_shown(ask, make_model, change):
    target = make_model("acme/x")
    change(make_model("acme/latest", alias_of="acme/x"), "name", "Secret", "Latest")
    assert len(ask()["items"]) == 1
    change(target, "hidden", True, False)
    assert told(ask()) == [("acme/x", "returned", "hidden", True, False)]


def test_a_change_that_cannot_be_sent_is_left_out_and_the_cursor_passes_it(ask, make_model, change, caplog):
    model, deep = make_model("acme/x"), 1
    for _ in range(300):
        deep = [deep]
    change(model, "tags", deep, [])
    change(model, "alias_of", [], {"a": 1})
    change(model, "name", "a", "b")
    first = ask(limit=1)
    assert first["items"] == []
    assert caplog.text.count("acme/x is left out of answers") == 1
    assert [item["field"] for item in ask(since=first["next"])["items"]] == ["name"]


def test_a_target_out_of_sight_is_not_named(ask, make_model, change):
    make_model("acme/secret", hidden=True)
    make_model("acme/open")
    model = make_model("acme/x")
    change(model, "alias_of", "acme/secret", "acme/open")
    assert told(ask()) == [("acme/x", "changed", "alias_of", None, "acme/open")]


def test_mine_is_what_i_switched_on_set_as_default_named_or_built_upon(api, alice, bob, make_key, make_model, change):
    models = [make_model(f"acme/{name}") for name in ("on", "off", "default", "named", "base", "other")]
    for model in models:
        change(model, "name", "a", "b")
    ModelPreference.objects.create(user=alice, model=models[0], is_enabled=True)
    ModelPreference.objects.create(user=alice, model=models[1], is_enabled=False)
    Profile.objects.update_or_create(user=alice, defaults={"default_model": models[2]})
    make_model("helper", owner=alice, base_model=models[4])
    make_key(alice, allow=["acme/nam*"])
    make_key(bob, allow=["acme/other"])
    answer = api.with_key(make_key(alice).token).get("/api/changes", {"mine": "true"}).json()
    assert [item["model_id"] for item in answer["items"]] == ["acme/on", "acme/default", "acme/named", "acme/base"]
    assert api.get("/api/changes", {"mine": "true"}).status_code == 400


def test_a_page_costs_a_bounded_number_of_statements(ask, make_model, change, django_assert_max_num_queries):
    models = [make_model(f"acme/{n}", alias_of="acme/0" if n else "") for n in range(30)]
    for model in models:
        change(model, "alias_of", "", "acme/0")
    with django_assert_max_num_queries(7):
        assert len(ask(limit=30)["items"]) == 30


def test_an_edit_is_told_to_the_next_reader_and_what_was_read_is_304(api, alice, make_key, make_model):
    model = make_model("acme/x")
    caller = api.with_key(make_key(alice).token)
    tag = caller.get("/api/changes").headers["ETag"]
    assert caller.get("/api/changes", headers={"If-None-Match": tag}).status_code == 304
    entries.edit(model, {"name": "Better"}, Author.person(None, "somebody"))
    answer = caller.get("/api/changes", headers={"If-None-Match": tag})
    assert [item["new"] for item in answer.json()["items"]] == ["Better"]


def test_a_cursor_from_before_what_was_pruned_is_410(ask, make_model, change):
    model = make_model("acme/x")
    change(model, "name", "a", "b")
    first = ask()["next"]
    change(model, "name", "b", "c")
    change(model, "name", "c", "d")
    FieldChange.objects.exclude(new="d").update(changed_at=timezone.now() - timedelta(days=800))
    second = str(Cursor.of(FieldChange.objects.get(new="c")))
    change(make_model("acme/old"), "name", "", "the last of its field")
    FieldChange.objects.filter(subject="acme/old").update(changed_at=timezone.now() - timedelta(days=800), version=1)
    call_command("prune")
    assert ask(status=410, since=first)["code"] == "cursor_gone"
    assert [item["new"] for item in ask(since=second)["items"]] == ["d"]
    begun = ask(limit=1)
    assert [item["new"] for item in begun["items"]] == ["d"]
    assert ask(since=begun["next"])["items"] == []
    assert ask(since=ask(model_id="acme/none")["next"])["items"] == begun["items"]


def test_a_page_that_was_asked_before_reads_no_history_and_what_is_mine_has_no_tag(
    api, alice, make_key, make_model, change
):
    model = make_model("acme/x")
    change(model, "name", "a", "b")
    caller = api.with_key(make_key(alice, last_used_at=timezone.now()).token)
    first = caller.get("/api/changes", {"limit": 500}).content
    with CaptureQueriesContext(connection) as asked:
        assert caller.get("/api/changes", {"limit": 500}).content == first
    assert not [query for query in asked if "fieldchange" in query["sql"]]
    mine = caller.get("/api/changes", {"mine": "true"})
    assert (mine.json()["items"], "ETag" in mine.headers) == ([], False)
    make_key(alice, allow=["acme/x"])
    assert len(caller.get("/api/changes", {"mine": "true"}).json()["items"]) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_a_change_that_was_begun_first_and_committed_last_comes_last(make_model, change):
    """The keys of rows are in the order of their making: a reader who went by them would miss the slower one."""
    model, locked, done = make_model("acme/x"), threading.Event(), threading.Event()
    order = []

    def slow():
        with transaction.atomic():
            FieldChange(subject="acme/x", field="family", source="sync", model_id=model.pk)
            locked.wait(10)
            change(model, "name", "", "slow")
            order.append("slow")
        connection.close()

    worker = threading.Thread(target=slow)
    with transaction.atomic():
        change(model, "name", "", "first")
        worker.start()
        locked.set()
        done.wait(0.3)
        assert order == []
        before = CatalogVersion.objects.current()
    worker.join(10)
    versions = list(FieldChange.objects.order_by("version", "pk").values_list("new", "version"))
    assert [new for new, _ in versions] == ["first", "slow"]
    assert versions[0][1] == before < versions[1][1]


def test_a_grant_of_an_entry_that_is_open_to_all_hides_nothing_of_its_past(ask, change, make_model):
    model = make_model("acme/open")
    change(model, "name", "a", "b")
    change(model, "grants", [], ["team"])
    assert [item["field"] for item in ask()["items"]] == ["name"]
    model.restricted = True
    model.save()
    assert ask()["items"] == []


def test_of_what_is_behind_a_flag_only_that_it_came_or_went_is_told(api, change, make_model, hold_flag):
    model = make_model("acme/x", requires_feature_flag="beta")
    change(model, "name", "Secret", "Better")
    change(model, "is_available", False, True)
    hold_flag("beta")
    answer = api.get("/api/changes")
    assert ([item["field"] for item in answer.json()["items"]], b"Secret" in answer.content) == (
        ["is_available"],
        False,
    )
    assert b"Secret" not in api.get("/models/acme/x").content


def test_the_past_of_an_alias_of_an_alias_is_told_from_when_the_last_link_came_into_sight(api, change, make_model):
    last = make_model("acme/c")
    for alias, target in (("~acme/b", "acme/c"), ("~acme/a", "~acme/b")):
        change(make_model(alias, alias_of=target), "name", "Secret", "Better")
    change(last, "hidden", True, False)
    answer = api.get("/api/changes")
    assert ([item["field"] for item in answer.json()["items"]], b"Secret" in answer.content) == (["hidden"], False)
    assert b"Secret" not in api.get("/models/~acme/a").content
