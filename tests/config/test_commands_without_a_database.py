"""manage.py and config/databases/trouble.py: what a command loads, and what is told where no database is usable."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

APPS = Path(__file__).parents[2]
OURS = sorted(path.stem for path in APPS.glob("*/management/commands/[a-z]*.py"))
ARGUMENTS = {
    "backup": ["never/made"],
    "bulk_models": ["enable"],
    "check_freshness": ["--older-than", "26h"],
    "create_export": ["mdx"],
    "create_api_key": ["admin"],
    "edit_model": ["acme/large", "--set", "name=x"],
    "move_to": ["sqlite:///never/made"],
    "revoke_api_key": ["mdx"],
    "quickstart": ["--no-sync"],
    "changepassword": ["admin"],
    "createsuperuser": ["--no-input", "--username", "a", "--email", "a@example.com"],
}
DJANGO = ["migrate", "showmigrations", "changepassword", "createsuperuser", "clearsessions"]


@pytest.fixture
def manage(project_dir, tmp_path):
    def run(url: str, *arguments: str, **more: str) -> subprocess.CompletedProcess:
        environment = {
            **{"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "MODELDEX_ENV": "development"},
            **{"DATA_DIR": str(tmp_path), "DATABASE_URL": url, "DATABASE_POOL_MAX_SIZE": "4"},
            **more,
        }
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=project_dir, env=environment, capture_output=True, text=True, timeout=60, input=""
        )

    return run


@pytest.mark.parametrize("command", [*OURS, *DJANGO])
def test_every_command_says_in_one_sentence_that_the_database_is_gone(manage, command):
    done = manage("postgresql://modeldex:hunter2@127.0.0.1:1/catalog", command, *ARGUMENTS.get(command, []))
    assert done.returncode == 1
    assert done.stderr.startswith("The database catalog at 127.0.0.1:1 cannot be used: ")
    assert (done.stderr.count("\n"), "hunter2" in done.stderr) == (1, False)


def test_so_it_is_for_a_file_that_cannot_be_opened(manage, tmp_path):
    (tmp_path / "folder").mkdir()
    done = manage(f"sqlite:///{tmp_path}/folder", "catalog_report")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "cannot be used" in done.stderr


def test_a_database_without_tables_is_told_to_migrate(manage, tmp_path):
    done = manage(f"sqlite:///{tmp_path}/new.sqlite3", "catalog_report")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "manage.py migrate" in done.stderr


def test_who_wants_the_stack_gets_it(manage):
    done = manage("postgresql://modeldex:hunter2@127.0.0.1:1/catalog", "rotate_encryption", "--traceback")
    assert "Traceback" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("command", ["check_freshness", "sync_catalog", "migrate"])
def test_a_command_loads_nothing_that_only_requests_need(manage, tmp_path, command):
    done = manage(
        f"sqlite:///{tmp_path}/new.sqlite3", command, *ARGUMENTS.get(command, []), PYTHONPROFILEIMPORTTIME="1"
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    unused = {"config.urls", "catalog.admin", "rest_framework.serializers", "drf_spectacular.openapi", "psycopg"}
    assert ("catalog.models.tags" in loaded, loaded & unused) == (True, set())
