"""Answers of megabytes, as pieces that many answers share: each takes no more memory than a list of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse

# Bytes beyond which an answer is not joined.
LARGE = 1_000_000


class Pieces:
    """Bytes that are not joined yet. `bytes()` joins them, `len()` is how many they are."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = tuple(pieces)
        self._length = sum(map(len, self.pieces))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    def __len__(self) -> int:
        return self._length

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces)


def own_size(body: bytes | Pieces) -> int:
    """The bytes that an answer takes besides shared pieces."""
    return len(body) if isinstance(body, bytes) else sys.getsizeof(body.pieces)


def joined(pieces: Iterable[bytes]) -> bytes | Pieces:
    """One answer of these pieces; they stay apart where it is large. A single one is it as it is."""
    found = pieces if isinstance(pieces, Pieces) else Pieces(pieces)
    return found if len(found) > LARGE and len(found.pieces) > 1 else bytes(found)


def separated(rows: Iterable[tuple[bytes, ...]]) -> list[bytes]:
    """The pieces of all rows, with commas between the rows."""
    return [piece for row in rows for piece in (b",", *row)][1:]


def listed(head: bytes, rows: Iterable[bytes], tail: bytes) -> bytes | Pieces:
    """One answer of JSON rows."""
    return joined([head, *separated((row,) for row in rows), tail])


class PiecesResponse(StreamingHttpResponse):
    """JSON that the server sends piece by piece."""

    def __init__(self, pieces: Pieces) -> None:
        super().__init__(content_type="application/json")
        self.take(pieces)

    def take(self, pieces: Pieces) -> None:
        self.pieces = self.streaming_content = pieces
        self["Content-Length"] = str(len(pieces))
