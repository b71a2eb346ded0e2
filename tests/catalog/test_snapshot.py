"""catalog/api/snapshot.py: answers are joined from what a process has: cheap, never of two states or another's."""

import sys
import threading
import tracemalloc

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.access import callers
from catalog.access.callers import caller_of
from catalog.api import rebuild
from catalog.api import snapshot as snapshots
from catalog.api.marks import MarkByKey
from catalog.api.snapshot import RenderedModel, snapshot
from catalog.dialects import codex
from catalog.models import AIModel
from preferences.models import ModelPreference

READS = ["/v1/models", "/v1/models/acme%2F1", "/api/models", "/api/models?format=cli", "/api/settings"]


@pytest.fixture
def key(alice, make_key):
    return make_key(alice, last_used_at=timezone.now()).token


@pytest.fixture
def fill(db):
    def fill(count):
        AIModel.objects.bulk_create(AIModel(model_id=f"acme/{n}", name=str(n), is_available=True) for n in range(count))

    return fill


def statements(caller, path, **headers):
    with CaptureQueriesContext(connection) as captured:
        answer = caller.get(path, headers=headers)
    assert answer.status_code in (200, 304), answer.content
    return len(captured)


@pytest.mark.parametrize("count", [3, 300])
@pytest.mark.parametrize("path", READS)
def test_a_read_with_a_key_costs_two_statements_cold_and_one_warm(api, key, fill, path, count):
    fill(count)
    caller, profile = api.with_key(key), int(path == "/api/settings")
    snapshot.clear()
    assert statements(caller, path) == 2 + profile
    assert statements(caller, path) == 1 + profile


@pytest.mark.parametrize("path", READS[:4])
def test_a_read_with_a_session_costs_at_most_four(api, alice, fill, path):
    fill(30)
    caller = api.as_(alice)
    snapshot.clear()
    assert statements(caller, path) == 4
    assert statements(caller, path) == 3


@pytest.mark.parametrize("path", READS[2:4])
def test_an_anonymous_read_costs_two_and_then_one(api, fill, path):
    fill(30)
    snapshot.clear()
    assert [statements(api, path) for _ in range(3)] == [2, 1, 1]


def test_another_viewer_of_the_same_catalog_costs_one_statement_more_once(api, key, bob, make_key, fill):
    fill(30)
    api.with_key(key).get("/v1/models")
    caller = api.with_key(make_key(bob, last_used_at=timezone.now()).token)
    assert [statements(caller, "/v1/models") for _ in range(2)] == [2, 1]


@pytest.mark.parametrize("path", READS)
def test_what_the_caller_holds_is_304_without_a_body(api, key, fill, path):
    fill(2)
    caller = api.with_key(key)
    tag = caller.get(path).headers["ETag"]
    for held in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
        answer = caller.get(path, headers={"If-None-Match": held})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    snapshot.clear()
    if "acme" not in path:
        assert statements(caller, path, **{"If-None-Match": tag}) == 1


@pytest.mark.parametrize("held", ["", "garbage", '"unclosed', 'W/"x"', '"' + "x" * 10_000 + '"', "\t", '"a" "b",,'])
def test_any_other_if_none_match_gets_the_whole_answer(api, key, fill, held):
    fill(1)
    answer = api.with_key(key).get("/v1/models", headers={"If-None-Match": held})
    assert (answer.status_code, len(answer.json()["data"])) == (200, 1)


def test_every_answer_is_private_and_varies_by_who_asks(api, key, fill):
    fill(1)
    for caller in (api, api.with_key(key)):
        answer = caller.get("/api/models")
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert {"Authorization", "Cookie"} <= set(answer.headers["Vary"].replace(",", " ").split())
        assert answer.headers["Content-Type"] == "application/json"


def test_nobody_gets_304_for_anothers_bytes(api, key, bob, make_key, fill):
    fill(2)
    others = [api, api.with_key(make_key(bob).token), api.with_key(make_key(bob, allow=["acme/*"]).token)]
    tag = api.with_key(key).get("/api/models").headers["ETag"]
    tags = [other.get("/api/models", headers={"If-None-Match": tag}) for other in others]
    assert [answer.status_code for answer in tags] == [200, 200, 200]
    assert len({tag, *(answer.headers["ETag"] for answer in tags)}) == 4


def test_a_revoked_key_is_401_whatever_it_holds(api, alice, make_key, fill):
    fill(1)
    issued = make_key(alice)
    caller = api.with_key(issued.token)
    tag = caller.get("/v1/models").headers["ETag"]
    type(issued.key).objects.filter(pk=issued.key.pk).update(revoked_at=timezone.now())
    assert caller.get("/v1/models", headers={"If-None-Match": tag}).status_code == 401


