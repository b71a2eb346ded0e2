"""The client for all outgoing HTTP. Nothing else in the project opens a connection to an upstream.

What the usual client would do by itself and this one does not: follow redirects to other hosts (an `x-api-key` header
goes along), read proxies and passwords from the environment, resolve a name a second time after it was judged, wait for
ever on a body that drips, and inflate a megabyte to a gigabyte.
"""

import http.client
import json
import random
import re
import socket
import threading
import time
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urldefrag, urljoin

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from providers.client.addresses import (
    Address,
    Target,
    check_url,
    failed_call,
    host_in,
    judge,
    origin_of,
    parse_target,
    resolve,
)
from providers.client.answers import MAX_VALUES, strict_loads
from providers.client.echoed_credentials import masked, may_hold
from providers.client.errors import UpstreamError
from providers.client.failures import refusal, too_large, too_slow, translated

__all__ = ["Limits", "UpstreamClient", "UpstreamError", "check_url", "origin_of", "strict_loads"]

_CHUNK = 64 * 1024
_RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# How many are followed, all within the origin that was asked.
MAX_REDIRECTS = 3
# What RFC 9110 calls a field value, less the obsolete bytes above ASCII.
_HEADER_VALUE = frozenset(chr(code) for code in range(0x21, 0x7F)) | {" "}


# A path, say, of which this much is enough to know it by.
_LONG = re.compile(r"(\S{250})\S+")
# All of requests' own are OSErrors.
_CLIENT_ERRORS = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError, zlib.error)


@dataclass(frozen=True)
class Limits:
    """Seconds for connecting, for one silence while reading, and for all tries together; bytes, packed or unpacked.

    `backoff` is the wait in seconds before the second try; it doubles with each further one and is jittered.
    """

    connect: float = 5.0
    read: float = 20.0
    total: float = 60.0
    max_bytes: int = 20_000_000
    # Of all answers that one client fetches: the pages of one listing are in memory together.
    all_bytes: int = 60_000_000
    max_values: int = MAX_VALUES
    attempts: int = 3
    backoff: float = 0.5


