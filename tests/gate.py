"""What lies between a server and its PostgreSQL, and can fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

# As PostgreSQL's protocol words what ends a connection.
SHUT_DOWN = b"E\0\0\0\x30SFATAL\0VFATAL\0C57P01\0Mgoing down, just now\0\0"


def _done(command: bytes) -> bytes:
    return b"C" + (5 + len(command)).to_bytes(4) + command + b"\0"


class Gate:
    """A TCP proxy to PostgreSQL that can be shut: nothing listens then, and what was connected is cut.

    Or frozen: it accepts and takes whatever it is sent, as the kernel does for a stopped server, and passes nothing on.
    Or it ends one connection as a server does that is shut down, right after it has said that this command is done.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.pairs: list[socket.socket] = []
        self.passing = threading.Event()
        self.passing.set()
        self.ends_after = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def shut(self) -> None:
        # Closing alone would leave the thread in accept().
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connected in self.pairs:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
            connected.close()
        self.pairs = []

    def open(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self.target)
                self.pairs += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.passing.wait()
                if self.ends_after and (done := _done(self.ends_after)) in data:
                    self.ends_after = b""
                    sink.sendall(data.partition(done)[0] + done + SHUT_DOWN)
                    break
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def gate_before(database_url: str) -> Iterator[Gate]:
    url = urlsplit(database_url)
    gate = Gate((url.hostname or "", url.port or 0))
    try:
        yield gate
    finally:
        gate.passing.set()
        gate.shut()