@pytest.mark.parametrize("change", ["save", "update", "delete", "bulk_create", "tag"])
def test_a_change_of_the_catalog_is_in_the_next_answer(api, key, make_model, change):
    model = make_model("acme/x")
    caller = api.with_key(key)
    before = caller.get("/api/models")
    match change:
        case "save":
            model.name = "Another"
            model.save()
        case "update":
            AIModel.objects.update(name="Another")
        case "delete":
            model.delete()
        case "bulk_create":
            AIModel.objects.bulk_create([AIModel(model_id="acme/y", name="y")])
        case "tag":
            model.tags.create(name="fast")
    after = caller.get("/api/models", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.json() != before.json()


def test_a_catalog_that_changes_while_it_is_read_is_read_again(api, key, make_model, monkeypatch):
    make_model("acme/first")
    caller, read = api.with_key(key), snapshots._read_all
    snapshot.clear()

    def overtaken(viewer):
        if not AIModel.objects.filter(model_id="acme/second").exists():
            make_model("acme/second")
        return read(viewer)

    monkeypatch.setattr(snapshots, "_read_all", overtaken)
    answer = caller.get("/v1/models")
    assert [row["id"] for row in answer.json()["data"]] == ["acme/first", "acme/second"]
    assert caller.get("/v1/models").headers["ETag"] == answer.headers["ETag"]


def test_a_viewer_whose_sight_changes_with_the_catalog_gets_one_state(api, alice, make_key, make_model, monkeypatch):
    """Alice loses her flag in the transaction that shows a hidden model to its holders: she never sees it."""
    model = make_model("acme/secret", hidden=True, requires_feature_flag="beta")
    flag = callers.get_waffle_flag_model().objects.create(name="beta", everyone=None, superusers=False)
    flag.users.add(alice)
    caller, read = api.with_key(make_key(alice).token), snapshots._read_all
    snapshot.clear()

    def overtaken(viewer):
        with transaction.atomic():
            flag.users.clear()
            flag.save()
            AIModel.objects.filter(pk=model.pk).update(hidden=False)
        return read(viewer)

    monkeypatch.setattr(snapshots, "_read_all", overtaken)
    assert caller.get("/v1/models").json()["data"] == []


def test_a_catalog_that_never_rests_is_503_and_no_mixture(api, key, make_model, monkeypatch):
    make_model("acme/x")
    snapshot.clear()

    def overtaken(read):
        return lambda viewer: (AIModel.objects.update(priority=1), read(viewer))[1]

    for name in ("_read_all", "_read_visibility"):
        monkeypatch.setattr(snapshots, name, overtaken(getattr(snapshots, name)))
    answer = api.with_key(key).get("/v1/models")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_kept(alice, make_model):
    make_model("acme/x")
    snapshot.clear()
    with transaction.atomic():
        AIModel.objects.update(name="Never")
        view = snapshot.view(caller_of(alice), lambda: caller_of(alice))
        assert b"Never" in view.usable("acme/x").item
        transaction.set_rollback(True)
    AIModel.objects.update(name="Later")
    view = snapshot.view(caller_of(alice), lambda: caller_of(alice))
    assert b"Later" in view.usable("acme/x").item


@pytest.mark.django_db(transaction=True)
def test_threads_that_meet_a_new_version_read_it_once(alice, make_model, monkeypatch):
    make_model("acme/x")
    read, reads, found = snapshots._read_all, [], []
    monkeypatch.setattr(snapshots, "_read_all", lambda viewer: reads.append(1) or read(viewer))
    snapshot.clear()
    start = threading.Barrier(4)

    def ask():
        start.wait(10)
        found.append(snapshot.view(caller_of(alice), lambda: caller_of(alice)).usable("acme/x").model_id)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, len(reads)) == (["acme/x"] * 4, 1)


def test_the_cached_answers_stay_within_their_bounds():
    cached = snapshots.Snapshot()
    for n in range(30):
        cached.store_body("v1", str(n), bytes(1_000_000))
    assert [bool(cached.body("v1", str(n))) for n in (0, 6, 7, 29)] == [False, False, True, True]
    # Of large ones the last.
    for n in range(3):
        cached.store_body("v1", f"large {n}", bytes(20_000_000))
    assert [bool(cached.body("v1", f"large {n}")) for n in range(3)] == [False, False, True]
    cached.store_body("v1", "too large", bytes(70_000_000))
    assert cached.body("v1", "too large") is None
    for n in range(30_000):
        cached.store_body("cli", str(n), b"[]")
    assert (len(cached.bodies) < 25_000, cached.body("cli", "29999")) == (True, b"[]")
    cached.clear()
    assert cached.body("v1", "large 2") is cached.body("cli", "29999") is None


def test_lists_and_decisions_about_one_model_agree(api, alice, make_key, make_model):
    base = make_model("acme/base")
    make_model("mine", owner=alice, base_model=base)
    make_model("acme/off")
    ModelPreference.objects.create(user=alice, model=AIModel.objects.get(model_id="acme/off"), is_enabled=False)
    caller = api.with_key(make_key(alice).token)
    both = caller.get("/api/models").json()
    assert [item["id"] for item in both["catalog"]] == ["acme/base", "acme/off", "mine"]
    assert [item["id"] for item in both["models"]] == ["acme/base", "mine"]
    assert [row["slug"] for row in caller.get("/api/models?format=cli").json()] == ["acme/base", "mine"]


def test_marks_are_found_by_key_in_little_memory():
    pks = [*range(10_000, 0, -1)]
    found = MarkByKey(pks, bytes(pk % 8 for pk in pks))
    assert ({pk: found[pk] for pk in found}, len(found)) == ({pk: pk % 8 for pk in pks}, 10_000)
    assert (None in found, 0 in found, 10_001 in found, found.get(10_001), found.get(8)) == (False,) * 3 + (None, 0)
    assert sum(map(sys.getsizeof, vars(found).values())) < 10 * 10_000


def test_what_is_kept_of_a_model_takes_hardly_more_memory_than_its_bytes(make_model):
    make_model("acme/x", description="words " * 100)
    model = rebuild.tagged(AIModel.objects.all()).get()
    tracemalloc.start()
    try:
        kept = [RenderedModel.of(model) for _ in range(50)]
        rows = [codex.ROWS.of(one) for one in kept]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    size = sum(len(one.item) + len(one.cli) + len(one.openai) for one in kept) + sum(map(len, rows))
    assert 0 < size < taken < 2 * size
