"""DATABASE_REPLICA_URL: lists are read of a replica that has caught up with their caller, else of the primary."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from tests.databases import postgresql, standby
from tests.servers import Server, manage, running

PATHS = ("/api/models/list?query=gpt", "/api/models/tags", "/api/changes")


@dataclass
class Pair:
    """A server of ours on a primary and its replica."""

    server: Server
    key: str
    primary: str
    replica: str

    def last_read(self) -> datetime | None:
        """When our server last read models on the replica."""
        with psycopg.connect(self.replica) as connection:
            return connection.execute(
                "SELECT max(query_start) FROM pg_stat_activity WHERE query LIKE '%\"catalog_aimodel\"%' AND pid <> pg_backend_pid()"
            ).fetchone()[0]

    def replays(self, goes_on: bool) -> None:
        with psycopg.connect(self.replica) as connection:
            connection.execute(f"SELECT pg_wal_replay_{'resume' if goes_on else 'pause'}()")

    def get(self, path: str) -> dict:
        answer = self.server.request("GET", path, Authorization=f"Bearer {self.key}")
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def rename(self, name: str) -> None:
        """An edit that the primary alone is told of."""
        with psycopg.connect(self.primary) as connection:
            connection.execute("UPDATE catalog_aimodel SET name = %s WHERE model_id = 'openai/gpt-4o-mini'", [name])
            connection.execute("UPDATE catalog_catalogversion SET number = number + 1")


@pytest.fixture
def pair(project_dir: Path, tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as ending:
        primary = ending.enter_context(postgresql())
        settings = {"DATABASE_URL": primary, "DATABASE_POOL_MAX_SIZE": "4", "DATABASE_REQUEST_TIMEOUT": "1"}
        made = manage(project_dir, "quickstart", "--no-sync", **settings)
        output = made.communicate(timeout=300)[0]
        assert made.returncode == 0, output
        replica = ending.enter_context(standby(primary))
        server = ending.enter_context(
            running(tmp_path / "log", project_dir, **settings, DATABASE_REPLICA_URL=replica, WEB_THREADS="2")
        )
        yield Pair(server, re.search(r"mdx_\w+", output)[0], primary, replica)


def name_of(pair: Pair, path: str) -> str:
    return next(item["name"] for item in pair.get(path)["items"] if item["id"] == "openai/gpt-4o-mini")


@pytest.mark.once
def test_lists_are_read_of_a_replica_that_has_caught_up_and_of_no_other(pair):
    assert pair.last_read() is None
    for path in PATHS:
        pair.get(path)
    before = pair.last_read()
    assert before is not None
    # One that is behind is passed over.
    pair.replays(False)
    pair.rename("Renamed")
    assert name_of(pair, "/api/models/list?query=gpt-4o-mini") == "Renamed"
    assert pair.last_read() == before
    pair.replays(True)
    # It has caught up: what is asked for the first time comes from it, and says the same.
    pair.rename("Renamed twice")
    time.sleep(1)
    assert name_of(pair, "/api/models/list?query=gpt-4o-mini&page_size=7") == "Renamed twice"
    assert pair.last_read() > before


@pytest.mark.once
def test_a_replica_that_is_gone_or_silent_costs_its_patience_once(pair, tmp_path):
    with psycopg.connect(pair.replica) as connection:
        (folder,) = connection.execute("SHOW data_directory").fetchone()
    pid = Path(folder, "postmaster.pid").read_text().split()[0]
    pair.get(PATHS[0])
    subprocess.run(["kill", "-STOP", pid], check=True)
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", pid], capture_output=True, text=True).stdout.split()
    subprocess.run(["kill", "-STOP", *children], check=True)
    try:
        began = time.monotonic()
        pair.get("/api/models/list?page_size=3")
        assert time.monotonic() - began < 5
        began = time.monotonic()
        for size in range(4, 10):
            pair.get(f"/api/models/list?page_size={size}")
        assert time.monotonic() - began < 2
        assert pair.server.request("GET", "/readyz").status == 200
        assert len(pair.server.logged("The replica is not asked")) == 1
    finally:
        subprocess.run(["kill", "-CONT", *children, pid], check=True)


def test_a_replica_of_anything_but_postgresql_stops_the_start(project_dir):
    for primary, replica in (("sqlite:///a", "postgresql://a@b/c"), ("postgresql://a@b/c", "sqlite:///a")):
        done = subprocess.run(
            [sys.executable, "manage.py", "check"],
            cwd=project_dir,
            env=os.environ | {"DATABASE_URL": primary, "DATABASE_REPLICA_URL": replica},
            capture_output=True,
            text=True,
        )
        assert done.returncode != 0
        assert "DATABASE_REPLICA_URL is for a PostgreSQL that follows the one of DATABASE_URL." in done.stderr
