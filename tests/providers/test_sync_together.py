"""providers/sync/write.py: syncs beside other writers, and how long they take."""

import gc
import json
import resource
import threading
import time

import pytest
from django.db import connection

from catalog.editing import entries
from catalog.editing.history import Author
from catalog.models import AIModel
from providers.models import Provider
from providers.offers import bulk
from providers.sync import run as sync
from tests.feeds import DATA, DAYS, available, day, feed, record, saved


def in_threads(*works):
    """Runs all at once, and raises what one of them raised."""
    failures, ready = [], threading.Barrier(len(works))

    def run(work):
        try:
            ready.wait(10)
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]


def test_two_providers_that_bring_the_same_new_models_at_once_both_succeed(transactional_db, tmp_path):
    path, outcomes = saved(tmp_path, feed(60)), []
    providers = [Provider.objects.create(slug=f"or{n}", kind="openrouter", name="x") for n in (1, 2)]
    in_threads(*[lambda p=p: outcomes.append(sync.sync(p, path=path).state) for p in providers])
    assert outcomes == ["ok", "ok"]
    assert {tuple(found) for found in AIModel.objects.values_list("offered_by", flat=True)} == {("or1", "or2")}


def test_people_edit_while_syncs_write_and_neither_loses(transactional_db, tmp_path):
    provider = Provider.objects.create(slug="openrouter", kind="openrouter", name="x")
    paths = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        sent = feed(60, description=f"upstream {number}", context_length=100 + number)
        paths.append(saved(tmp_path / str(number), sent))
    sync.sync(provider, path=paths[0])
    edited = list(AIModel.objects.order_by("-pk")[:20])

    def edit():
        for model in edited:
            entries.edit(model, {"description": "ours"}, Author.person(None, "ops"))

    states = []
    in_threads(edit, lambda: states.extend(sync.sync(provider, path=path).state for path in paths[1:]))
    assert states == ["ok", "ok", "ok"]
    keys = [model.pk for model in edited]
    ours = AIModel.objects.filter(pk__in=keys)
    assert set(ours.values_list("description", "context_length")) == {("ours", 103)}
    others = AIModel.objects.exclude(pk__in=keys)
    assert set(others.values_list("description", "context_length")) == {("upstream 3", 103)}


def reshaped(count):
    """The recorded models of models.dev as OpenRouter would list them, repeated up to `count`."""
    listed = json.loads((DATA / "modelsdev" / "api_2026-07-02.json").read_text())
    found = [(slug, name, model) for slug, part in listed.items() for name, model in part["models"].items()]
    return feed(
        record(
            f"{slug}-{number // len(found)}/{name}".replace(" ", "_"),
            name=model["name"],
            description=f"{model['name']} of {slug}.",
            context_length=model["limit"]["context"] or None,
            supported_parameters=["max_tokens", *(["tools"] if model.get("tool_call") else [])],
            prompt=f"{(model.get('cost') or {}).get('input') or 0:.9f}",
        )
        for number in range(count)
        for slug, name, model in [found[number % len(found)]]
    )


def timed(work):
    gc.collect()
    began = time.process_time()
    outcome = work()
    return outcome, time.process_time() - began


@pytest.mark.alone
def test_421_models_take_less_than_two_seconds(sync_feed):
    outcome, first = timed(lambda: sync_feed(day(DAYS[-1])))
    _, again = timed(lambda: sync_feed(day(DAYS[-1])))
    print(f"421 models: {first:.2f} s of processor time, {again:.2f} s unchanged")
    assert outcome.counts["added"] == 421
    assert max(first, again) < 2


@pytest.fixture
def ordinary_collector():
    """As in a command: tests/conftest.py has it rest, which makes parsing three times as fast and a sync hardly faster."""
    resting = gc.get_threshold()
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)
    yield
    gc.freeze()
    gc.set_threshold(*resting)


@pytest.mark.alone
@pytest.mark.slow
def test_5276_models_take_less_than_ten_seconds_and_little_memory(ordinary_collector, sync_feed, tmp_path):
    """Seconds of a machine that parses the same answer 20 times in two of them: others are faster or slower."""
    path = saved(tmp_path, reshaped(5276))
    text = path.read_text()
    _, reading = timed(lambda: [json.loads(text) for _ in range(20)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome, first = timed(lambda: sync_feed(path))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    _, again = timed(lambda: sync_feed(path))
    counts, switched = timed(lambda: bulk.switch(False, Author.person(None)))
    # At the end as well: the machine may have become slower meanwhile.
    reading = max(reading, timed(lambda: [json.loads(text) for _ in range(20)])[1])
    second = max(1.0, reading / 2)
    print(
        f"5,276 models: {first:.2f} s, {again:.2f} s unchanged, {switched:.2f} s switched off; {grown // 1024} MB more;"
        f" a second is {second:.2f}, of {reading:.2f}"
    )
    assert outcome.counts["added"] == counts.updated == 5276
    assert not available()
    assert first < 10 * second
    assert again < 5 * second
    assert switched < 5 * second
    assert grown < 200 * 1024
