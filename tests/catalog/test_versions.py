"""catalog/versions.py: numbers that never repeat, also in a database that has gone back."""

import threading
import time

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from catalog.access.callers import caller_of
from catalog.api import snapshot as snapshots
from catalog.api.snapshot import snapshot
from catalog.models import AIModel, CatalogVersion, Tag
from preferences import writing
from preferences.models import ModelPreference, Profile


@pytest.fixture
def key(alice, make_key):
    return make_key(alice, last_used_at=timezone.now()).token


@pytest.mark.django_db
@pytest.mark.parametrize("number", ["catalog", "preferences"])
@pytest.mark.parametrize("held", [0, 5, 2**62])
def test_the_next_number_is_more_than_the_last_and_not_behind_the_clock(alice, number, held):
    writing.touch(alice.pk)
    CatalogVersion.objects.bump()
    rows, field = {
        "catalog": (CatalogVersion.objects, "number"),
        "preferences": (Profile.objects, "version"),
    }[number]
    rows.update(**{field: held})
    now = time.time_ns() // 1000
    for expected in (max(held + 1, now), max(held + 2, now)):
        if number == "catalog":
            CatalogVersion.objects.bump()
        else:
            writing.touch(alice.pk)
        assert getattr(rows.get(), field) >= expected


def rename(name):
    QuerySet(AIModel).update(name=name)


@pytest.mark.parametrize("path", ["/api/models", "/v1/models", "/api/models/list", "/api/models/acme/x"])
def test_a_restored_catalog_is_served_at_once_and_its_numbers_are_new(api, key, make_model, path):
    """Dumped as `Old`, then `Lost`; restored to `Old`, then `Later`: each state has a tag of its own."""
    make_model("acme/x", name="Old")
    caller, dumped = api.with_key(key), CatalogVersion.objects.current()
    tags = {"Old": caller.get(path).headers["ETag"]}
    AIModel.objects.update(name="Lost")
    tags["Lost"] = caller.get(path).headers["ETag"]
    rename("Old")
    CatalogVersion.objects.update(number=dumped)
    restored = caller.get(path, headers={"If-None-Match": tags["Lost"]})
    assert restored.status_code == 200
    assert b"Old" in restored.content
    assert restored.headers["ETag"] == tags["Old"]
    AIModel.objects.update(name="Later")
    answers = [caller.get(path, headers={"If-None-Match": tag}) for tag in tags.values()]
    assert [(answer.status_code, b"Later" in answer.content) for answer in answers] == [(200, True)] * 2


@pytest.mark.parametrize("number", ["catalog", "preferences"])
def test_a_number_ahead_of_the_clock_is_followed_by_another_one_after_each_restore(api, alice, make_model, number):
    """Such as one that was given while the clock was a day ahead: Old, then Lost; restored to Old, then Later."""
    model, caller, ahead = make_model("acme/x"), api.as_(alice), (time.time_ns() // 1000) + 86_400_000_000
    tags = []
    for name in ("Lost", "Later"):
        if number == "catalog":
            CatalogVersion.objects.update(number=ahead)
            AIModel.objects.update(name=name)
        else:
            writing.touch(alice.pk)
            Profile.objects.update(version=ahead)
            writing.switch(caller_of(alice).viewer, {"acme/x": name == "Later"})
        tags.append(caller.get("/api/models", headers={"If-None-Match": ", ".join(tags)}).headers["ETag"])
    assert len({*tags}) == 2
    assert AIModel.objects.get(pk=model.pk).name == ("Later" if number == "catalog" else "x")


# Writes that send no signal of the row that they change, or that Django undoes without a word.
def by_hand_and_back(model, alice):
    with transaction.atomic():
        savepoint = transaction.savepoint()
        AIModel.objects.filter(pk=model.pk).update(name="Undone")
        transaction.savepoint_rollback(savepoint)
        AIModel.objects.filter(pk=model.pk).update(name="Changed")


def another_owner(model, alice):
    alice.custom_models.add(AIModel.objects.get(model_id="preset"))


def another_base(model, alice):
    model.custom_models.add(AIModel.objects.get(model_id="preset"))


def a_tag_from_its_side(model, alice):
    Tag.objects.get(name="old").ai_models.set([])


def a_member(model, alice):
    links = alice.groups.through
    links.objects.bulk_create([links(user_id=alice.pk, group=Group.objects.get(name="research"))])


def no_profile(model, alice):
    Profile.objects.filter(user=alice).delete()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "write", [by_hand_and_back, another_owner, another_base, a_tag_from_its_side, a_member, no_profile]
)
def test_what_is_written_past_the_signals_is_answered_at_once(api, alice, bob, make_model, write):
    model, other = make_model("acme/x", tags=["old"]), make_model("acme/y", family="one")
    make_model("acme/secret", granted_to=Group.objects.create(name="research"))
    make_model("preset", owner=bob, base_model=other, granted_to="everyone")
    caller = api.as_(alice)
    caller.get("/api/models")
    # Before the user has a profile, and after they have had one, its number is none.
    ModelPreference.objects.create(user=alice, model=model, is_enabled=False)
    Profile.objects.filter(user=alice).update(no_new_since=timezone.now().replace(year=2000))
    stale = caller.get("/api/models")
    write(model, alice)
    fresh = caller.get("/api/models", headers={"If-None-Match": stale.headers["ETag"]})
    snapshot.clear()
    assert (fresh.status_code, fresh.content) == (200, caller.get("/api/models").content)


@pytest.mark.django_db(transaction=True)
def test_a_standing_read_before_others_read_a_newer_state_reads_nothing_again(alice, make_model, monkeypatch):
    make_model("acme/x")
    behind = caller_of(alice)
    AIModel.objects.update(name="Newer")
    snapshot.view(caller_of(alice), lambda: caller_of(alice))
    monkeypatch.setattr(snapshots, "_read_all", None)
    assert b"Newer" in snapshot.view(behind, lambda: caller_of(alice)).usable("acme/x").item


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("restored", [False, True])
def test_many_who_wait_for_one_state_cause_one_read_of_it(alice, make_model, monkeypatch, restored):
    """Their standings were read at different versions; then the catalog moved on, or back."""
    make_model("acme/x")
    read, reads, found = snapshots._read_all, [], []
    numbers = [CatalogVersion.objects.current()]
    all_callers = [caller_of(alice)]
    for n in range(3):
        AIModel.objects.update(name=str(n))
        numbers.append(CatalogVersion.objects.current())
        all_callers.append(caller_of(alice))
    if restored:
        snapshot.view(all_callers[-1], lambda: caller_of(alice))
        CatalogVersion.objects.update(number=numbers[0])
        # Those who ask from now on, and some who asked before.
        all_callers[-1] = caller_of(alice)
    start = threading.Barrier(len(all_callers))

    def slow(viewer):
        reads.append(1)
        time.sleep(0.2)
        return read(viewer)

    def ask(caller):
        start.wait(10)
        found.append(snapshot.view(caller, lambda: caller_of(alice)).rendered.version)
        connection.close()

    monkeypatch.setattr(snapshots, "_read_all", slow)
    threads = [threading.Thread(target=ask, args=[caller]) for caller in all_callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CatalogVersion.objects.current()] * len(all_callers)
    assert len(reads) == 1
