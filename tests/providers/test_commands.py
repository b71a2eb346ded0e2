"""providers/management/commands, and `edit_model`: what they print, and how they exit."""

import json
import re

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import OperationalError

from catalog.models import AIModel, FieldChange
from providers.models import Provider, SyncRun
from providers.sync.run import Outcome
from tests.feeds import available, feed, fingerprint, record

EMBEDDING = record("acme/embed", produces="embeddings")


@pytest.fixture
def run(openrouter, tmp_path, capsys):
    """`run(payload, "--json")` -> (exit code, standard output, standard error)."""

    def call(payload, *options):
        path = tmp_path / "answer.json"
        path.write_text(payload if isinstance(payload, str) else json.dumps(payload))
        code = 0
        try:
            call_command("sync_catalog", "openrouter", "--from-file", str(path), *options)
        except SystemExit as leaving:
            code = leaving.code
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.mark.parametrize(
    ("payload", "code", "word"),
    [
        (feed(12), 0, "ok"),
        (feed([*feed(11)["data"], 5]), 0, "partial"),
        ("<html>", 1, "failed"),
        (feed(2), 3, "held"),
    ],
    ids=["ok", "partial", "failed", "held"],
)
def test_the_exit_code_tells_the_truth(run, payload, code, word):
    run(feed(12))
    got, out, err = run(payload)
    assert (got, err) == (code, "")
    assert f"openrouter  {word}" in out


@pytest.mark.parametrize(
    ("language", "embeddings", "state", "code"),
    [
        (feed(12), feed([EMBEDDING]), "ok", 0),
        (feed([*feed(12)["data"], None]), feed([EMBEDDING]), "partial", 0),
        (feed(12), None, "partial", 1),
        (None, feed([EMBEDDING]), "partial", 1),
        ({"data": []}, feed([EMBEDDING]), "partial", 1),
        (feed(2), feed([EMBEDDING]), "held", 3),
        (feed(2), None, "held", 1),
        (None, None, "failed", 1),
    ],
)
@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["sync", "dry run"])
def test_a_listing_that_cannot_be_read_is_told_by_the_exit_code(
    openrouter, upstream, settings, capsys, language, embeddings, state, code, options
):
    settings.OPENROUTER_BASE_URL = f"{upstream.url}/api/v1"
    upstream.serve("/api/v1/models", feed(12))
    upstream.serve("/api/v1/embeddings/models", feed([EMBEDDING]))
    call_command("sync_catalog", "openrouter")
    success = Provider.objects.get().last_success_at
    for path, payload in (("models", language), ("embeddings/models", embeddings)):
        upstream.serve(f"/api/v1/{path}", payload or {}, status=200 if payload else 404)
    capsys.readouterr()
    got = 0
    try:
        call_command("sync_catalog", "openrouter", "--json", *options)
    except SystemExit as leaving:
        got = leaving.code
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["state"], got, bool(told["unread"])) == (state, code, code == 1)
    # A run that did not read all is no success, however often it runs.
    moved = Provider.objects.get().last_success_at != success
    assert moved == (not options and state in ("ok", "partial", "held") and code != 1)


def test_what_was_not_read_comes_before_what_is_held_and_that_before_what_runs(
    openrouter, make_provider, monkeypatch, capsys
):
    for slug in ("a", "b", "c"):
        make_provider(slug, kind="compatible", base_url="http://127.0.0.1:9/v1")
    outcomes = {
        "a": Outcome("a", "partial", unread=["models"]),
        "b": Outcome("b", "held"),
        "c": Outcome("c", "running"),
        "openrouter": Outcome("openrouter", "ok"),
    }
    command = "providers.management.commands.sync_catalog"
    monkeypatch.setattr(f"{command}.run.sync", lambda provider, **options: outcomes[provider.slug])
    codes = []
    for names in (["a", "b", "c"], ["b", "c", "openrouter"], ["c", "openrouter"]):
        with pytest.raises(SystemExit) as leaving:
            call_command("sync_catalog", *names)
        codes.append(leaving.value.code)
    assert codes == [1, 3, 75]


def test_a_dry_run_shows_a_diff_and_writes_nothing(run):
    run(feed(12))
    before, runs = fingerprint(), SyncRun.objects.count()
    code, out, _ = run(feed([*feed(11, prompt="0.000002")["data"], record("acme/new")]), "--dry-run")
    assert (code, fingerprint(), SyncRun.objects.count()) == (0, before, runs)
    assert "+ acme/new\n" in out
    assert "- acme/m0011 (openrouter) is not listed any more\n" in out
    assert "~ acme/m0000 (openrouter) prompt $1.00 to $" in out
    assert "Dry run: nothing was written." in out


