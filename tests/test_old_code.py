"""The code of the release before, on the schema of now: while servers are replaced one by one, both write to one database."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations import AddField

from catalog.models import AIModel
from providers.models import Provider
from providers.sync import run as sync
from tests.feeds import feed, saved
from tests.servers import manage

# The release that servers may still run while this one is put beside them.
BEFORE = "b2d95d06a7545fdaa641dd0cc5f2b8810e187b86"
OURS = ("apikeys", "catalog", "preferences", "providers")
# Runs in the code of the release before: whatever a server, its staff and its timers do all day.
ACTS = """
import io, json, sys
from django.core.management import call_command
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient
from catalog.models import AIModel
from providers import defaults
path, known = sys.argv[-2:]
get_user_model().objects.create_user("olga")
said = io.StringIO()
call_command("create_api_key", "olga", "--scope", "models:read", "preferences:write", "custom_models:write", "keys:write", stdout=said)
defaults.create_providers(), defaults.load_curated()
call_command("sync_catalog", "openrouter", "--from-file", path, stdout=io.StringIO(), stderr=io.StringIO())
call_command("edit_model", "acme/m0001", "--set", "name=By hand", stdout=io.StringIO())
AIModel.objects.create(model_id="acme/by-hand", name="by hand", is_available=True)
def caller(token):
    client = APIClient(raise_request_exception=False, HTTP_HOST="localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client
olga = caller(said.getvalue().strip())
preset = {"id": "olgas", "name": "O", "base_model_id": "acme/m0002"}
answers = [
    olga.get("/v1/models"), caller(known).get("/v1/models"), olga.get("/api/models/list"),
    olga.patch("/api/models", {"model_id": "acme/m0000", "is_enabled": False}, format="json"),
    olga.patch("/api/settings", {"theme": "dark"}, format="json"),
    olga.post("/api/models/custom", preset, format="json"), olga.get("/api/models/olgas"), olga.get("/readyz"),
]
made = olga.post("/api/keys", {"name": "made"}, format="json")
seen = [[row["id"] for row in answer.json()["data"]] for answer in answers[:2]]
print(json.dumps({"statuses": [answer.status_code for answer in [*answers, made]], "seen": seen, "token": said.getvalue().strip()}))
"""


@pytest.fixture(scope="session")
def before(tmp_path_factory):
    """The folder of that release's code."""
    done = subprocess.run(["git", "archive", BEFORE], cwd=settings.BASE_DIR, capture_output=True)
    if done.returncode:
        pytest.skip("needs the history of the repository")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.mark.django_db(transaction=True)
def test_the_code_before_reads_writes_and_syncs_on_the_schema_of_now(
    api, alice, make_model, make_key, before, database_url, tmp_path
):
    make_model("acme/of-now", successor="acme/m0000")
    token = make_key(alice).token
    path = saved(tmp_path, feed(5))
    told = run_before(before, database_url, path, token)
    assert told["statuses"] == [200, 200, 200, 200, 200, 201, 200, 200, 201]
    assert {"acme/m0001", "acme/by-hand", "acme/of-now"} <= set(told["seen"][0])
    # And the code of now reads what that one wrote, and syncs on.
    ids = {row["id"] for row in api.with_key(told["token"]).get("/v1/models").json()["data"]}
    assert ids == {*told["seen"][0], "olgas"} - {"acme/m0000"}
    again = sync.sync(Provider.objects.get(slug="openrouter"), path=path)
    assert again.counts["unchanged"] == 5
    assert get_user_model().objects.get(username="olga").api_keys.count() == 2
    assert AIModel.objects.get(model_id="acme/m0001").name == "By hand"


def run_before(folder, database_url, path, token):
    process = manage(
        folder, "shell", "-v0", "-c", f"import sys; sys.argv += {[str(path), token]}\n{ACTS}", DATABASE_URL=database_url
    )
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 0, said
    return json.loads(said.splitlines()[-1])


@pytest.mark.django_db
def test_a_column_that_came_since_has_a_value_of_the_databases_own(before):
    """A row that the code before inserts does not name it."""
    loader = MigrationExecutor(connection).loader
    state = loader.project_state().apps
    missing = []
    for (app, name), migration in loader.disk_migrations.items():
        if app not in OURS or (before / app / "migrations" / f"{name}.py").exists():
            continue
        for added in (operation for operation in migration.operations if isinstance(operation, AddField)):
            field = state.get_model(app, added.model_name)._meta.get_field(added.name)
            if not (field.null or field.many_to_many or field.has_db_default()):
                missing.append(f"{app}.{added.model_name}.{added.name}")
    assert missing == []
