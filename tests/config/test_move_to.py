"""config/management/commands/move_to.py: everything in another database, and equal."""

import os
import sqlite3
import subprocess
import sys
import uuid
from datetime import UTC, datetime

import psycopg
import pytest
from allauth.socialaccount.models import SocialAccount
from django.db import connection

from catalog.models import AIModel
from preferences.models import ModelPreference

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sqlite_target(tmp_path):
    return f"sqlite:///{tmp_path}/moved.sqlite3"


@pytest.fixture
def postgresql_target(database_url):
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL")
    server, name = database_url.rpartition("/")[0], f"moved_{uuid.uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield f"{server}/{name}"
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def filled(make_model, make_user, make_key):
    """Rows of every kind that moves badly: many-to-many, exact decimals, odd text and JSON, moments, own keys."""
    carol = make_user("carol", groups=["research"], last_login=datetime(2026, 1, 31, 23, 59, 59, 999_999, UTC))
    model = make_model(
        "acme/größe",
        name="Größe \U0001f600",
        tags=["fast", "grün"],
        granted_to=carol.groups.get(),
        pricing={"prompt": "0.000000000000001", "completion": "1234567890.5"},
        extras={"deep": [1, None, {"e\u0301": 2**53}]},
    )
    helper = make_model("helper", owner=carol, base_model=model)
    ModelPreference.objects.create(user=carol, model=model, is_enabled=False)
    SocialAccount.objects.create(user=carol, provider="https://id.example.com", uid="s-1")
    issued = make_key(carol, allow=["acme/*"])
    return model, helper, issued.key


def moved_ids(url):
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as other:
            return {row[0] for row in other.execute("SELECT model_id FROM catalog_aimodel")}
    with psycopg.connect(url) as other:
        return {row[0] for row in other.execute("SELECT model_id FROM catalog_aimodel")}


@pytest.fixture
def move(database_url, project_dir):
    """`move(url, patch)` -> (exit code, what was printed) of the command in a process of its own."""

    def run(url, patch="pass"):
        code = (
            "import django; django.setup()\n"
            "from django.core.management import execute_from_command_line\n"
            "from config.management.commands import move_to\n"
            f"{patch}\n"
            f"execute_from_command_line(['manage.py', 'move_to', {url!r}])"
        )
        environment = {**os.environ, "DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "config.settings"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=project_dir, env=environment, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.parametrize("target", ["sqlite_target", "postgresql_target"])
def test_everything_is_moved_and_equal(filled, move, target, request):
    url = request.getfixturevalue(target)
    before = list(AIModel.objects.order_by("pk").values())
    code, printed = move(url)
    assert (code, "tables are equal" in printed, "catalog.AIModel: 2" in printed) == (0, True, True), printed
    assert moved_ids(url) == {"acme/größe", "helper"}
    assert list(AIModel.objects.order_by("pk").values()) == before


def test_a_new_row_of_the_moved_database_gets_a_key_of_its_own(filled, move, postgresql_target):
    assert move(postgresql_target)[0] == 0
    most = max(AIModel.objects.values_list("pk", flat=True))
    with psycopg.connect(postgresql_target) as other:
        (following,) = other.execute("SELECT nextval(pg_get_serial_sequence('catalog_aimodel', 'id'))").fetchone()
    assert following == most + 1


def test_a_database_with_rows_is_refused_and_stays_as_it_is(filled, move, sqlite_target):
    assert move(sqlite_target)[0] == 0
    AIModel.objects.filter(model_id="helper").delete()
    code, printed = move(sqlite_target)
    assert (code, "The other database is not empty" in printed) == (1, True), printed
    assert "helper" in moved_ids(sqlite_target)


def test_a_difference_is_found(filled, move, sqlite_target):
    forget = (
        "copy = move_to._copy\n"
        "def forgetful(model):\n"
        "    count = copy(model)\n"
        "    move_to._rows(model, 'target').filter(**{'model_id': 'helper'}).update(name='Another')"
        " if model.__name__ == 'AIModel' else None\n"
        "    return count\n"
        "move_to._copy = forgetful"
    )
    code, printed = move(sqlite_target, forget)
    assert (code, "The copy differs in catalog.AIModel" in printed) == (1, True), printed


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "Write the address as"),
        ("nonsense", "Write the address as"),
        ("mysql://x/y", "Write the address as"),
        ("sqlite://:memory:", "Write the address as"),
        ("sqlite:///", "Write the address as"),
        ("postgresql://nobody:secret-word@127.0.0.1:9/none", "The other database cannot be used"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_sentence(db, move, url, sentence):
    code, printed = move(url)
    assert (code, sentence in printed) == (1, True), printed
    assert "Traceback" not in printed
    assert "secret-word" not in printed


def test_the_database_in_use_is_refused(db, move, database_url):
    code, printed = move(database_url)
    assert (code, "in use" in printed) == (1, True), printed