def test_the_answer_as_json_names_the_problems(run):
    code, out, _ = run(feed([*feed(3)["data"], None]), "--json")
    (told,) = json.loads(out)
    assert (code, told["state"], told["counts"]["added"], told["problems"][0]["index"]) == (0, "partial", 3, 3)


def test_a_held_run_says_how_it_goes_on(run):
    run(feed(12))
    _, out, _ = run(feed(2))
    assert "--allow-shrink" in out
    assert "held: acme/m0005 is gone from language" in out
    assert run(feed(2), "--allow-shrink")[0] == 0
    assert len(available()) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nosuch"], "There are: openrouter"),
        (["--from-file", "x.json"], "name it"),
        (["openrouter", "--from-file", "x.json", "--every", "1h"], "leave out --every"),
        (["--every", "999999d"], "at most 365d"),
    ],
)
def test_a_wrong_call_says_what_would_be_right(openrouter, arguments, words):
    with pytest.raises(CommandError, match=words):
        call_command("sync_catalog", *arguments)


def test_a_file_that_is_not_there_fails(openrouter, capsys):
    with pytest.raises(SystemExit) as leaving:
        call_command("sync_catalog", "openrouter", "--from-file", "/nowhere/answer.json")
    assert leaving.value.code == 1
    assert "No such file" in capsys.readouterr().out


