"""Gunicorn's threaded worker, behind which a slow client holds up nobody, and whose refusals are JSON like ours.

The stock worker gives a connection a thread as soon as it is accepted, so a few clients that send a byte a second hold
every thread. Here the main loop collects a request, and a thread gets it when it is whole: what waits costs memory, and
little of that.
"""

from __future__ import annotations

import logging
import re
import selectors
import socket
import struct
import time
import uuid
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

from config.api.logging import current_request_id

logger = logging.getLogger("modeldex.refusals")

# Seconds for a request to arrive whole, for one write of an answer to move, and for a client to close its end.
ARRIVAL, STALL, LINGER = 30.0, 15, 2.0
# Of a request's head: more than any client needs, less than gunicorn would wait for.
MAX_HEAD = 128 * 1024
# A body above the application's limit is not collected: the application refuses it by its length.
MAX_BODY = 4 * 1024 * 1024
MAX_CHUNK_LINE = 8190
# All that one process collects at a time.
MAX_WAITING = 128 * 1024 * 1024

_LENGTH = re.compile(rb"(?i)\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n")
_CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding:[^\r\n]*chunked")
_EXPECTS = re.compile(rb"(?i)\r\nexpect:[ \t]*100-continue")

_REFUSALS = {
    400: ("invalid_request", "This is not a well-formed HTTP request."),
    403: ("permission_denied", "The request was refused."),
    408: ("request_timeout", f"The request was not complete within {ARRIVAL:.0f} seconds."),
    414: ("uri_too_long", "The request line is longer than this server takes."),
    417: ("expectation_failed", "The only expectation that can be met is 100-continue."),
    431: ("headers_too_large", "The header fields are larger than this server takes."),
    500: ("server_error", "Something went wrong on this server. The request id finds it in the log."),
    501: ("not_implemented", "The transfer coding is not one that this server reads."),
    503: ("unavailable", "Too many requests are arriving at once. Try again shortly."),
}