class UpstreamClient:
    """Fetches JSON from upstreams, under the limits and the rules on addresses.

    `allowed_hosts`: private hosts that the deployment allows (host, host:port, or a network as CIDR).
    `trusted_origins`: base URLs or origins that the deployment's own environment names.
    `ca_bundle`: a file of certificate authorities to trust instead of the public ones (the environment's
    REQUESTS_CA_BUNDLE is not read).
    """

    def __init__(
        self,
        allowed_hosts: Sequence[str] = (),
        limits: Limits = Limits(),
        trusted_origins: Collection[str] = (),
        ca_bundle: str | None = None,
    ):
        self.allowed_hosts = tuple(allowed_hosts)
        self.limits = limits
        self.trusted_origins = tuple(trusted_origins)
        self.ca_bundle = ca_bundle
        self._fetched = 0

    def get_json(
        self, url: str, headers: dict[str, str] | None = None, credential_header: tuple[str, str] | None = None
    ) -> Any:
        """The parsed answer to a GET; raises `UpstreamError`. A fault of one record is left in it for the adapter."""
        return self.call("GET", url, None, headers, credential_header)

    def post_json(
        self,
        url: str,
        body: Any,
        headers: dict[str, str] | None = None,
        credential_header: tuple[str, str] | None = None,
    ) -> Any:
        """As `get_json`, with a JSON body. Only for calls that change nothing upstream: they may be tried again."""
        encoded = json.dumps(body).encode()
        return self.call(
            "POST", url, encoded, {"Content-Type": "application/json", **(headers or {})}, credential_header
        )

    def call(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: dict[str, str] | None,
        credential_header: tuple[str, str] | None,
    ) -> Any:
        """What each call comes to; see `get_json` and `post_json`."""
        target = check_url(url, self.allowed_hosts, self.trusted_origins)
        sent = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "modeldex", **(headers or {})}
        if credential_header is not None:
            name, value = credential_header
            if not value.strip() or not set(value) <= _HEADER_VALUE:
                raise UpstreamError("unauthorized", "The stored credential holds characters that no header may carry.")
            sent[name] = value
        secret = credential_header[1].removeprefix("Bearer ") if credential_header else ""
        call = _Call(method, body, sent, bool(secret))
        try:
            data = self._with_retries(target, call)
        except UpstreamError as error:
            # Its sentences name paths, and an upstream may have redirected to one that holds the credential.
            # Cut to what a message should be after that, so that no part of it is left.
            raise error.masked(lambda text: _LONG.sub(r"\1…", masked(text, secret))) from None
        self._fetched += len(data)
        if self._fetched > self.limits.all_bytes:
            raise too_large(target, self.limits.all_bytes)
        if not data.strip():
            raise refusal("empty", target, "with nothing")
        try:
            answer = strict_loads(data, max_values=self.limits.max_values)
        except UpstreamError as error:
            raise error.located(f"{target.host} to {target.path}") from None
        return masked(answer, secret) if secret and may_hold(data, secret) else answer

    def _with_retries(self, target: Target, call: "_Call") -> bytes:
        deadline = time.monotonic() + self.limits.total
        for attempt in range(1, self.limits.attempts + 1):
            try:
                return self._once(target, call, deadline)
            except UpstreamError as error:
                if attempt == self.limits.attempts or not _worth_retrying(error):
                    raise
                wait = self.limits.backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
                if error.retry_after is not None:
                    # Never before the time asked for, and not all clients at the very same moment.
                    wait = error.retry_after + min(wait, 1.0)
                if time.monotonic() + wait >= deadline:
                    raise
            time.sleep(wait)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, target: Target, call: "_Call", deadline: float) -> bytes:
        """One try, with the redirects that are followed: each is judged as the first address was."""
        for _ in range(MAX_REDIRECTS + 1):
            found = self._exchange(target, call, deadline)
            if isinstance(found, bytes):
                return found
            target = check_url(found.url, self.allowed_hosts, self.trusted_origins)
        raise UpstreamError("redirect", f"{target.host} redirects more than {MAX_REDIRECTS} times, to {target.path}.")

    def _exchange(self, target: Target, call: "_Call", deadline: float) -> bytes | Target:
        """The body of the answer, or where within its origin it redirects to."""
        addresses = resolve(target, min(self.limits.connect, deadline - time.monotonic()))
        # Judged at each try and then connected to as they are: the name is not resolved a second time.
        judge(target, addresses, self.allowed_hosts, self.trusted_origins)
        watch = _Watch(deadline)
        session = requests.Session()
        session.trust_env = False
        adapter = _PinnedAdapter(target, addresses, self.limits, watch)
        request = session.prepare_request(requests.Request(call.method, target.url, call.headers, data=call.body))
        try:
            with watch, session, closing(adapter):
                read = max(min(self.limits.read, watch.left()), 0.01)
                # Not by the session: where an answer redirects, that would read the whole of it, however much it is.
                response = adapter.send(
                    request, stream=True, timeout=(self.limits.connect, read), verify=self.ca_bundle or True
                )
                with response:
                    if response.status_code in _REDIRECTS:
                        return _redirected(target, response)
                    _check_status(target, response, call.with_credential)
                    data = b"".join(_body(response, self.limits.max_bytes, target))
                if watch.expired:
                    # A body without a length looks complete when the watch has cut its connection.
                    raise too_slow(target)
                return data
        except UpstreamError as error:
            # The watch cutting the connection can look like an answer that ended early.
            if watch.expired and error.reason == "connect":
                raise too_slow(target) from None
            raise
        except _CLIENT_ERRORS as error:
            # Whatever the client library or a socket raises ends here, and its text (it may quote a URL) is dropped.
            raise translated(error, target, expired=watch.expired) from None


@dataclass(frozen=True)
class _Call:
    """What is sent, to the address asked and to those it redirects to."""

    method: str
    body: bytes | None
    headers: dict[str, str]
    with_credential: bool


class _Watch:
    """Cuts the connection at the deadline: socket timeouts alone never end an answer of a byte now and then."""

    def __init__(self, deadline: float):
        self.deadline = deadline
        self.expired = False
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(max(self.left(), 0), self._cut)
        self._timer.daemon = True

    def left(self) -> float:
        return self.deadline - time.monotonic()

    def add(self, sock: socket.socket) -> None:
        # A duplicate, because TLS detaches the original; shutting one down ends the connection for both.
        with self._lock:
            self._sockets.append(sock.dup())

    def _cut(self) -> None:
        with self._lock:
            self.expired = True
            for sock in self._sockets:
                with suppress(OSError):  # closed by the other side already
                    sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._timer.cancel()
        with self._lock:
            for sock in self._sockets:
                sock.close()
            self._sockets.clear()


