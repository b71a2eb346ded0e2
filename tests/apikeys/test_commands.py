"""create_api_key and revoke_api_key, as a shell sees them."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apikeys import keys, tokens
from apikeys.models import ApiKey
from catalog.models import AuditEntry

pytestmark = pytest.mark.django_db


def create(capsys, *words):
    call_command("create_api_key", *words)
    return capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["alice"], 0, ""),
        (["nobody"], 1, "no user 'nobody'"),
        (["alice", "--allow", "no/such"], 1, "no/such"),
        (["alice", "--allow", "a*", "--deny", "b*"], 2, "not allowed with"),
        (["alice", "--scope", "all"], 2, "invalid choice"),
    ],
)
def test_only_the_key_is_on_standard_output_and_the_exit_code_is_true(
    alice, database_url, project_dir, words, code, told
):
    done = subprocess.run(
        [sys.executable, "manage.py", "create_api_key", *words],
        cwd=project_dir,
        env=os.environ | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    assert told in done.stderr
    assert bool(tokens.parse(done.stdout.removesuffix("\n"))) == (code == 0)
    assert code == 0 or not done.stdout


def test_every_option_reaches_the_key(capsys, alice, make_model):
    make_model("acme/x")
    lists = ["--allow", "acme/x", "qwen/*", "--allow", "b/*", "--scope", "models:read"]
    numbers = ["--per-minute", "3", "--per-day", "9", "--expires", "90d"]
    text = create(capsys, "alice", "--name", "ci", *lists, *numbers).strip()
    key = ApiKey.objects.get(key_id=tokens.parse(text).key_id)
    assert (key.user, key.name, key.mode, key.patterns) == (alice, "ci", "allow_list", ["acme/x", "qwen/*", "b/*"])
    assert (key.scopes, key.per_minute, key.per_day) == (["models:read"], 3, 9)
    assert abs(key.expires_at - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)
    assert AuditEntry.objects.get(action="create").actor == "the command create_api_key"


def test_a_denied_list_and_the_default_scopes(capsys, alice):
    key = ApiKey.objects.get(key_id=tokens.parse(create(capsys, "alice", "--deny", "acme/*").strip()).key_id)
    assert (key.mode, key.patterns, key.scopes) == ("deny_list", ["acme/*"], ["models:read", "preferences:write"])


@pytest.mark.parametrize(
    "words",
    [
        ["--per-minute", "0"], ["--per-day", "-1"], ["--expires", "soon"], ["--expires", "2020-01-01"],
        ["--expires", "0d"], ["--expires", "-5d"], ["--allow", "a b"], ["--name", ""], ["--name", "a\nb"],
        ["--allow", "a*" * 30],
    ],
)  # fmt: skip
def test_what_is_refused_makes_no_key(capsys, alice, words):
    with pytest.raises(CommandError):
        create(capsys, "alice", *words)
    assert not ApiKey.objects.exists()


def test_a_deactivated_user_gets_no_key(capsys, alice):
    alice.is_active = False
    alice.save()
    with pytest.raises(CommandError, match="deactivated"):
        create(capsys, "alice")


@pytest.mark.parametrize("by", ["key", "id"])
def test_a_key_is_revoked_by_itself_or_by_its_id(api, capsys, alice, make_key, by):
    issued = make_key(alice)
    given = issued.token if by == "key" else issued.key.key_id
    call_command("revoke_api_key", given)
    assert capsys.readouterr().out.startswith("Revoked a key")
    assert api.with_key(issued.token).get("/api/keys/current").status_code == 401
    call_command("revoke_api_key", given)
    assert capsys.readouterr().out.startswith("Was revoked before")
    assert AuditEntry.objects.filter(action="revoke").count() == 1


def test_an_unknown_key_is_refused_without_an_echo(capsys, alice):
    text = tokens.make().text
    with pytest.raises(CommandError) as refusal:
        call_command("revoke_api_key", text)
    assert text not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "days"),
    [("1d", 1), ("90d", 90), ("2026-01-31T00:00:00Z", 30), ("2026-01-31T02:00:00+02:00", 30)],
)
def test_an_expiry_is_a_date_or_days(text, days):
    now = timezone.datetime(2026, 1, 1, tzinfo=timezone.get_default_timezone())
    assert keys.expiry(text, now) == now + timedelta(days=days)


@pytest.mark.parametrize("text", ["", "d", "90", "1.5d", "-1d", "٣d", "9999999d", "soon", "2026-13-01"])
def test_anything_else_is_no_expiry(text):
    assert keys.expiry(text, timezone.now()) is None
