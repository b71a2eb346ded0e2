"""Clients that mean to stop a server without a credential, many at a time."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

# Seconds over which they come: a server may be busy with many well-formed requests that come at once.
ARRIVE = 2
FORM = b"Host: localhost\r\nCookie: csrftoken=" + b"a" * 32 + b"\r\nContent-Type: application/x-www-form-urlencoded\r\n"
SIGN_IN = b"POST /accounts/login HTTP/1.1\r\n" + FORM
PATCH = b"PATCH /api/models HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@dataclass(frozen=True)
class Kind:
    """What each of `count` connections sends at first, then every `pause` seconds, and how much it reads each time."""

    first: bytes = b""
    then: bytes = b""
    pause: float = 1
    reads: int = 65536
    count: int = 200


KINDS = {
    "idle connections": Kind(count=2300),
    "padded lengths": Kind(SIGN_IN + b"Content-Length: 000000000000000000001000\r\n\r\n", b"a", pause=3),
    "slow readers of a list": Kind(get("/api/models") * 12, pause=2, reads=1000),
    "slow readers of a file": Kind(
        get("/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"), reads=100
    ),
    "readers of nothing": Kind(get("/api/models") * 12, reads=0),
    "tiny chunks": Kind(PATCH + CHUNKED, b"1\r\nx\r\n" * 20_000, pause=0),
    "tiny chunks to a form": Kind(SIGN_IN + CHUNKED, b"1\r\nx\r\n" * 20_000, pause=0),
    "slow heads": Kind(b"GET / HTTP/1.1\r\nHost: localhost\r\nA: ", b"a"),
    "half a form": Kind(SIGN_IN + b"Content-Length: 1000\r\n\r\n" + b"a" * 500),
    "half a multipart form": Kind(
        SIGN_IN.replace(b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x")
        + b"Content-Length: 9000000\r\n\r\n--x\r\n"
    ),
    "half a chunk": Kind(SIGN_IN + CHUNKED + b"1ffff\r\nab"),
    "slow forms": Kind(SIGN_IN + b"Content-Length: 1000\r\n\r\n", b"a"),
    "large bodies that stop": Kind(SIGN_IN + b"Content-Length: 2600000\r\n\r\n" + b"a" * 2_500_000),
    "no host": Kind(b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"),
    "expectations": Kind(SIGN_IN + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n"),
}


class Crowd:
    """All connections of a kind, on one thread that never waits for the server."""

    def __init__(self, port: int, kind: Kind) -> None:
        self.kind = kind
        self.stopped = False
        self.port = port
        self.sockets: list[socket.socket] = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _connect(self) -> socket.socket:
        connection = socket.socket()
        if self.kind.reads < 65536:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        with suppress(BlockingIOError):
            connection.connect(("127.0.0.1", self.port))
        self.sockets.append(connection)
        return connection

    def _run(self) -> None:
        unsent: dict[socket.socket, bytes] = {}
        began = time.monotonic()
        again = began + self.kind.pause
        while not self.stopped:
            arrived = min(1, (time.monotonic() - began) / ARRIVE) * self.kind.count
            while len(self.sockets) < arrived:
                unsent[self._connect()] = self.kind.first
            for connection in [one for one, rest in unsent.items() if rest]:
                try:
                    unsent[connection] = unsent[connection][connection.send(unsent[connection]) :]
                except BlockingIOError:
                    continue
                except OSError:
                    # The server has ended it, which is its right.
                    del unsent[connection]
            if time.monotonic() >= again:
                again = time.monotonic() + self.kind.pause
                for connection in unsent:
                    unsent[connection] = unsent[connection] or self.kind.then
                    with suppress(OSError):
                        connection.recv(self.kind.reads)
            time.sleep(0.05)

    def leave(self) -> None:
        self.stopped = True
        self.thread.join()
        for connection in self.sockets:
            connection.close()


@contextmanager
def crowd(port: int, kind: Kind) -> Iterator[None]:
    here = Crowd(port, kind)
    try:
        yield
    finally:
        here.leave()


def allow_many_sockets() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
