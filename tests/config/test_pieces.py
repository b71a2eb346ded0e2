"""config/api/pieces.py: what is large is sent in pieces, and is byte for byte what it would be joined."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest
from django.utils import timezone

from catalog.api import snapshot as snapshots
from catalog.dialects.registry import DIALECTS
from config import asgi
from config.api import compression, pieces
from config.api.pieces import LARGE, Pieces, PiecesResponse, joined, listed, own_size
from tests.exchanges import ask, asked

pytestmark = pytest.mark.django_db(transaction=True)

PATHS = [
    *dict.fromkeys(dialect.address for dialect in DIALECTS if "{" not in dialect.address),
    "/api/models",
    "/api/models?format=cli",
]


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every answer is from now on; the lengths of those that were sent in pieces."""
    sent: list[int] = []
    django = asgi.call_django

    def noting(environ: dict[str, Any]) -> Any:
        answer = django(environ)
        if isinstance(answer.body, Pieces):
            sent.append(len(answer.body))
        return answer

    monkeypatch.setattr(asgi, "call_django", noting)
    for module in (pieces, snapshots):
        monkeypatch.setattr(module, "LARGE", 0)
    return sent


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "load", asgi.Load(bounds_connections=True))


@pytest.fixture
def token(alice, make_key, make_model) -> str:
    """Of a key that sees models of each kind, an alias and a successor among them."""
    make_model("acme/one", tags=["fast"], context_length=8192, description="ä" * 2000, priority=3)
    make_model("acme/two", restricted=True, granted_to=alice, successor="acme/one")
    make_model("acme/gone", is_available=False)
    return make_key(alice, last_used_at=timezone.now()).token


def forgotten() -> None:
    snapshots.snapshot.clear()
    compression._compressed.clear()
    asgi.load = asgi.Load(bounds_connections=True)


@pytest.mark.parametrize("slice_of", [1, 100, 1_000_000])
@pytest.mark.parametrize("path", PATHS)
def test_a_large_answer_is_the_one_that_it_would_be_joined(monkeypatch, request, token, path, slice_of):
    whole = ask(path, token)
    forgotten()
    sent = request.getfixturevalue("all_large")
    monkeypatch.setattr(asgi, "LARGE_SLICE", slice_of)
    first, second = ask(path, token), ask(path, token)
    assert (first.shown, second.shown) == (whole.shown, whole.shown)
    assert int(first.headers["Content-Length"]) == len(whole.body)
    # Google's is a page, and no list.
    assert {*sent} == (set() if path.startswith("/google") else {len(whole.body)})
    assert ask(path, token, If_None_Match=whole.headers["ETag"]).status == 304
    head = asyncio.run(asked(path, token, method="HEAD"))
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(whole.body)))


@pytest.mark.parametrize("path", ["/v1/models", "/api/models"])
def test_a_large_answer_is_compressed_from_its_pieces(request, alice, make_key, make_model, path):
    for number in range(9):
        make_model(f"acme/{number}", description="A description. " * 200)
    key = make_key(alice, last_used_at=timezone.now()).token
    whole = ask(path, key)
    forgotten()
    request.getfixturevalue("all_large")
    for _ in range(2):
        small = ask(path, key, Accept_Encoding="gzip")
        assert (small.headers["Content-Encoding"], gzip.decompress(small.body)) == ("gzip", whole.body)
        assert small.headers["Content-Length"] == str(len(small.body))
        assert len(small.body) < len(whole.body) / 4
    assert [small.headers[name] for name in ("ETag", "Vary")] == [whole.headers[name] for name in ("ETag", "Vary")]


def test_what_is_compressed_is_held_and_sent_as_any_large_answer(monkeypatch, alice, make_key, make_model, all_large):
    for number in range(9):
        make_model(f"acme/{number}", description=f"A description {number}. " * 200)
    key = make_key(alice, last_used_at=timezone.now()).token
    monkeypatch.setattr(asgi, "SLICE", 100)
    monkeypatch.setattr(asgi, "LARGE_SLICE", 100)
    parts: list[int] = []
    cut = asgi.slices

    def noting(body: Any) -> Any:
        for part in cut(body):
            assert asgi.load._held() == len(body)
            parts.append(len(part))
            yield part

    monkeypatch.setattr(asgi, "slices", noting)
    small = ask("/v1/models", key, Accept_Encoding="gzip")
    assert (sum(parts), max(parts)) == (len(small.body), 100)


def test_of_pieces_that_nobody_takes_the_lists_of_them_are_held(monkeypatch):
    shared = [b"x" * 1000] * 1000
    bodies = [Pieces(shared), Pieces(shared)]
    monkeypatch.setattr(asgi, "MAX_ANSWERS", own_size(bodies[0]) + 1)
    assert 8_000 <= own_size(bodies[0]) < 9_000

    async def both() -> list[bool]:
        limits = [asyncio.timeout(9), asyncio.timeout(9), asyncio.timeout(9)]
        async with limits[0], limits[1], limits[2]:
            # The same one twice is held once.
            with asgi.load.waiting_answer(limits[0], bodies[0]), asgi.load.waiting_answer(limits[1], bodies[0]):
                before = [limit in asgi.load.answers for limit in limits]
                with asgi.load.waiting_answer(limits[2], bodies[1]):
                    found = [limit in asgi.load.answers for limit in limits]
            for limit in limits:
                limit.reschedule(None)
        return [*before, *found]

    assert asyncio.run(both()) == [True, True, False, False, False, True]


def test_a_person_gets_pieces_too(api, alice, make_model, all_large):
    make_model("acme/one")
    answer = api.as_(alice).get("/api/models?format=cli")
    assert isinstance(answer, PiecesResponse)
    assert b'"acme/one"' in answer.getvalue()


def test_large_answers_to_many_viewers_share_their_rows(alice, bob, make_key, make_model, all_large):
    make_model("acme/one")
    found = []
    for owner in (alice, bob):
        ask("/v1/models", make_key(owner, last_used_at=timezone.now()).token)
        found.append(snapshots.snapshot.last_large[1])
    first, second = (next(piece for piece in body if b"acme/one" in piece) for body in found)
    assert (first is second, len(all_large)) == (True, 2)


@pytest.mark.parametrize(("rows", "joint"), [([], b"[]"), ([b"1"], b"[1]"), ([b"1", b"2"], b"[1,2]")])
def test_rows_have_commas_between_them(monkeypatch, rows, joint):
    assert listed(b"[", rows, b"]") == joint
    monkeypatch.setattr(pieces, "LARGE", 0)
    apart = listed(b"[", rows, b"]")
    assert isinstance(apart, Pieces)
    assert (bytes(apart), len(apart), b"".join(apart)) == (joint, len(joint), joint)


def test_only_what_is_large_stays_apart():
    assert isinstance(joined([b"x" * LARGE]), bytes)
    assert isinstance(joined([b"x" * LARGE, b"x"]), Pieces)
