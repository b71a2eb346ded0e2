"""providers/sync/lease.py: two syncs of one provider never overlap, and a killed one needs no cleaning up."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone

from catalog.models import AIModel, FieldChange
from providers.models import Provider, ProviderModel, SyncRun
from providers.sync import lease
from providers.sync import run as sync
from tests.feeds import Meddling, available, feed, fingerprint, record, saved
from tests.upstreams import after_barrier, answer
from tests.worlds import IS_LONG

LANGUAGE, EMBEDDINGS = "/api/v1/models", "/api/v1/embeddings/models"


@pytest.fixture
def stored_openrouter(transactional_db):
    """OpenRouter, committed, so that other processes see it."""
    return Provider.objects.create(slug="openrouter", kind="openrouter", name="OpenRouter")


def test_of_two_syncs_at_once_one_works_and_the_other_exits_75_at_once(
    stored_openrouter, upstream, database_url, project_dir, capsys
):
    parsed = threading.Barrier(2)
    upstream.on(LANGUAGE, after_barrier(parsed, answer(200, feed(20))))
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "OPENROUTER_BASE_URL": f"{upstream.url}/api/v1",
        "MODELDEX_ENV": "development",
    }
    command = [sys.executable, "manage.py", "sync_catalog", "openrouter"]
    first = subprocess.Popen(command, cwd=project_dir, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not upstream.requests and time.monotonic() < deadline:
            time.sleep(0.02)
        began = time.monotonic()
        with pytest.raises(SystemExit) as refused:
            call_command("sync_catalog", "openrouter")
        assert (refused.value.code, time.monotonic() - began < 2) == (75, True)
        assert "already running" in capsys.readouterr().out
        assert upstream.paths() == [LANGUAGE]
        parsed.wait(10)
        assert first.wait(30) == 1  # embeddings are not served
    finally:
        first.kill()
    assert upstream.paths().count(LANGUAGE) == 1
    assert len(available()) == 20
    assert list(SyncRun.objects.values_list("state", flat=True)) == ["partial"]


def forked(work) -> int:
    """Runs `work` in a child that is a copy of this process, connections apart, and returns its PID."""
    connections.close_all()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    finally:
        os._exit(code)


def test_kill_9_at_any_moment_leaves_the_catalog_wholly_old_or_wholly_new(stored_openrouter, tmp_path):
    feeds = {}
    for text in ("old", "new"):
        (tmp_path / text).mkdir()
        records = [record(f"acme/m{n:02}", description=text, context_length=len(text) * 10) for n in range(40)]
        feeds[text] = saved(tmp_path / text, feed(records))

    def run(text):
        return lambda: sync.sync(Provider.objects.get(), path=feeds[text])

    began = time.monotonic()
    os.waitpid(forked(run("old")), 0)
    usual = time.monotonic() - began
    applied, before, fate = set(), "old", random.Random(7)
    for _ in range(50 if IS_LONG else 25):
        child = forked(run("new" if before == "old" else "old"))
        # Mostly where the work is: the beginning is a fork that has not yet met the database.
        time.sleep(usual * fate.uniform(0.1, 1.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        texts = set(AIModel.objects.values_list("description", flat=True))
        facts = {f["description"] for f in ProviderModel.objects.values_list("facts", flat=True)}
        assert len(texts) == 1
        assert texts == facts
        assert AIModel.objects.count() == 40
        applied.add(texts != {before})
        before = texts.pop()
    assert False in applied, "no kill fell before the end of the work"
    # The next one starts at once, and ends the run of the last one killed.
    began = time.monotonic()
    assert sync.sync(Provider.objects.get(), path=feeds["old"]).state == "ok"
    states = set(SyncRun.objects.values_list("state", flat=True))
    assert states <= {"ok", "interrupted"}
    assert "interrupted" in states
    assert time.monotonic() - began < 10 + 10 * usual


def test_a_terminated_sync_ends_as_interrupted_and_gives_the_lease_back(stored_openrouter, upstream, settings):
    settings.OPENROUTER_BASE_URL = f"{upstream.url}/api/v1"
    upstream.on(LANGUAGE, after_barrier(threading.Barrier(2), answer(200, feed(5))))
    child = forked(lambda: call_command("sync_catalog", "openrouter"))
    deadline = time.monotonic() + 20
    while not upstream.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 143
    assert (SyncRun.objects.get().state, Provider.objects.get().lease_token) == ("interrupted", "")
    assert not AIModel.objects.exists()


def test_a_sync_that_slept_past_its_lease_writes_nothing(openrouter, sync_feed):
    sync_feed(feed(3))
    before = fingerprint()

    def lapse():
        Provider.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    outcome = sync.sync(openrouter, reader=Meddling(openrouter, feed([record("acme/late")]), lapse))
    assert (outcome.state, fingerprint()) == ("superseded", before)


def test_a_sync_that_was_overtaken_writes_nothing(openrouter, sync_feed):
    sync_feed(feed(3))

    def overtake():
        Provider.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert sync_feed(feed(4)).state == "ok"

    outcome = sync.sync(openrouter, reader=Meddling(openrouter, feed([record("acme/late")]), overtake))
    assert outcome.state == "superseded"
    assert available() == {f"acme/m{number:04}" for number in range(4)}
    assert [run.state for run in SyncRun.objects.order_by("pk")] == ["ok", "superseded", "ok"]


def test_a_lapsed_lease_cannot_be_renewed(openrouter):
    held, _ = lease.acquire(openrouter, trigger="test", by="")
    assert held.renew()
    Provider.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert not held.renew()
    with pytest.raises(lease.Superseded):
        held.lock()


@pytest.mark.parametrize(
    ("holder", "taken_over"),
    [
        (lambda mine: mine, False),
        (lambda mine: mine.rpartition(":")[0] + ":1", True),  # the PID is another process by now
        (lambda mine: mine.split(":")[0] + ":999999999:5", True),
        (lambda mine: "elsewhere:1:5", False),  # nobody knows: wait for the lease to lapse
    ],
    ids=["alive", "pid reused", "dead", "another host"],
)
def test_a_dead_holder_of_this_host_is_taken_over_at_once(openrouter, holder, taken_over):
    _, run = lease.acquire(openrouter, trigger="test", by="")
    mine = Provider.objects.get(pk=openrouter.pk).lease_holder
    Provider.objects.update(lease_holder=holder(mine))
    if taken_over:
        lease.acquire(openrouter, trigger="test", by="")
        run.refresh_from_db()
        assert (run.state, run.reason) == ("interrupted", "holder_gone")
    else:
        with pytest.raises(lease.AlreadyRunning):
            lease.acquire(openrouter, trigger="test", by="")


def test_a_zombie_counts_as_dead():
    child = os.fork()
    if not child:
        os._exit(0)
    while lease._start_of(child):
        time.sleep(0.01)
    assert lease.is_dead(f"{lease._host()}:{child}:1")
    os.waitpid(child, 0)


def test_no_transaction_is_open_while_upstream_is_read(stored_openrouter):
    seen = []
    reader = Meddling(stored_openrouter, feed(1), lambda: seen.append(connection.in_atomic_block))
    assert sync.sync(stored_openrouter, reader=reader).state == "ok"
    assert seen == [False]


def test_a_database_that_fails_midway_leaves_nothing_and_the_run_says_so(openrouter, sync_feed, monkeypatch):
    sync_feed(feed(3))
    before = fingerprint()

    def fail(*args):
        FieldChange.objects.create(subject="half", field="name", source="sync")
        raise sync.OperationalError("disk full: secret")

    monkeypatch.setattr("providers.sync.run.write", fail)
    outcome = sync_feed(feed(4))
    assert (outcome.state, outcome.reason, fingerprint()) == ("failed", "database", before)
    assert "secret" not in outcome.message
