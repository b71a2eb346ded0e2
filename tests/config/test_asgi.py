"""config/asgi.py: the application as an ASGI server calls it."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import orjson
import pytest

from config import asgi


def echo(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """A WSGI application that answers what it was given."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("X-Request-Id", "echoed"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    return [orjson.dumps({**told, "body": body.decode("latin-1")})]


def answering(size: int) -> Callable[..., list[bytes]]:
    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [])
        return [b"x" * size]

    return application


class Exchange:
    """One request and its answer. `pieces` are the body's; None stands for a client that goes away."""

    def __init__(self, path: str = "/", rendered: tuple[bytes | None, ...] = (), **scope: Any) -> None:
        self.scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "raw_path": path.encode("latin-1"),
            "query_string": b"", "headers": [(b"host", b"localhost")], "client": ("192.0.2.1", 5),
            "server": ("127.0.0.1", 80), **scope,
        }  # fmt: skip
        if rendered:
            self.scope["headers"] = [*self.scope["headers"], (b"transfer-encoding", b"chunked")]
        self.left = list(rendered)
        self.sent: list[dict[str, Any]] = []
        self.receives_for_ever = self.sends_for_ever = False

    async def receive(self) -> dict[str, Any]:
        if not self.left and self.receives_for_ever:
            await asyncio.Event().wait()
        rendered_model = self.left.pop(0)
        if rendered_model is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": rendered_model, "more_body": bool(self.left) or self.receives_for_ever}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if self.sends_for_ever and message["type"] == "http.response.body":
            await asyncio.Event().wait()

    def run(self) -> Exchange:
        asyncio.run(self.call())
        return self

    def call(self) -> Awaitable[None]:
        return asgi.application(self.scope, self.receive, self.send)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def body(self) -> Any:
        return orjson.loads(b"".join(message["body"] for message in self.sent[1:]))


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has nothing in hand, and that echoes."""
    monkeypatch.setattr(asgi, "django", echo)
    monkeypatch.setattr(asgi, "load", asgi.Load(bounds_connections=True))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/a%2Fb", "/a/b"),
        ("//v1/models", "//v1/models"),
        ("/a%00b", "/a\0b"),
        ("/%FF", "/\xff"),
        ("/%C3%A4", "/\xc3\xa4"),
    ],
)
def test_a_path_arrives_byte_by_byte(path, found):
    answer = Exchange(path).run()
    assert (answer.body["PATH_INFO"], answer.body["RAW_URI"]) == (found, path)


def test_headers_arrive_byte_by_byte_and_repeated_ones_together():
    sent = [(b"host", b"a"), (b"x-a", b"1"), (b"x-a", b"\xff"), (b"cookie", b"a=1"), (b"cookie", b"b=2")]
    found = Exchange(headers=sent).run().body
    assert (found["HTTP_HOST"], found["HTTP_X_A"], found["HTTP_COOKIE"]) == ("a", "1,\xff", "a=1;b=2")


def test_a_name_with_an_underscore_is_not_taken_for_the_one_with_a_dash():
    sent = [(b"host", b"a"), (b"x_forwarded_for", b"198.51.100.1"), (b"content_length", b"5")]
    found = Exchange(headers=sent).run().body
    assert not {"HTTP_X_FORWARDED_FOR", "CONTENT_LENGTH"} & set(found)


@pytest.mark.parametrize(("version", "protocol"), [("1", "HTTP/1.0"), ("1.1", "HTTP/1.1")])
def test_the_environment_is_that_of_plain_http(version, protocol):
    found = Exchange(http_version=version, query_string=b"a=%20").run().body
    expected = {
        "SERVER_PROTOCOL": protocol, "wsgi.url_scheme": "http", "REMOTE_ADDR": "192.0.2.1", "QUERY_STRING": "a=%20",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "REQUEST_METHOD": "POST", "SCRIPT_NAME": "",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("host", [[], [(b"host", b"")]])
def test_http_1_1_needs_a_host_and_http_1_0_does_not(host):
    assert Exchange(headers=host).run().status == 400
    assert "HTTP_HOST" not in Exchange(headers=host, http_version="1").run().body


def test_an_answer_keeps_each_of_its_headers():
    headers = Exchange().run().sent[0]["headers"]
    assert [value for name, value in headers if name == b"Set-Cookie"] == [b"a=1", b"b=2"]


@pytest.mark.parametrize("size", [0, 1, asgi.SLICE, asgi.SLICE + 1, asgi.LARGE_SLICE, 3_000_000])
@pytest.mark.parametrize(("few", "largest"), [(asgi.FEW, asgi.LARGE_SLICE), (0, asgi.SLICE)])
def test_an_answer_arrives_whole_whatever_its_size(monkeypatch, size, few, largest):
    monkeypatch.setattr(asgi, "FEW", few)
    monkeypatch.setattr(asgi, "django", answering(size))
    sent = Exchange().run().sent
    sizes = [len(message["body"]) for message in sent[1:]]
    assert (sum(sizes), max(sizes)) == (size, min(size, largest))
    assert [message.get("more_body", False) for message in sent[1:]][-1] is False


def test_a_body_in_pieces_is_one_with_its_length():
    found = Exchange(rendered=(b"ab", b"c", b"")).run().body
    assert (found["body"], found["CONTENT_LENGTH"]) == ("abc", "3")


def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one():
    assert Exchange(rendered=(b"ab", None)).run().status == 400


def test_a_body_that_does_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr(asgi, "ARRIVAL", 0.05)
    stopped = Exchange(rendered=(b"ab",))
    stopped.receives_for_ever = True
    assert stopped.run().status == 408
    assert asgi.load.bodies == 0


@pytest.mark.parametrize(("path", "is_openai"), [("/api/models", False), ("/v1/models", True), ("//v1/x", True)])
def test_a_refusal_of_the_server_has_the_envelope_of_its_address(path, is_openai):
    exchange = Exchange(path, headers=[(b"x-request-id", b"mine")]).run()
    assert (exchange.status, (b"X-Request-Id", b"mine") in exchange.sent[0]["headers"]) == (400, True)
    if is_openai:
        told = {"type": "invalid_request_error", "param": None}
        assert exchange.body == {"error": {"code": "invalid_request", "message": "The request names no host.", **told}}
    else:
        told = {"code": "invalid_request", "message": "The request names no host."}
        assert exchange.body == {**told, "error": "Bad Request", "request_id": "mine"}


def test_a_body_of_very_many_small_pieces_is_refused():
    assert Exchange(rendered=(b"x",) * 1000).run().status == 400
    assert Exchange(rendered=(b"x" * 100,) * 1000).run().status == 200


@pytest.mark.parametrize(("size", "status"), [(1, 200), (asgi.SMALL_BODY + 1, 503)])
def test_beyond_what_the_process_may_hold_only_small_bodies_are_taken(monkeypatch, size, status):
    monkeypatch.setattr(asgi.load, "bodies", asgi.MAX_BODIES)
    answer = Exchange(rendered=(b"x" * size, b"")).run()
    assert answer.status == status
    assert asgi.load.bodies == asgi.MAX_BODIES
    assert ((b"Retry-After", b"1") in answer.sent[0]["headers"]) == (status == 503)


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until it is set, no thread comes back."""
    released = threading.Event()

    def slow(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        assert environ["PATH_INFO"] == asgi.LIVENESS or released.wait(30)
        return echo(environ, start_response)

    monkeypatch.setattr(asgi, "django", slow)
    yield released
    released.set()


def test_a_request_beyond_the_queue_is_refused_at_once(monkeypatch, release):
    monkeypatch.setattr(asgi, "MAX_QUEUE", 2)
    exchanges = [Exchange() for _ in range(asgi.THREADS + 3)]

    async def run() -> list[int]:
        tasks = [asyncio.ensure_future(exchange.call()) for exchange in exchanges]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        early = [exchange.status for exchange in exchanges if exchange.sent]
        release.set()
        await asyncio.gather(*tasks)
        return early

    assert asyncio.run(run()) == [503]
    assert [exchange.status for exchange in exchanges].count(200) == asgi.THREADS + 2


def test_a_body_counts_until_its_request_is_answered(release):
    exchange = Exchange(rendered=(b"x" * 5000, b""))

    async def run() -> int:
        task = asyncio.ensure_future(exchange.call())
        await asyncio.wait([task], timeout=0.2)
        waiting = asgi.load.bodies
        release.set()
        await task
        return waiting

    assert asyncio.run(run()) == 5000
    assert asgi.load.bodies == 0


def test_where_no_thread_comes_back_requests_are_refused_and_the_process_counts_as_alive(monkeypatch, release):
    monkeypatch.setattr(asgi, "PATIENCE", 0.1)
    exchanges = [Exchange() for _ in range(asgi.THREADS + 2)]

    async def run() -> None:
        tasks = [asyncio.ensure_future(exchange.call()) for exchange in exchanges]
        alive = Exchange(asgi.LIVENESS)
        await asyncio.wait_for(alive.call(), 5)
        assert alive.status == 200
        await asyncio.wait(tasks[asgi.THREADS :])
        release.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert [exchange.status for exchange in exchanges] == [200] * asgi.THREADS + [503] * 2
    assert (b"Retry-After", b"1") in exchanges[-1].sent[0]["headers"]


def test_of_answers_that_nobody_reads_the_oldest_are_given_up(monkeypatch):
    monkeypatch.setattr(asgi, "django", answering(100_000))
    monkeypatch.setattr(asgi, "MAX_ANSWERS", 250_000)
    exchanges = [Exchange() for _ in range(4)]
    for exchange in exchanges:
        exchange.sends_for_ever = True

    async def run() -> list[bool]:
        tasks = []
        for exchange in exchanges:
            tasks.append(asyncio.ensure_future(exchange.call()))
            while len(exchange.sent) < 2:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        ended = [task.done() for task in tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return ended

    assert asyncio.run(run()) == [True, True, False, False]
    assert asgi.load.answers == {}


def test_an_answer_that_many_read_at_once_is_held_once(monkeypatch):
    body = b"x" * 100_000
    monkeypatch.setattr(asgi, "MAX_ANSWERS", 250_000)
    monkeypatch.setattr(asgi, "django", lambda environ, start: (start("200 OK", []), [body])[1])
    exchanges = [Exchange() for _ in range(8)]
    for exchange in exchanges:
        exchange.sends_for_ever = True

    async def run() -> None:
        tasks = [asyncio.ensure_future(exchange.call()) for exchange in exchanges]
        while min(len(exchange.sent) for exchange in exchanges) < 2:
            await asyncio.sleep(0.01)
        assert len(asgi.load.answers) == 8
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())
    assert {exchange.status for exchange in exchanges} == {200}


def test_an_application_that_fails_gives_its_thread_back(monkeypatch):
    def broken(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        raise RuntimeError

    monkeypatch.setattr(asgi, "django", broken)
    for _ in range(asgi.THREADS):
        with pytest.raises(RuntimeError):
            Exchange().run()
    assert not asgi.load.threads.locked()


def test_what_is_accepted_is_bounded_in_the_kernel_too():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptors = len(os.listdir("/proc/self/fd"))
        asgi.bound_connections()
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                stall = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                # Linux doubles what is asked.
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * asgi.SEND_BUFFER
        assert stall == asgi.STALL * 1000
        assert len(os.listdir("/proc/self/fd")) == descriptors
