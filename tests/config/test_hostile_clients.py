"""Clients that mean to stop the server (config/asgi.py, config/serving.py): others are answered within a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench.servers import slowest, work
from tests.hostile import KINDS, Kind, allow_many_sockets, crowd
from tests.servers import Server, running
from tests.worlds import IS_LONG

# The server has to do with them before it asks a database.
pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]

SECONDS = 6 if IS_LONG else 4


@pytest.fixture(scope="module")
def shipped(database_url: str, project_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With the workers and threads that it has where nothing is set."""
    allow_many_sockets()
    log = tmp_path_factory.mktemp("hostile") / "log"
    with running(log, project_dir, DATABASE_URL=database_url, WEB_WORKERS="", LOG_LEVEL="ERROR") as server:
        # Until each worker has met the routes.
        for path in ("/healthz", "/v1/models", "/api/models", "/accounts/login") * 8:
            server.request("GET", path)
        yield server


@pytest.fixture
def ask(shipped: Server, make_user, make_key, make_model) -> Callable[[float], float]:
    """Asks as a program and as a probe do for some seconds, and answers how many the slowest answer took."""
    for number in range(200):
        make_model(f"acme/m{number}", description="x" * 3000)
    authorization = f"Authorization: Bearer {make_key(make_user('alice')).token}\r\n"
    return lambda seconds: slowest(shipped.port, authorization, seconds)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_crowd_of_hostile_clients_delays_nobody_by_a_second(shipped: Server, ask, kind: Kind):
    # Of a machine that has time for us: where an answer alone takes a good part of a second, it is that much more.
    alone = ask(1)
    with crowd(shipped.port, kind):
        assert ask(SECONDS) < max(1, 10 * alone)


@pytest.mark.parametrize("kind", ["tiny chunks", "slow readers of a list"])
def test_nothing_goes_on_for_clients_that_have_left(shipped: Server, kind: str):
    with crowd(shipped.port, KINDS[kind]):
        time.sleep(3)
    time.sleep(5)
    before = work(shipped.process.pid)
    time.sleep(2)
    assert work(shipped.process.pid) - before < 0.5
