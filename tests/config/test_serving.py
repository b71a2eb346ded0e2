"""The server as clients meet it: what it refuses, and whom a slow client holds up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.servers import Server

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
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 9_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 200_000, 431),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST /api/keys HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: miracles\r\n\r\n", 417),
    ],
)
def test_what_is_no_request_is_refused_in_json_and_the_connection_closed(server: Server, request_bytes, status):
    found, headers, body = parsed(server.raw(request_bytes))
    assert (found, headers["content-type"], headers["connection"]) == (status, "application/json", "close")
    assert body["request_id"] == headers["x-request-id"]
    assert "SECRET" not in json.dumps(body)
    assert [line for line in server.logged(body["request_id"]) if "SECRET" in line] == []


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
def slow_clients(server: Server) -> Iterator[None]:
    """Many more than there are threads: idle ones, ones in the middle of a head, and of a body, answered ones."""
    beginnings = (
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET / HT",
        b"POST /api/keys HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /api/keys HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"POST /api/keys HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1ffffffff\r\na",
        b"POST /api/keys HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n",
        b"POST /accounts/login HTTP/1.1\r\nHost: localhost\r\nCookie: csrftoken=" + b"a" * 32 + b"\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000000\r\n\r\n--x\r\n",
    )
    with ExitStack() as clients:
        for number in range(100):
            clients.enter_context(server.connect()).sendall(beginnings[number % len(beginnings)])
        yield


def test_slow_clients_hold_up_nobody(server: Server, slow_clients):
    began = time.monotonic()
    for _ in range(10):
        assert server.request("GET", "/healthz").status == 200
    assert time.monotonic() - began < 3
