"""FAKE: an upstream that behaves as the test says, on a real socket on loopback, and remembers what it was sent."""

import gzip
import http.client
import json
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Scenario = Callable[["Upstream", socket.socket, "Seen"], None]


@dataclass
class Seen:
    """One request as it came in; header names are lower case, `at` is a monotonic time in seconds."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    at: float = field(default_factory=time.monotonic)


class Upstream:
    """Answers per path (the query string is not looked at); a list of answers is used up in order, the last repeats."""

    def __init__(self, certificate: Path | None = None) -> None:
        """With a certificate (a PEM file that also holds its key) the server speaks TLS."""
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self.requests: list[Seen] = []
        self.connections = 0
        self.closing = threading.Event()
        self._answers: dict[str, list[Scenario]] = {}
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True, name="fake-upstream").start()

    def on(self, path: str, *scenarios: Scenario) -> None:
        self._answers[path] = list(scenarios)

    def serve(self, path: str, payload: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Answer `path` with JSON (bytes and text go out as they are)."""
        self.on(path, answer(status, payload, headers))

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def stop(self) -> None:
        self.closing.set()
        self._listener.close()
        for connection in list(self._open):
            connection.close()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                seen = _read_request(connection)
                if seen is None:
                    return
                self.requests.append(seen)
                scenarios = self._answers.get(seen.path.partition("?")[0])
                if not scenarios:
                    answer(404, {"error": "not found"})(self, connection, seen)
                else:
                    scenario = scenarios.pop(0) if len(scenarios) > 1 else scenarios[0]
                    scenario(self, connection, seen)
        except OSError:
            pass  # The client hung up, which many of the tests are about.
        finally:
            self._open.discard(connection)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.stop()


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate for `name`, made for one test, as a PEM file with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def as_bytes(payload: Any) -> bytes:
    if isinstance(payload, bytes):
        return payload
    return payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()


def answer(status: int, payload: Any = b"", headers: dict[str, str] | None = None) -> Scenario:
    body = as_bytes(payload)
    sent = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    return raw(_head(status, sent) + body)


def raw(data: bytes) -> Scenario:
    """These bytes and then the end of the connection."""

    def scenario(server: Upstream, connection: socket.socket, seen: Seen) -> None:
        connection.sendall(data)

    return scenario


def html(status: int = 200) -> Scenario:
    return answer(status, b"<!doctype html><title>Gateway</title>", {"Content-Type": "text/html"})


def redirect(location: str | None, status: int = 302) -> Scenario:
    return answer(status, b"", {"Location": location} if location else {})


def truncated(payload: Any, sent: int) -> Scenario:
    """A full Content-Length, and only the first `sent` bytes of the body."""
    body = as_bytes(payload)
    return raw(_head(200, {"Content-Length": str(len(body))}) + body[:sent])


def unfinished_chunks(payload: Any) -> Scenario:
    body = as_bytes(payload)
    return raw(_head(200, {"Transfer-Encoding": "chunked"}) + b"%x\r\n%s\r\n" % (len(body), body))


def reset(after: bytes = b"") -> Scenario:
    """`after`, then a TCP reset."""

    def scenario(server: Upstream, connection: socket.socket, seen: Seen) -> None:
        if after:
            connection.sendall(after)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return scenario


def silent() -> Scenario:
    """Accepts, reads the request and never answers."""
    return hang(b"")


def hang(after: bytes | None = None) -> Scenario:
    """`after` (by default complete headers), then silence."""
    start = _head(200, {"Content-Length": "1000"}) if after is None else after

    def scenario(server: Upstream, connection: socket.socket, seen: Seen) -> None:
        if start:
            connection.sendall(start)
        server.closing.wait(30)

    return scenario


def drip(pause: float, head: bytes | None = None, rendered_model: bytes = b" ") -> Scenario:
    """One piece every `pause` seconds, for ever; with `head=b""` it is the headers that drip."""
    start = _head(200, {"Content-Type": "application/json"}) if head is None else head

    def scenario(server: Upstream, connection: socket.socket, seen: Seen) -> None:
        connection.sendall(start)
        while not server.closing.wait(pause):
            connection.sendall(rendered_model)

    return scenario


def slow_headers(pause: float) -> Scenario:
    return drip(pause, head=b"HTTP/1.1 200 OK\r\nX-Slow: ", rendered_model=b"a")


def endless() -> Scenario:
    return drip(0, rendered_model=b"[" * 65536)


def gzip_bomb(size: int) -> Scenario:
    """`size` zero-like bytes under gzip: about a thousandth of it on the wire."""

    def scenario(server: Upstream, connection: socket.socket, seen: Seen) -> None:
        connection.sendall(_head(200, {"Content-Encoding": "gzip"}))
        packer, block = zlib.compressobj(9, zlib.DEFLATED, 31), b" " * 1_000_000
        for _ in range(size // len(block)):
            connection.sendall(packer.compress(block))
        connection.sendall(packer.flush())

    return scenario


def gzipped(payload: Any, cut: int | None = None) -> Scenario:
    return answer(200, gzip.compress(as_bytes(payload))[:cut], {"Content-Encoding": "gzip"})


def after_barrier(barrier: threading.Barrier, then: Scenario) -> Scenario:
    """Waits for the test (or for other requests) at `barrier` before it answers."""

    def scenario(server: Upstream, connection: socket.socket, seen: Seen) -> None:
        barrier.wait(30)
        then(server, connection, seen)

    return scenario


def delayed(seconds: float, then: Scenario) -> Scenario:
    def scenario(server: Upstream, connection: socket.socket, seen: Seen) -> None:
        server.closing.wait(seconds)
        then(server, connection, seen)

    return scenario


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Unknown')}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _read_request(connection: socket.socket) -> Seen | None:
    reader = connection.makefile("rb")
    if reader.peek(1)[:1] == b"\x16":
        # The hello of TLS, in which no line need end: answered as web servers do, in plain HTTP.
        connection.sendall(_head(400, {}))
        return None
    first = reader.readline(65536).decode("latin-1").split(" ")
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while (line := reader.readline(65536).decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", 0)))
    return Seen(method=first[0], path=first[1], headers=headers, body=body)
