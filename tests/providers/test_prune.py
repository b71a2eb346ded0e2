"""providers/management/commands/prune.py, check_freshness.py, and catalog's export_audit.py."""

import json
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.utils import timezone

from catalog.models import AuditEntry, FieldChange
from providers.models import Provider, SyncRun

NOW = timezone.now()


def ago(days):
    return NOW - timedelta(days=days)


@pytest.fixture
def acme(db):
    return Provider.objects.create(slug="acme", name="Acme", kind="compatible", base_url="https://acme.example/v1")


@pytest.fixture
def runs(acme):
    """`runs((days ago, state, more), ...)`: runs of one provider, in that order."""

    def make(*rows):
        return [
            SyncRun.objects.create(provider=acme, started_at=ago(days), state=state, **more)
            for days, state, more in rows
        ]

    return make


def test_old_runs_go_but_for_those_that_still_count(runs):
    confirmed = {"confirmed": True}
    _, confirmed_then, undecided, decided, last = runs(
        (400, "ok", confirmed),
        (300, "ok", confirmed),
        (200, "held", {}),
        (190, "held", {"decision": "rejected"}),
        (100, "failed", {}),
    )
    call_command("prune")
    assert set(SyncRun.objects.all()) == {confirmed_then, undecided, decided, last}
    runs((1, "ok", confirmed))
    call_command("prune", "--runs", "2d")
    assert undecided in SyncRun.objects.all()
    assert SyncRun.objects.count() == 2


def test_the_last_change_of_each_field_stays_however_old(db):
    for days, field in ((900, "name"), (800, "name"), (900, "family"), (10, "name")):
        FieldChange.objects.create(subject="acme/x", field=field, changed_at=ago(days), source="sync")
    FieldChange.objects.create(subject="acme/x", offered_by="acme", field="name", changed_at=ago(900), source="sync")
    call_command("prune")
    left = FieldChange.objects.order_by("pk").values_list("field", "offered_by", "changed_at")
    assert list(left) == [("family", "", ago(900)), ("name", "", ago(10)), ("name", "acme", ago(900))]


def test_two_years_of_the_audit_stay_and_a_dry_run_deletes_nothing(db, capsys):
    for days in (731, 729):
        AuditEntry.objects.create(subject_type="key", subject_id="1", subject="k", action="create", at=ago(days))
    call_command("prune", "--dry-run")
    assert "audit entries: 1 would be deleted" in capsys.readouterr().out
    assert AuditEntry.objects.count() == 2
    call_command("prune")
    assert list(AuditEntry.objects.values_list("at", flat=True)) == [ago(729)]
    call_command("prune", "--audit", "1y")
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("text", ["0d", "2w", "-1d", "1.5h", "٣d", "9999999d", "1000000y"])
def test_what_is_no_duration_is_refused(db, text):
    with pytest.raises(CommandError, match=r"duration|too long"):
        call_command("prune", f"--runs={text}")


@pytest.mark.parametrize(
    ("read", "active", "code"), [(1, True, 0), (5, True, 2), (None, True, 2), (5, False, 0), (None, False, 0)]
)
def test_a_source_that_was_not_read_in_time_is_told_by_the_exit_code(acme, capsys, read, active, code):
    acme.last_success_at, acme.is_active = read and NOW - timedelta(hours=read), active
    acme.save()
    left = 0
    try:
        call_command("check_freshness", "--older-than", "3h", "--json")
    except SystemExit as leaving:
        left = leaving.code
    assert left == code
    rows = json.loads(capsys.readouterr().out)
    assert [(row["provider"], row["stale"]) for row in rows] == ([("acme", code == 2)] if active else [])


def test_an_audit_is_a_json_object_a_line_without_secrets(db, alice, make_key, make_model, capsys):
    issued = make_key(alice)
    model = make_model("acme/größe")
    FieldChange.objects.create(model=model, subject=model.model_id, field="name", old="a", new="b", source="sync")
    FieldChange.objects.create(subject="acme/old", field="name", changed_at=ago(400), source="sync")
    call_command("export_audit", "--since", ago(1).date().isoformat())
    told = capsys.readouterr().out
    lines = [json.loads(line) for line in told.splitlines()]
    assert {line["kind"] for line in lines} == {"apikey", "model"}
    assert {line["id"] for line in lines if line["kind"] == "model"} == {"acme/größe"}
    assert issued.token not in told
    assert issued.key.secret_hash not in told


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "2026-W05", "9999-12-31T23:59:59-12:00"])
def test_a_since_that_is_no_moment_is_refused(db, since):
    with pytest.raises(CommandError, match="--since"):
        call_command("export_audit", "--since", since)


@pytest.mark.django_db
def test_sessions_that_have_ended_go():
    for name, days in (("old", 1), ("new", -1)):
        Session.objects.create(session_key=name, session_data="", expire_date=ago(days))
    call_command("prune")
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]
