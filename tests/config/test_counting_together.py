"""Requests that count, answered from what is stored: `Together` and KeyBasis.count, exact and for many at once."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone

from apikeys import authentication, limits, usage
from apikeys.models import ApiKey, RequestCount
from config import asgi, stored_answers
from config.databases import patience
from tests.exchanges import Answer, ask, asked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("made")]


def test_each_answer_to_a_limited_key_is_counted_and_says_what_is_left(made, alice, make_key, make_model):
    make_model("acme/one")
    token = make_key(alice, per_minute=4, last_used_at=timezone.now()).token
    answers = [ask("/v1/models", token) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["3", "2", "1", "0", "0"]
    assert len(made) == 2


def test_a_limit_is_exact_for_many_at_once(made, alice, make_key, make_model):
    make_model("acme/one")
    mother = make_key(alice, per_minute=7)
    token = make_key(alice, made_with=mother.key).token

    async def many() -> list[Answer]:
        await asked("/v1/models", token)
        return await asyncio.gather(*(asked("/v1/models", token) for _ in range(20)))

    assert sorted(answer.status for answer in asyncio.run(many())) == [200] * 6 + [429] * 14


@pytest.mark.parametrize("limit", [100, 30])
def test_many_at_once_are_counted_together_and_each_says_what_it_left(
    monkeypatch, made, alice, bob, make_key, make_model, limit
):
    make_model("acme/one")
    now = timezone.now()
    mother = make_key(alice, per_day=limit, last_used_at=now)
    hers = make_key(alice, made_with=mother.key, per_minute=1000, last_used_at=now).token
    his = make_key(bob, per_minute=200, last_used_at=now).token
    statements: list[str] = []
    execute = limits._execute
    monkeypatch.setattr(limits, "_execute", lambda sql, values: (statements.append(sql), execute(sql, values))[1])

    async def many() -> list[Answer]:
        return await asyncio.gather(*(asked("/v1/models", token) for token in (hers, his) * 40))

    assert [ask("/v1/models", token).status for token in (hers, his)] == [200, 200]
    statements.clear()
    answers = asyncio.run(many())
    room = min(limit - 1, 40)
    assert [answer.status for answer in answers[1::2]] == [200] * 40
    assert sorted(answer.status for answer in answers[::2]) == [200] * room + [429] * (40 - room)
    left = [[int(answer.headers["RateLimit-Remaining"]) for answer in half] for half in (answers[::2], answers[1::2])]
    assert sorted(left[0], reverse=True)[:room] == list(range(limit - 2, limit - 2 - room, -1))
    assert sorted(left[1], reverse=True) == list(range(198, 158, -1))
    assert [row.day_count for row in RequestCount.objects.filter(key=mother.key)] == [1 + room]
    # Without room for all of them, one by one.
    assert (len(statements) <= 12) == (limit == 100)


def test_what_is_refused_is_no_use_of_a_key(monkeypatch, alice, make_key, make_model):
    make_model("acme/one")
    now = timezone.now()
    issued = make_key(alice, per_minute=1, last_used_at=now)
    assert ask("/v1/models", issued.token).status == 200
    monkeypatch.setattr(timezone, "now", lambda: now + usage.EVERY + timedelta(seconds=1))
    assert ask("/v1/models", issued.token).status == 429
    assert ApiKey.objects.get(pk=issued.key.pk).last_used_at == now


@pytest.mark.parametrize("is_silent", [True, False])
def test_what_was_counted_before_the_database_fell_silent_is_answered(is_silent):
    def asks(bases: Any) -> list[Any]:
        if is_silent:
            patience.current().give_up(time.monotonic())  # type: ignore[union-attr]
        return [{"RateLimit-Limit": "9"}, False]

    async def both() -> list[Any]:
        counting = stored_answers.Together("a thread", lambda bases: (asks(bases) * 2)[: len(bases)], lambda: None)
        bases: list[Any] = [1, 2, 3]
        return await asyncio.gather(*map(counting.said_of, bases))

    counted = {"RateLimit-Limit": "9"}
    assert asyncio.run(both()) == [counted, counted, None if is_silent else False]


def test_a_lock_that_holds_up_a_count_is_waited_for_once(monkeypatch, alice, bob, make_key, make_model):
    make_model("acme/one")
    issued = [make_key(owner, per_minute=9) for owner in (alice, bob)]
    bases = []
    for key in issued:
        ask("/v1/models", key.token)
        bases.append(next(found.basis for found in asgi.load.stored._answers.values() if found.basis not in bases))
    counted: list[int] = []

    def fails(sql: str, values: list[int]) -> Any:
        counted.append(values[0])
        raise DatabaseError

    monkeypatch.setattr(limits, "_execute", fails)
    assert authentication.KeyBasis.count(bases) == [False, False]
    assert len(counted) == 1


def test_nobody_waits_for_a_count_of_somebody_else(monkeypatch, made, alice, bob, make_key, make_model):
    make_model("acme/one")
    now = timezone.now()
    limited = make_key(alice, per_minute=9, last_used_at=now).token
    token = make_key(bob, last_used_at=now).token
    go_on, execute = threading.Event(), limits._execute

    def waits(*arguments: Any) -> Any:
        assert go_on.wait(10)
        return execute(*arguments)

    async def both() -> tuple[Answer, Answer]:
        counted = asyncio.create_task(asked("/v1/models", limited))
        await asyncio.sleep(0.1)
        other = await asyncio.wait_for(asked("/v1/models", token), 5)
        assert not counted.done()
        go_on.set()
        return other, await counted

    assert [ask("/v1/models", sent).status for sent in (limited, token)] == [200, 200]
    monkeypatch.setattr(limits, "_execute", waits)
    assert [answer.status for answer in asyncio.run(both())] == [200, 200]
    assert len(made) == 2


def test_a_key_whose_count_was_held_up_holds_nobody_up_again(monkeypatch, made, alice, bob, make_key, make_model):
    make_model("acme/one")
    now = timezone.now()
    held, free = (make_key(owner, per_minute=9, last_used_at=now) for owner in (alice, bob))
    go_on, execute = threading.Event(), limits._execute
    is_locked = True

    def waits(sql: str, values: list[Any]) -> Any:
        if values[0] == held.key.pk and is_locked:
            go_on.wait(10)
            raise DatabaseError
        return execute(sql, values)

    async def both() -> tuple[Answer, Answer]:
        waiting = asyncio.create_task(asked("/v1/models", held.token))
        await asyncio.sleep(0.1)
        other = await asyncio.wait_for(asked("/v1/models", free.token), 5)
        assert not waiting.done()
        go_on.set()
        return other, await waiting

    assert [ask("/v1/models", key.token).status for key in (held, free)] == [200, 200]
    monkeypatch.setattr(limits, "_execute", waits)
    go_on.set()
    assert ask("/v1/models", held.token).status == 503
    go_on.clear()
    assert [answer.status for answer in asyncio.run(both())] == [200, 503]
    is_locked = False
    assert [ask("/v1/models", held.token).headers["RateLimit-Remaining"] for _ in range(2)] == ["7", "6"]
    # Each refusal was Django's.
    assert len(made) == 4


def test_a_limit_that_cannot_be_counted_lets_nothing_through(monkeypatch, alice, make_key, make_model):
    make_model("acme/one")
    token = make_key(alice, per_minute=9).token

    def fails(*_: Any) -> Any:
        raise DatabaseError

    assert ask("/v1/models", token).status == 200
    monkeypatch.setattr(limits, "_execute", fails)
    assert ask("/v1/models", token).status == 503
