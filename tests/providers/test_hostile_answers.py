"""providers/client and lists/upstream.py: an answer made to be costly, met by a server in a process of its own."""

from __future__ import annotations

import gzip
import json
import threading
import time
from pathlib import Path

import pytest

from catalog.validation.text import fold
from providers.adapters import ADAPTERS
from providers.adapters.base import MAX_RECORDS
from providers.client.answers import MAX_VALUES, strict_loads
from providers.client.errors import UpstreamError
from providers.client.http import Limits, UpstreamClient
from providers.lists.upstream import MAX_VALUES as MOST
from tests import upstreams
from tests.servers import Server, running

PLAIN = b'{"models":[]}'
FULL = 3_900_000


def filled(rendered_model: bytes, size: int = 19_500_000) -> bytes:
    return b'{"models":[' + rendered_model * (size // len(rendered_model)) + b"[]]}"


def _model(number: int) -> bytes:
    return b'{"name":"m%d:1","details":{},"capabilities":["completion"]}' % number


ANSWERS = {
    "lists": filled(b"[],"),
    "objects": filled(b"{},"),
    "just under the bound": filled(b"[],", 3 * (MOST // 2 - 10)),
    "models just under the bound": b'{"models":[%s]}' % b",".join(map(_model, range(MOST // 7))),
    "1.5 million keys": b"{" + b",".join(b'"%d":0' % n for n in range(1_500_000)) + b"}",
    "one object of blanks": b"{" + b" " * 19_900_000 + b"}",
    "one text": b'{"models":["' + b"a" * FULL + b'"]}',
    "one wide text": b'{"models":["\xf0\x9f\x98\x80' + b"a" * FULL + b'"]}',
    "nested, beside a text": filled(b"[" * 80 + b"]" * 80 + b",", 8_000)[:-4] + b'"' + b"\\n" * (FULL // 2) + b'"]}',
    "piled marks": b'{"models":[{"name":"x:1","details":{"family":"%s"}}]}' % ("e" + "\u0301\u0316" * 100).encode(),
}
PACKED = {
    "junk after the end": gzip.compress(PLAIN) + b"\0" * 15_000_000,
    "members without end": gzip.compress(PLAIN) * 100_000,
    "empty blocks": gzip.compress(b"")[:10] + b"\x00\x00\x00\xff\xff" * 3_000_000,
}


def resident(server: Server) -> int:
    """Bytes of the process that answers."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    pages = [Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in [server.process.pid, *children]]
    return sum(map(int, pages)) * 4096


class Watch:
    """Asks another route all the time: how long it took at most, and what memory the server had at most."""

    def __init__(self, server: Server) -> None:
        self.server, self.slowest, self.most = server, 0.0, 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._done.wait(0.02):
            began = time.monotonic()
            self.server.request("GET", "/healthz")
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.most = max(self.most, resident(self.server))

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


@pytest.fixture
def hurried(upstream, database_url, project_dir, tmp_path, make_provider, make_user, make_key):
    """`hurried()`: seconds and body of /api/models/ollama, at an upstream that the test has scripted; and the server."""
    make_provider("ollama")
    key = make_key(make_user("alice")).token
    with running(
        tmp_path / "log",
        project_dir,
        DATABASE_URL=database_url,
        OLLAMA_BASE_URL=upstream.url,
        DATABASE_POOL_MAX_SIZE="4",
    ) as server:

        def ask() -> tuple[float, dict]:
            began = time.monotonic()
            answer = server.request("GET", "/api/models/ollama", Authorization=f"Bearer {key}")
            return time.monotonic() - began, json.loads(answer.body)["data"]

        server.request("GET", "/v1/models", Authorization=f"Bearer {key}")
        yield ask, server


@pytest.mark.alone
# What such an answer costs is over before a database is asked.
@pytest.mark.once
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("shape", [*ANSWERS, *PACKED])
def test_no_shape_of_an_answer_holds_a_request_a_neighbour_or_memory(hurried, upstream, shape):
    ask, server = hurried
    if shape in ANSWERS:
        upstream.on("/api/tags", upstreams.answer(200, ANSWERS[shape]))
    else:
        upstream.on("/api/tags", upstreams.answer(200, PACKED[shape], {"Content-Encoding": "gzip"}))
    before = resident(server)
    with Watch(server) as watch:
        seconds, found = ask()
        time.sleep(1)
    assert seconds < 3
    assert watch.slowest < 1
    assert watch.most - before < 150_000_000
    # Where reading takes longer than a request waits, the next one finds what was read.
    assert found["source"] == "ollama_unreachable" or shape == "models just under the bound"
    time.sleep(0.5)
    assert resident(server) - before < 60_000_000


@pytest.mark.parametrize("data", [b"[" + b"0," * MAX_VALUES + b"0]", b"{}," * MAX_VALUES, b"[" * (MAX_VALUES + 1)])
def test_more_values_than_the_bound_are_refused_before_any_is_parsed(data: bytes) -> None:
    began = time.process_time()
    with pytest.raises(UpstreamError) as caught:
        strict_loads(data)
    assert (caught.value.reason, time.process_time() - began < 0.1) == ("too_large", True)


@pytest.mark.parametrize("kind", ["openai", "ollama", "compatible"])
def test_more_records_than_the_bound_are_refused(kind: str) -> None:
    adapter = ADAPTERS[kind]("http://127.0.0.1:1", "acme")
    with pytest.raises(UpstreamError) as caught:
        adapter.parse({adapter.envelope: [{"id": "a", "name": "a"}] * (MAX_RECORDS + 1)})
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize(("packed", "reason"), [(PACKED["junk after the end"], "malformed"), (b"x" * 100, "malformed")])
def test_a_compressed_answer_ends_where_it_says(upstream, packed: bytes, reason: str) -> None:
    upstream.on("/x", upstreams.answer(200, packed, {"Content-Encoding": "gzip"}))
    with pytest.raises(UpstreamError) as caught:
        UpstreamClient([upstream.address], Limits(attempts=1)).get_json(upstream.url + "/x")
    assert caught.value.reason == reason


def test_all_answers_of_one_door_have_a_bound_together(upstream) -> None:
    upstream.serve("/x", {"a": "x" * 1000})
    client = UpstreamClient([upstream.address], Limits(all_bytes=2500))
    client.get_json(upstream.url + "/x")
    client.get_json(upstream.url + "/x")
    with pytest.raises(UpstreamError) as caught:
        client.get_json(upstream.url + "/x")
    assert caught.value.reason == "too_large"


def test_marks_piled_on_a_letter_are_folded_in_linear_time() -> None:
    began = time.process_time()
    assert fold("Caf" + "e" + "\u0301\u0316" * 50_000) == "cafe"
    assert time.process_time() - began < 0.2
