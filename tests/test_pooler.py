"""The product behind PgBouncer in transaction mode, which nobody has told it of."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection

from tests.databases import _as_unprivileged
from tests.gate import Gate, gate_before
from tests.servers import free_port, manage, running

pytestmark = pytest.mark.skipif(
    connection.vendor != "postgresql" or not shutil.which("pgbouncer"), reason="needs PostgreSQL and pgbouncer"
)


@pytest.fixture
def gate(own_database: str) -> Iterator[Gate]:
    """Between the pooler and the database."""
    with gate_before(own_database) as gate:
        yield gate


@pytest.fixture
def pooler(own_database: str, gate: Gate) -> Iterator[str]:
    """The URL of the same database through a pooler with two connections to it."""
    url, port = urlsplit(own_database), free_port()
    with tempfile.TemporaryDirectory(prefix="modeldex-pooler-") as name:
        home = Path(name)
        home.chmod(0o755)
        (home / "users.txt").write_text(f'"{url.username}" ""\n')
        (home / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={gate.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {home / 'users.txt'}\n"
            "pool_mode = transaction\ndefault_pool_size = 2\n"
        )
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [*_as_unprivileged("--pdeathsig", "TERM"), "pgbouncer", str(home / "pgbouncer.ini")],
                stdout=log,
                stderr=log,
            )
        try:
            through = own_database.replace(f":{url.port}/", f":{port}/")
            _wait(through)
            yield through
        finally:
            process.terminate()
            process.wait(10)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(url, connect_timeout=5, prepare_threshold=None).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize("pool", ["8", "0"])
def test_behind_a_pooler_everything_works_by_itself_and_nobody_gets_anothers_answer(
    pooler, project_dir, tmp_path, pool
):
    settings = {"DATABASE_URL": pooler, "DATABASE_POOL_MAX_SIZE": pool}
    made = manage(project_dir, "quickstart", "--no-sync", **settings)
    output = made.communicate(timeout=300)[0]
    assert made.returncode == 0, output
    keys = [re.search(r"mdx_\w+", output)[0]]
    for words in (["--allow", "anthropic/*"], ["--allow", "openai/*", "--per-minute", "1000"]):
        command = manage(project_dir, "create_api_key", "admin", *words, **settings)
        keys.append(command.communicate(timeout=300)[0].split()[-1])
    with running(tmp_path / "log", project_dir, **settings, WEB_WORKERS="2") as server:
        paths = ["/v1/models", "/api/models", "/api/models/list", "/api/settings", "/v1/models/openai%2Fgpt-4o-mini"]
        asked = [(key, path) for _ in range(12) for key in keys for path in paths]

        def ask(question):
            key, path = question
            answer = server.request("GET", path, Authorization=f"Bearer {key}")
            return answer.status, answer.body

        with ThreadPoolExecutor(8) as callers:
            answers = list(zip(asked, callers.map(ask, asked), strict=True))
        first = {question: answer for question, answer in reversed(answers)}
        assert {status for (status, _) in first.values()} <= {200, 404}
        assert all(answer == first[question] for question, answer in answers)
        ids = [{row["id"].partition("/")[0] for row in json.loads(first[key, "/v1/models"][1])["data"]} for key in keys]
        assert (ids[1], ids[2], ids[0] > {"anthropic", "openai"}) == ({"anthropic"}, {"openai"}, True)
        assert server.request("GET", "/readyz").status == 200
        assert not server.logged("Traceback")


@pytest.mark.alone
def test_a_database_that_is_silent_behind_a_pooler_is_waited_for_once(pooler, gate, project_dir, tmp_path):
    """The pooler itself lets everyone in meanwhile."""
    settings = {"DATABASE_URL": pooler, "DATABASE_POOL_MAX_SIZE": "8"}
    output = manage(project_dir, "quickstart", "--no-sync", **settings).communicate(timeout=300)[0]
    key = re.search(r"mdx_\w+", output)[0]
    with running(tmp_path / "log", project_dir, **settings) as server:

        def ask(_=None):
            began = time.monotonic()
            status = server.request("GET", "/v1/models", Authorization=f"Bearer {key}").status
            return status, time.monotonic() - began

        assert {ask()[0] for _ in range(4)} == {200}
        gate.passing.clear()
        with ThreadPoolExecutor(8) as callers:
            first = list(callers.map(ask, range(8)))
        later = [ask() for _ in range(10)]
        assert {status for status, _ in first + later} == {503}
        assert max(seconds for _, seconds in first) < 3
        assert max(seconds for _, seconds in later) < 0.5
        gate.passing.set()
        deadline = time.monotonic() + 5
        while ask()[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert not server.logged("psycopg.pool", least=0)