def test_ctrl_c_ends_the_run_as_interrupted(openrouter, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("providers.reading.reader.Reader.fetch", interrupt)
    with pytest.raises(SystemExit) as leaving:
        call_command("sync_catalog", "openrouter")
    assert leaving.value.code == 130
    openrouter.refresh_from_db()
    assert (SyncRun.objects.get().state, openrouter.lease_token) == ("interrupted", "")


def test_a_database_that_is_gone_is_a_failure_in_words(openrouter, monkeypatch, capsys):
    def fail(*args, **options):
        raise OperationalError("secret host")

    monkeypatch.setattr("providers.sync.run.acquire", fail)
    with pytest.raises(SystemExit) as leaving:
        call_command("sync_catalog", "openrouter")
    out = capsys.readouterr().out
    assert (leaving.value.code, "The database cannot be used" in out, "secret" in out) == (1, True, False)


def test_going_on_for_ever_survives_a_round_that_fails(openrouter, monkeypatch, capsys):
    rounds = []

    def sleep(seconds):
        rounds.append(seconds)
        if len(rounds) == 2:
            raise KeyboardInterrupt

    command = "providers.management.commands.sync_catalog"
    monkeypatch.setattr(f"{command}.time.sleep", sleep)
    # The test's own transaction lives in this connection.
    monkeypatch.setattr(f"{command}.close_old_connections", lambda: None)
    monkeypatch.setattr("providers.connection.endpoints.base_url", lambda provider: "http://127.0.0.1:9")
    with pytest.raises(SystemExit):
        call_command("sync_catalog", "openrouter", "--every", "15m")
    assert rounds == [900, 900]
    assert set(SyncRun.objects.values_list("state", flat=True)) == {"failed"}


# quickstart.


def test_quickstart_makes_a_catalog_and_shows_its_secrets_once(db, capsys):
    call_command("quickstart", "--no-sync")
    out = capsys.readouterr().out
    password = next(line.split()[1] for line in out.splitlines() if line.startswith("Password:"))
    assert get_user_model().objects.get(username="admin").check_password(password)
    assert "API key:       mdx_" in out
    token = re.search(r"mdx_\w+", out)[0]
    # The last thing that is told, where it is not scrolled away.
    curl = f"curl -s -H 'Authorization: Bearer {token}' http://127.0.0.1:8000/v1/models"
    assert out.splitlines()[-1] == f"To try it:     {curl}"
    assert AIModel.objects.filter(is_available=True).count() == 44
    assert set(Provider.objects.values_list("slug", flat=True)) >= {"openrouter", "openai", "ollama"}
    before = fingerprint()
    call_command("quickstart", "--no-sync")
    again = capsys.readouterr().out
    assert "Password" not in again
    assert "manage.py changepassword USER" in again
    assert fingerprint() == before


@pytest.mark.parametrize(("words", "is_made"), [([], False), (["--first-admin"], True)])
def test_in_production_quickstart_prints_a_password_only_where_asked(db, settings, capsys, words, is_made):
    settings.DEVELOPMENT = False
    call_command("quickstart", "--no-sync", *words)
    out = capsys.readouterr().out
    assert get_user_model().objects.exists() == ("Password:" in out) == ("mdx_" in out) == is_made
    assert ("`manage.py createsuperuser`" in out) != is_made


def test_quickstarts_sync_fails_politely(db, settings, capsys):
    settings.OPENROUTER_BASE_URL = "http://127.0.0.1:9/api/v1"
    settings.OLLAMA_BASE_URL = "http://127.0.0.1:9"
    call_command("quickstart")
    out = capsys.readouterr().out
    assert "openrouter  failed" in out
    assert re.search(r"^provider +state +added +reason$", out, re.MULTILINE)
    assert "read by the next `manage.py sync_catalog`" in out


# edit_model.


@pytest.mark.parametrize(
    ("word", "field", "value"),
    [
        ("context_length=4096", "context_length", 4096),
        ("context_length=", "context_length", None),
        ("description=a = b", "description", "a = b"),
        ("description=", "description", ""),
        ("supports_tools=true", "supports_tools", True),
        ("supports_tools=", "supports_tools", None),
        ('input_modalities=["text", "image"]', "input_modalities", ["text", "image"]),
        ("input_modalities=", "input_modalities", []),
        ('extras={"a": 1}', "extras", {"a": 1}),
        ("priority=7", "priority", 7),
        ("hidden=yes", "hidden", True),
    ],
)
def test_edit_model_reads_each_kind_of_field(make_model, word, field, value):
    model = make_model("acme/m", context_length=1, description="x", supports_tools=False, input_modalities=["audio"])
    call_command("edit_model", "acme/m", "--set", word)
    model.refresh_from_db()
    assert getattr(model, field) == value
    assert (field in model.pinned_fields, model.manually_updated) == (field not in ("priority", "hidden"), True)


def test_edit_model_says_what_it_released_and_not_that_nothing_changed(make_model, capsys):
    make_model("acme/m", context_length=1, pinned_fields=["context_length"])
    call_command("edit_model", "acme/m", "--release", "context_length")
    assert capsys.readouterr().out == "released: context_length\npinned: nothing\n"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("context_length=-5", "context_length: "),
        ("context_length=128k", "context_length: "),
        ("supports_tools=maybe", "supports_tools: Write true or false"),
        ("input_modalities=text", "input_modalities: This is no JSON"),
        ('input_modalities={"a": 1}', "input_modalities: This is a"),
        ("name=", "name: "),
        ("colour=red", "'colour' is no field"),
        ('pricing={"prompt": "1"}', "Prices are corrected on the page of the provider model."),
        ("description", "is not FIELD=VALUE"),
        ("retires_at=tomorrow", "retires_at: "),
        ("released_at=9999-12-31T23:59:59-12:00", "released_at: "),
        ("released_at=2026-W05", "released_at: Write a date as 2026-01-31"),
        ("retires_at=2026-W05-1", "retires_at: Write a date as 2026-01-31"),
        ("retires_at=20260131", "retires_at: Write a date as 2026-01-31"),
        (
            "knowledge_cutoff=\u0662\u0660\u0662\u0666-\u0660\u0661-\u0663\u0661",
            "knowledge_cutoff: Write a date as 2026-01-31",
        ),
        ("released_at=2026-01-31T1\u0662:00:00Z", "released_at: Write a date as 2026-01-31"),
        ("released_at=0001-01-01T00:00:00+12:00", "released_at: "),
    ],
)
def test_edit_model_refuses_with_the_reason_and_writes_nothing(make_model, word, told):
    model = make_model("acme/m", context_length=1)
    with pytest.raises(CommandError, match=told):
        call_command("edit_model", "acme/m", "--set", "description=also", word)
    model.refresh_from_db()
    assert (model.description, model.pinned_fields) == ("", [])


def test_edit_model_names_an_id_that_is_unknown(db):
    with pytest.raises(CommandError, match="No such model: acme/none"):
        call_command("edit_model", "acme/none", "--set", "name=x")


def test_edit_model_sets_tags_and_releases_all(make_model, capsys):
    model = make_model("acme/m")
    call_command("edit_model", "acme/m", "--set", "tags=fast, cheap", "description=x")
    assert sorted(tag.name for tag in model.tags.all()) == ["cheap", "fast"]
    call_command("edit_model", "acme/m", "--release")
    model.refresh_from_db()
    assert (model.pinned_fields, model.manually_updated) == ([], False)
    assert FieldChange.objects.filter(model=model, actor="command line").exists()
