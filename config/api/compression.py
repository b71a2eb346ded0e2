"""JSON answers that carry an ETag, compressed once for each content that the tag names, never once for each request."""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any
from weakref import WeakValueDictionary

from cachetools import LRUCache
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from config.api.pieces import Pieces, PiecesResponse
from config.metrics import COMPRESSED_BYTES

# Bytes below which an answer fits a packet as it is.
LEAST = 1024
# Level 6 takes a third of the time of 9, for 1 % more bytes.
LEVEL = 6
# To zlib: with the head and the end of gzip, and the window of 32 kB that is its own.
_GZIP = 31

# By address, query and tag.
_compressed: LRUCache[bytes, bytes] = LRUCache(24_000_000, lambda body: len(body) + 500)
_lock = threading.Lock()
# Those that are being made.
_making: WeakValueDictionary[bytes, Any] = WeakValueDictionary()
# Kinds of files that get smaller.
_TEXTS = ("text/", "application/javascript", "application/json", "image/svg+xml")
# One coding of a list, with its weight (RFC 9110, 12.5.3).
_CODING = re.compile(r"(gzip|x-gzip|\*)(?:\s*;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?", re.IGNORECASE)
# What marks the tag of a compressed answer where it must differ from the plain one's: a strong tag names bytes.
_MARK = '-gzip"'


class CompressionMiddleware:
    """Compresses with gzip for callers who accept it, and takes its own tags back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        holds_compressed = _MARK in request.META.get("HTTP_IF_NONE_MATCH", "")
        for name in ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH"):
            if _MARK in request.META.get(name, ""):
                request.META[name] = request.META[name].replace(_MARK, '"')
        response: Any = self.get_response(request)
        tag = response.headers.get("ETag")
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        if response.streaming and not isinstance(response, PiecesResponse):
            return _file(request, response)
        if tag is None or not (is_json or response.status_code == 304):
            return response
        patch_vary_headers(response, ("Accept-Encoding",))
        if response.status_code == 304:
            compresses = holds_compressed
        elif "Content-Encoding" in response.headers:
            compresses = True
        else:
            compresses = (
                response.status_code == 200
                and _length(response) >= LEAST
                and accepts_gzip(request.META.get("HTTP_ACCEPT_ENCODING", ""))
            )
            if compresses:
                name = _name(request, tag)
                if isinstance(response, PiecesResponse):
                    response.take(Pieces([compressed(name, response.pieces)]))
                else:
                    response.content = compressed(name, [response.content])
                response.headers["Content-Encoding"] = "gzip"
        if compresses and not tag.startswith("W/"):
            response.headers["ETag"] = tag[:-1] + _MARK
        return response


def _length(response: Any) -> int:
    return len(response.pieces if isinstance(response, PiecesResponse) else response.content)


def ready(request: Any, tag: str) -> HttpResponse | None:
    """The answer of this tag, where it is stored compressed and the caller takes that: its body need not be made."""
    if not accepts_gzip(request.META.get("HTTP_ACCEPT_ENCODING", "")):
        return None
    with _lock:
        body = _compressed.get(_key(_name(request, tag)))
    if body is None:
        return None
    return HttpResponse(body, content_type="application/json", headers={"Content-Encoding": "gzip"})


def _name(request: Any, tag: str) -> str:
    return f"{request.get_full_path()} {tag}"


def _key(name: str) -> bytes:
    return sha256(name.encode()).digest()


def _file(request: HttpRequest, response: Any) -> Any:
    """A file of our own that nobody compressed beforehand, as those that `make run` serves from where they lie."""
    is_text = response.headers.get("Content-Type", "").startswith(_TEXTS)
    if not is_text or request.method != "GET" or not request.path.startswith(settings.STATIC_URL):
        return response
    length = int(response.headers.get("Content-Length", "0"))
    if response.status_code != 200 or "Content-Encoding" in response.headers or length < LEAST:
        return response
    patch_vary_headers(response, ("Accept-Encoding",))
    if not accepts_gzip(request.META.get("HTTP_ACCEPT_ENCODING", "")):
        return response
    tag = response.headers.get("ETag", "")
    name = f"{request.path} {response.headers.get('Last-Modified')} {tag}"
    found = HttpResponse(compressed(name, [response.getvalue()]), headers=dict(response.headers))
    found["Content-Encoding"], found["Content-Length"] = "gzip", str(len(found.content))
    if tag:
        found["ETag"] = tag[:-1] + _MARK
    # Closed with this answer: to close that one would tell Django that the request is over.
    found._resource_closers += response._resource_closers  # type: ignore[attr-defined]
    return found


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header takes gzip. None at all takes it as well, but is no wish for it."""
    weights = {}
    for part in header.split(",")[:20]:
        if coding := _CODING.fullmatch(part.strip()):
            weights[coding[1].lower().removeprefix("x-")] = float(coding[2] or 1)
    return weights.get("gzip", weights.get("*", 0)) > 0


def compressed(name: str, pieces: Iterable[bytes]) -> bytes:
    """A body under gzip; `name` says which content it is."""
    key = _key(name)
    with _lock:
        making = _making.setdefault(key, threading.Lock())
    # Of those who ask at the same time one compresses, and the others take what it made.
    with making:
        with _lock:
            found = _compressed.get(key)
        if found is None:
            # Without a time: the same content is the same bytes in every process.
            made = zlib.compressobj(LEVEL, wbits=_GZIP)
            found = b"".join([*map(made.compress, pieces), made.flush()])
            if len(found) + 500 <= _compressed.maxsize:
                with _lock:
                    _compressed[key] = found
                    COMPRESSED_BYTES.set(_compressed.currsize)
    return found
