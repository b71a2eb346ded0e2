"""config/management/commands/backup.py, and config/deploy/manage, which runs it with the settings of a file."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.databases import program
from tests.settings_read import NAMES

SCRIPT = Path(__file__).parents[2] / "config" / "deploy" / "manage"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def backup(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(program('pg_dump')).parent}:{os.environ['PATH']}")
    umask = os.umask(0o022)
    yield lambda *words: call_command("backup", str(tmp_path / "new" / "copies"), *words)
    os.umask(umask)


def copies(tmp_path):
    return sorted((tmp_path / "new" / "copies").iterdir())


def test_a_copy_holds_the_rows_and_is_for_its_owner_alone(backup, tmp_path, make_model):
    make_model("acme/kept")
    backup()
    (copy,) = copies(tmp_path)
    assert copy.stat().st_mode & 0o777 == 0o600
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(copy)) as opened:
            assert opened.execute("SELECT model_id FROM catalog_aimodel").fetchall() == [("acme/kept",)]
    else:
        command = [program("pg_restore"), "--data-only", "--table=catalog_aimodel", "--file=-", str(copy)]
        assert "acme/kept" in subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_newest_copies_stay(backup, tmp_path):
    for _ in range(4):
        backup("--keep", "2")
    before = copies(tmp_path)
    backup("--keep", "2")
    assert len(before) == 2
    assert copies(tmp_path)[0] == before[1]


def test_a_copy_that_fails_leaves_nothing_and_the_older_ones(backup, tmp_path, monkeypatch):
    backup()
    before = copies(tmp_path)
    monkeypatch.setattr("config.management.commands.backup._write", lambda path: path.open("x").truncate(-1))
    with pytest.raises(CommandError, match="cannot be used"):
        backup("--keep", "1")
    assert copies(tmp_path) == before


@pytest.mark.skipif(connection.vendor != "postgresql", reason="pg_dump reads PostgreSQL alone")
def test_without_pg_dump_it_is_said_where_it_comes_from(backup, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CommandError, match="postgresql-client"):
        backup()


def test_the_script_hands_over_what_stands_in_the_file_as_it_stands(tmp_path):
    files = {
        "config/deploy/manage": SCRIPT.read_text(),
        ".venv/bin/python": '#!/bin/sh\nprintf "%s|" "$SECRET_KEY" "$OTHER" "$DATABASE_URL" "$@"',
        "id": "#!/bin/sh\necho 1000",  # Nobody who would become somebody else first.
        "env": '# A note\n\nSECRET_KEY=a$HOME `id` b\\="c\nOTHER="d e"\nDATABASE_URL=pooled',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o700)
    environment = {"PATH": f"{tmp_path}:{os.defpath}", "SETTINGS": str(tmp_path / "env")}
    command = [str(tmp_path / "config/deploy/manage"), "check", "a b"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout == 'a$HOME `id` b\\="c|d e|pooled|manage.py|check|a b|', done.stderr
    (tmp_path / "direct.env").write_text("DATABASE_URL=past PgBouncer\n")
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout == 'a$HOME `id` b\\="c|d e|past PgBouncer|manage.py|check|a b|', done.stderr


def test_the_name_of_the_scripts_file_is_no_setting_of_the_product():
    """`MODELDEX_ENV_FILE` was one: the file that MODELDEX_ENV stands in."""
    (asked,) = re.findall(r"\$\{(\w+):-/etc", SCRIPT.read_text())
    assert asked.removesuffix("_FILE") not in NAMES
