"""The server (config/serving.py) as clients and operators meet it; test_hostile_clients.py has the hostile ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings

from tests.servers import Server, free_port, running

pytestmark = pytest.mark.django_db(transaction=True)

BODY = b'{"name":"x","y":1}'


def parsed(answer: bytes) -> tuple[int, dict[str, str], dict]:
    """Status, headers and JSON body of the last answer on a connection."""
    head, _, body = answer[answer.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /api/schema?api_key=SECRET HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n", 400),
        (b"GET /healthz?api_key=SECRET HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 200_000, 431),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST /api/keys HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_closed(server: Server, request_bytes, status):
    head, _, body = server.raw(request_bytes).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close" in head
    assert body == b"" or json.loads(body)["error"]
    assert "SECRET" not in server.log.read_text(errors="replace")


def test_a_length_beside_chunks_does_not_hide_a_second_request(server: Server):
    answer = server.raw(
        b"POST /api/none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1 ") == 1
    assert parsed(answer)[0] == 404


@pytest.mark.parametrize("size", [2_621_441, 3_000_000, 10_000_000])
def test_a_client_that_sends_too_much_still_reads_its_answer(server: Server, size):
    answer = server.request("POST", "/api/models", b"x" * size, Content_Type="application/json")
    assert (answer.status, json.loads(answer.body)["code"]) == (413, "request_too_large")


def test_too_large_a_body_in_chunks_is_refused_as_one_with_a_length(server: Server):
    answer = server.request("POST", "/api/models", iter([b"x" * 100_000] * 30), Content_Type="application/json")
    assert (answer.status, json.loads(answer.body)["code"]) == (413, "request_too_large")


def test_head_has_the_headers_of_get_and_no_body(server: Server):
    get, head = (server.raw(b"%s /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % method)
                 for method in (b"GET", b"HEAD"))  # fmt: skip
    assert head.endswith(b"\r\n\r\n")
    assert parsed(get)[1]["content-length"] == str(len(f'{{"status":"ok","version":"{settings.VERSION}"}}'))
    assert b"content-length: " + parsed(get)[1]["content-length"].encode() + b"\r\n" in head


@pytest.mark.parametrize(
    "body",
    [
        b"12\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"1\r\n{\r\n11;note=x\r\n" + BODY[1:] + b"\r\n00\r\nX-Sum: x\r\n\r\n",
    ],
)
def test_a_chunked_body_is_read_like_any_other(server: Server, make_user, make_key, body):
    key = make_key(make_user("chunky"), scopes=["models:read", "keys:write"]).token
    head = (
        f"POST /api/keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    status, _, answer = parsed(server.raw(head.encode() + body))
    # It was read: the field is named.
    assert status == 400
    assert "y" in answer["errors"]


def test_pipelined_requests_are_answered_in_turn(server: Server):
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /api/none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = server.raw(one * 3 + last)
    assert answer.count(b"HTTP/1.1 200") == 3
    assert parsed(answer)[0] == 404


def test_a_client_that_waits_for_100_continue_gets_it(server: Server):
    with server.connect() as connection:
        connection.sendall(
            b"POST /api/none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n"
            b"Content-Length: 2\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"{}")
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert parsed(answer)[0] == 404


@pytest.fixture
def own(database_url: str, project_dir: Path, tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop."""
    with running(tmp_path / "log", project_dir, DATABASE_URL=database_url) as server:
        yield server


def test_a_request_that_has_begun_is_answered_when_the_server_stops(own: Server):
    with own.connect() as connection:
        connection.sendall(b"POST /api/none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{")
        time.sleep(0.5)
        own.process.terminate()
        time.sleep(0.5)
        connection.sendall(b"}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 404")
    assert own.process.wait(15) == 0


def children(server: Server) -> set[int]:
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return {int(pid) for pid in listed}


def until(condition: Callable[[], bool]) -> None:
    """Waits; a server that does not listen yet counts as not."""
    deadline = time.monotonic() + 30
    while True:
        with suppress(OSError):
            if condition():
                return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_reload_replaces_the_workers_and_answers_what_has_begun(own: Server):
    before = children(own)
    with own.connect() as connection:
        connection.sendall(b"POST /api/none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{")
        time.sleep(0.5)
        own.process.send_signal(signal.SIGHUP)
        until(lambda: children(own) > before)
        connection.sendall(b"}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 404")
    until(lambda: not children(own) & before)
    assert own.request("GET", "/healthz").status == 200


def test_a_worker_that_dies_is_replaced(own: Server):
    before = children(own)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until(lambda: bool(children(own)) and not children(own) & before)
    until(lambda: own.request("GET", "/healthz").status == 200)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEB_THREADS", "many", "WEB_THREADS must be a whole number from 1 to 256."),
        ("HOST", "203.0.113.1", "cannot be served (Cannot assign requested address)."),
        ("PORT", "taken", "cannot be served (Address already in use)."),
        ("SECRET_KEY", "short", "SECRET_KEY is too weak"),
        # With the rest of what production asks for.
        ("MODELDEX_ENV", "production", "STATIC_ROOT holds no static files: run `manage.py collectstatic --noinput`."),
    ],
)
def test_a_server_that_cannot_start_says_so_once_and_ends(server: Server, project_dir, tmp_path, name, value, said):
    production = {"ALLOWED_HOSTS": "localhost", "STATIC_ROOT": str(tmp_path)} if name == "MODELDEX_ENV" else {}
    environment = (
        os.environ | production | {"PORT": str(free_port()), name: str(server.port) if value == "taken" else value}
    )
    done = subprocess.run(
        [sys.executable, "-m", "config.serving"],
        cwd=project_dir, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert said in done.stderr
    assert (done.stderr.count("\n"), done.stdout) == (1, "")