class _PinnedAdapter(HTTPAdapter):
    """Connects to the addresses that were judged, while Host, SNI and the certificate check use the name."""

    def __init__(self, target: Target, addresses: Sequence[Address], limits: Limits, watch: _Watch):
        self._target = target
        self._addresses = addresses
        self._limits = limits
        self._watch = watch
        super().__init__(max_retries=0, pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **kwargs)
        connect = self._connect

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return connect(self.port)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return connect(self.port)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def _connect(self, port: int) -> socket.socket:
        until = time.monotonic() + min(self._limits.connect, self._watch.left())
        timed_out = False
        for address in self._addresses:
            left = until - time.monotonic()
            if left <= 0:
                timed_out = True
                break
            family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.settimeout(left)
                sock.connect((str(address), port))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._watch.add(sock)
            except OSError as error:
                timed_out = isinstance(error, TimeoutError)
                sock.close()
            else:
                return sock
        if timed_out:
            hint = ": are host and port right, and does no firewall stand between?"
            raise failed_call("timeout", self._target, "The connection was not accepted in time", hint)
        raise failed_call("connect", self._target, "The connection was refused", ": does a server listen there?")


def _check_status(target: Target, response: requests.Response, sent_credential: bool) -> None:
    status = response.status_code
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise refusal("redirect", target, status, ", which is no list of models", status=status)
    wait = _retry_after(response.headers.get("Retry-After"))
    if status in (401, 403):
        why = ": it refused the credential" if sent_credential else ": it asks for a credential, and none was sent"
        raise refusal("unauthorized", target, status, why, status=status)
    if status == 429:
        why = ": it asks for fewer requests"
        raise refusal("rate_limited", target, status, why, retry_after=wait, status=status)
    raise refusal("http_status", target, status, retry_after=wait, status=status)


def _redirected(target: Target, response: requests.Response) -> Target:
    """Where a redirect leads, if that is within the same origin: the credential is meant for no other.

    Raises UpstreamError, which names the other address without its query.
    """
    status, location = response.status_code, response.headers.get("Location", "")
    if not location:
        raise refusal("redirect", target, status, ", a redirect that does not say where to", status=status)
    try:
        # Blanks stand there as they are, from servers that put a file's name into it.
        found = parse_target(urldefrag(urljoin(target.url, location.strip().replace(" ", "%20"))).url)
    except (UpstreamError, ValueError):
        host = host_in(location)
        why = f", a redirect to an address that cannot be used{host and f', on {host}'}"
        raise refusal("redirect", target, status, why, status=status) from None
    if found.origin == target.origin:
        return found
    why = f", a redirect to {found.origin}{found.path}; only redirects within {target.origin} are followed"
    raise refusal("redirect", target, status, why, status=status)


def _retry_after(text: str | None) -> float | None:
    """Seconds to wait, from either form of RFC 9110 section 10.2.3; None when absent or unreadable."""
    try:
        return float(Retry().parse_retry_after(text)) if text else None
    except (InvalidHeader, TypeError, ValueError, OverflowError):
        return None


def _body(response: requests.Response, max_bytes: int, target: Target) -> Iterator[bytes]:
    """The decoded body in chunks, with never more than one chunk in memory beyond the cap."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise refusal("malformed", target, "in an encoding that was not asked for", "; it may send gzip")
    inflate = None if encoding in ("", "identity") else zlib.decompressobj(zlib.MAX_WBITS | 32)
    received = size = 0
    while chunk := response.raw.read(_CHUNK, decode_content=False):
        received += len(chunk)
        while chunk:
            if inflate is None:
                decoded, chunk = chunk, b""
            elif inflate.eof:
                raise failed_call("malformed", target, f"The answer of {target.host} goes on after its compressed end")
            else:
                decoded = inflate.decompress(chunk, _CHUNK)
                chunk = inflate.unconsumed_tail or inflate.unused_data
            size += len(decoded)
            if max(size, received) > max_bytes:
                raise too_large(target, max_bytes)
            yield decoded
    if inflate is not None:
        if size + len(tail := inflate.flush()) > max_bytes:
            raise too_large(target, max_bytes)
        if not inflate.eof:
            raise failed_call("connect", target, f"The answer of {target.host} ended early")
        yield tail


def _worth_retrying(error: UpstreamError) -> bool:
    if error.status is not None:
        return error.status in _RETRIED_STATUSES
    return error.reason == "connect" or (error.reason == "timeout" and error.message.startswith("The connection"))