def refusal(status: int) -> bytes:
    """A whole answer, in the envelope of the API: who sent what cannot be read gets no other dialect."""
    code, message = _REFUSALS.get(status, _REFUSALS[500])
    phrase = HTTPStatus(status).phrase
    request_id = current_request_id.get()
    body = orjson.dumps({"code": code, "error": phrase, "message": message, "request_id": request_id})
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: {request_id}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def write_error(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:
    """In place of gunicorn's page. Its message quotes the request, and with it perhaps a credential."""
    util.write_nonblock(sock, refusal(status_int))


# Gunicorn has no setting for it.
util.write_error = write_error


class Waiting:
    """What has arrived of one request. Each look goes on where the last one ended: bytes may come one by one."""

    __slots__ = ("at", "chunked", "data", "deadline", "expects", "needed")

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.deadline = time.monotonic() + ARRIVAL
        # From here on nothing was looked at: the head, then the chunks.
        self.at = 0
        # The length of the whole request, or of its head where it is chunked; 0 before the head is whole.
        self.needed = 0
        self.chunked = self.expects = False

    def is_whole(self) -> bool:
        """Whether a thread can go on without waiting for the client; also where the server will refuse anyway."""
        if not self.needed and not self._read_head():
            return False
        if self.chunked:
            return len(self.data) > self.needed + MAX_BODY or self._has_last_chunk()
        return len(self.data) >= self.needed

    def _read_head(self) -> bool:
        end = self.data.find(b"\r\n\r\n", self.at)
        if end < 0:
            self.at = max(0, len(self.data) - 3)
            return False
        head = bytes(self.data[: end + 4])
        self.at = self.needed = end + 4
        self.expects = bool(_EXPECTS.search(head))
        self.chunked = bool(_CHUNKED.search(head))
        length = _LENGTH.search(head)
        if length and not self.chunked and int(length[1]) <= MAX_BODY:
            self.needed += int(length[1])
        return True

    def _has_last_chunk(self) -> bool:
        """Malformed chunks count as the last: gunicorn refuses them."""
        while (end := self.data.find(b"\r\n", self.at, self.at + MAX_CHUNK_LINE)) >= 0:
            digits = self.data[self.at : end].partition(b";")[0].strip()
            # Of any length, as gunicorn reads them: a thread that has to wait for the rest of a chunk can be held.
            if not re.fullmatch(rb"[0-9A-Fa-f]+", digits):
                return True
            size = int(digits, 16)
            if size == 0:
                return self.data.find(b"\r\n\r\n", end) >= 0 or len(self.data) - end > MAX_HEAD
            if end + 2 + size + 2 > len(self.data):
                return False
            self.at = end + 2 + size + 2
        return len(self.data) - self.at > MAX_CHUNK_LINE

    def wants_word(self) -> bool:
        """Whether the client waits for 100 Continue before it sends its body. Asked once."""
        wanted, self.expects = self.expects, False
        return wanted


class BufferingWorker(ThreadWorker):
    """Collects requests in the main loop. Without TLS or HTTP/2, which a proxy in front ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # In the order of their deadlines, both.
        self.waiting: dict[TConn, Waiting] = {}
        self.lingering: dict[TConn, float] = {}
        self.waiting_bytes = 0

    def enqueue_req(self, conn: TConn) -> None:
        """Every way to a thread leads here: a new connection, a kept one that became readable, one read ahead."""
        if not conn.initialized:
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                conn.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", STALL, 0))
            conn.init()
            conn.data_ready = True
        state = Waiting(conn.parser.unreader.take_buffered())
        conn.sock.setblocking(False)
        self.waiting[conn] = state
        self.waiting_bytes += len(state.data)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_bytes, conn))
        if state.data and state.is_whole():
            self.hand_over(conn)

    def on_bytes(self, conn: TConn, _sock: Any) -> None:
        state = self.waiting[conn]
        try:
            received = conn.sock.recv(256 * 1024)
            state.data += received
            self.waiting_bytes += len(received)
            if not received:
                self.drop(conn)
            elif state.is_whole():
                self.hand_over(conn)
            elif not state.needed and len(state.data) > MAX_HEAD:
                self.drop(conn, 431)
            elif self.waiting_bytes > MAX_WAITING:
                self.drop(conn, 503)
            elif state.wants_word():
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        except BlockingIOError:
            pass
        except OSError:
            self.drop(conn)

    def hand_over(self, conn: TConn) -> None:
        state = self.forget(conn)
        conn.parser.unreader.unread(bytes(state.data))
        super().enqueue_req(conn)

    def forget(self, conn: TConn) -> Waiting:
        state = self.waiting.pop(conn)
        self.waiting_bytes -= len(state.data)
        self.poller.unregister(conn.sock)
        return state

    def drop(self, conn: TConn, status: int = 0) -> None:
        """Closes the connection; with a word where its client has asked something."""
        state = self.forget(conn)
        self.nr_conns -= 1
        if status and state.data:
            token = current_request_id.set(uuid.uuid4().hex)
            logger.warning("Refused with %s: a request of which %s bytes had come.", status, len(state.data))
            try:
                conn.sock.send(refusal(status))
            except OSError:
                logger.debug("The client has gone.")
            current_request_id.reset(token)
        conn.close()

    def murder_pending(self) -> None:
        super().murder_pending()
        now = time.monotonic()
        for conn, state in list(self.waiting.items()):
            if state.deadline > now:
                break
            self.drop(conn, 408)
        for conn, deadline in list(self.lingering.items()):
            if deadline > now:
                break
            self.end(conn)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Where all of the body is here, read or not. A thread does not wait for the rest of one."""
        conn.sock.setblocking(False)
        try:
            return bool(keepalive and conn.parser.finish_body(max_bytes=MAX_BODY))
        except BlockingIOError:
            return False

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """Without gunicorn's own way to close a connection, in which the main loop waits for the client."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_rest, conn))
            self.lingering[conn] = time.monotonic() + LINGER
        except (OSError, ValueError):
            # The client has gone, or a thread has closed it.
            self.nr_conns -= 1
            conn.close()

    def on_rest(self, conn: TConn, _sock: Any) -> None:
        """Bytes of a client that has its answer: closing upon them would take the answer back (RFC 9112, 9.6)."""
        try:
            if conn.sock.recv(256 * 1024):
                return
        except BlockingIOError:
            return
        except OSError:
            logger.debug("The client has gone.")
        self.end(conn)

    def end(self, conn: TConn) -> None:
        del self.lingering[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Under an id of its own, which the log and the answer name: Django has given it none."""
        token = current_request_id.set(uuid.uuid4().hex)
        try:
            super().handle_error(req, client, addr, exc)
        finally:
            current_request_id.reset(token)
