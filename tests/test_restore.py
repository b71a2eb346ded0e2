"""A backup is restored under running processes: they serve the restored catalog, and what follows, at once."""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from django.db import connection

from tests.databases import program
from tests.servers import manage, running

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="for pg_dump and pg_restore")

PATHS = ["/v1/models", "/api/models", "/api/models/list?page_size=200", "/api/models/openai%2Fgpt-4o-mini"]
EDITED, HIDDEN = "openai/gpt-4o-mini", "anthropic/claude-opus-5"
# So many that each worker of each server answers some.
CALLS = 12


def run(project_dir, url, *words):
    command = manage(project_dir, *words, DATABASE_URL=url)
    output = command.communicate(timeout=300)[0]
    assert command.returncode == 0, output
    return output


def test_after_a_restore_every_process_serves_the_restored_catalog_and_no_304_to_a_lost_one(
    own_database, project_dir, tmp_path
):
    key = re.search(r"mdx_\w+", run(project_dir, own_database, "quickstart", "--no-sync"))[0]
    dump = str(tmp_path / "dump")
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running(tmp_path / f"log{n}", project_dir, DATABASE_URL=own_database, WEB_WORKERS="2"))
            for n in range(2)
        ]

        def read(path, **headers):
            """Every answer, as (status, body, tag), of every process."""
            with ThreadPoolExecutor(4) as callers:
                questions = [server for server in servers for _ in range(CALLS)]
                answers = callers.map(
                    lambda server: server.request("GET", path, Authorization=f"Bearer {key}", **headers), questions
                )
                return {(answer.status, answer.body, answer.headers["ETag"]) for answer in answers}

        def read_all(**tags):
            found = {}
            for path in PATHS:
                answers = read(path, **({"If_None_Match": ", ".join(tags[path])} if path in tags else {}))
                assert {status for status, _, _ in answers} == {200}, path
                assert len(answers) == 1, path
                found[path] = next(iter(answers))
            return found

        dumped = read_all()
        subprocess.run([program("pg_dump"), "-Fc", "-f", dump, own_database], check=True)
        run(project_dir, own_database, "edit_model", EDITED, "--set", "name=Lost")
        lost = read_all()
        assert all(b"Lost" in body for _, body, _ in lost.values())
        subprocess.run([program("pg_restore"), "--clean", "--if-exists", "-d", own_database, dump], check=True)
        restored = read_all(**{path: [lost[path][2]] for path in PATHS})
        assert {path: body for path, (_, body, _) in restored.items()} == {
            path: body for path, (_, body, _) in dumped.items()
        }
        # As many steps after the dump as the lost edit was: a number that only counts would be that one's.
        run(project_dir, own_database, "edit_model", EDITED, "--set", "name=Later")
        held = {path: [state[path][2] for state in (dumped, lost, restored)] for path in PATHS}
        later = read_all(**held)
        assert all(b"Later" in body for _, body, _ in later.values())
        assert not [path for path in PATHS if later[path][2] in held[path]]
        run(project_dir, own_database, "edit_model", HIDDEN, "--set", "hidden=true")
        later = read_all(**{path: tags for path, tags in held.items() if path != PATHS[-1]})
        assert not [path for path, (_, body, _) in later.items() if f'"{HIDDEN}"'.encode() in body]
        ids = {row["id"] for row in json.loads(later["/v1/models"][1])["data"]}
        assert (EDITED in ids, HIDDEN in ids) == (True, False)
        assert read("/v1/models/anthropic%2Fclaude-opus-5").pop()[0] == 404
        assert not [line for server in servers for line in server.log.read_text().splitlines() if "Traceback" in line]
