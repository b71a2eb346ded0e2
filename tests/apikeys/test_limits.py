"""Request limits: exact, together with those of the key it was made with, and told on every answer."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from django.db.models import F

from apikeys import limits, tokens
from apikeys.models import RequestCount

pytestmark = pytest.mark.django_db

CURRENT = "/api/keys/current"

# One of several processes: waits for the others, then asks as fast as it can.
CALLER = """
import sys
from collections import Counter
import django
django.setup()
from rest_framework.test import APIClient
client = APIClient(headers={"authorization": "Bearer " + sys.stdin.readline().strip()})
print("ready", flush=True)
sys.stdin.readline()
answers = [client.get("/api/keys/current", headers={"x-forwarded-for": f"10.0.0.{n}"}) for n in range(50)]
assert all(0 < int(answer["Retry-After"]) <= 60 for answer in answers if answer.status_code == 429)
print(Counter(answer.status_code for answer in answers)[200], Counter(answer.status_code for answer in answers)[429])
"""


def rewind(key, seconds):
    """As if the windows had begun so much earlier."""
    RequestCount.objects.filter(key=key).update(
        minute_started=F("minute_started") - seconds * 1000, day_started=F("day_started") - seconds * 1000
    )


def statuses(caller, times):
    return dict(Counter(caller.get(CURRENT).status_code for _ in range(times)))


@pytest.mark.django_db(transaction=True)
def test_of_200_calls_to_4_processes_exactly_20_pass(alice, make_key, database_url, project_dir):
    issued = make_key(alice, per_minute=20)
    environment = os.environ | {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "config.settings"}
    environment |= {"ALLOWED_HOSTS": "testserver", "LOG_LEVEL": "CRITICAL"}
    callers = [
        subprocess.Popen(
            [sys.executable, "-c", CALLER],
            cwd=project_dir,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for caller in callers:
        caller.stdin.write(issued.token + "\n")
        caller.stdin.flush()
    for caller in callers:
        assert caller.stdout.readline() == "ready\n"
    counts = [caller.communicate("\n", timeout=60)[0].split() for caller in callers]
    assert [sum(int(count[n]) for count in counts) for n in (0, 1)] == [20, 180]


def test_every_answer_says_what_is_left(api, alice, make_key):
    caller = api.with_key(make_key(alice, per_minute=2, per_day=9).token)
    told = []
    for path in (CURRENT, "/api/keys/none", CURRENT):
        answer = caller.get(path)
        told.append((answer.status_code, answer["RateLimit-Limit"], answer["RateLimit-Remaining"]))
        assert 58 <= int(answer["RateLimit-Reset"]) <= 60
    assert told == [(200, "2", "1"), (404, "2", "0"), (429, "2", "0")]
    assert 58 <= int(answer["Retry-After"]) <= 60
    assert answer.json()["code"] == "rate_limit_exceeded"
    assert "2 requests a minute" in answer.json()["message"]


def test_a_window_begins_with_the_first_request_and_refusals_do_not_prolong_it(api, alice, make_key):
    issued = make_key(alice, per_minute=2)
    caller = api.with_key(issued.token)
    assert statuses(caller, 4) == {200: 2, 429: 2}
    rewind(issued.key, 55)
    answer = caller.get(CURRENT)
    assert answer.status_code == 429
    assert 3 <= int(answer["Retry-After"]) <= 5
    rewind(issued.key, 6)
    assert statuses(caller, 4) == {200: 2, 429: 2}


def test_the_day_holds_over_the_minutes_and_a_refused_minute_uses_up_no_day(api, alice, make_key):
    issued = make_key(alice, per_minute=2, per_day=3)
    caller = api.with_key(issued.token)
    assert statuses(caller, 9) == {200: 2, 429: 7}
    rewind(issued.key, 61)
    assert statuses(caller, 2) == {200: 1, 429: 1}
    answer = caller.get(CURRENT)
    assert answer["RateLimit-Limit"] == "3"
    assert int(answer["Retry-After"]) > 86_000


def test_wrong_secrets_use_up_nothing_and_other_keys_are_their_own(api, alice, make_key):
    first, second = make_key(alice, per_minute=1), make_key(alice, per_minute=1)
    for _ in range(5):
        assert api.with_key(tokens.make(first.key.key_id).text).get(CURRENT).status_code == 401
    assert statuses(api.with_key(first.token), 2) == {200: 1, 429: 1}
    assert statuses(api.with_key(second.token), 2) == {200: 1, 429: 1}


def test_a_made_key_counts_in_the_windows_of_its_maker_and_a_refusal_in_neither(api, alice, make_key):
    maker = make_key(alice, per_minute=5)
    made = make_key(alice, made_with=maker.key, per_minute=3)
    assert statuses(api.with_key(made.token), 6) == {200: 3, 429: 3}
    assert statuses(api.with_key(maker.token), 4) == {200: 2, 429: 2}
    assert RequestCount.objects.get(key=maker.key).minute_count == 5
    rewind(made.key, 61)
    assert statuses(api.with_key(made.token), 2) == {429: 2}
    assert RequestCount.objects.get(key=made.key).minute_count == 3


def test_what_the_key_in_use_has_left_is_told(api, alice, make_key):
    maker = make_key(alice, per_day=10)
    made = make_key(alice, made_with=maker.key, per_minute=3)
    told = api.with_key(made.token).get(CURRENT).json()["limits"]
    assert [(one["period"], one["limit"], one["remaining"]) for one in told] == [("day", 10, 9), ("minute", 3, 2)]


def test_a_key_without_limits_says_and_counts_nothing(api, alice, make_key):
    answer = api.with_key(make_key(alice).token).get(CURRENT)
    assert "RateLimit-Limit" not in answer
    assert answer.json()["limits"] == []
    assert not RequestCount.objects.exists()


def test_a_clock_that_was_set_back_does_not_keep_a_window_for_ever(api, alice, make_key):
    issued = make_key(alice, per_minute=1)
    caller = api.with_key(issued.token)
    assert statuses(caller, 2) == {200: 1, 429: 1}
    rewind(issued.key, -3600)
    assert statuses(caller, 2) == {200: 1, 429: 1}


@pytest.mark.parametrize(("before", "times", "found"), [
    (0, 3, [2, 1, 0]), (0, 4, None), (1, 2, [1, 0]), (1, 3, None), (3, 1, None),
])  # fmt: skip
def test_requests_that_count_together_do_so_all_or_none(alice, make_key, before, times, found):
    key = make_key(alice, per_minute=3, per_day=9).key
    for _ in range(before):
        limits.count([key])
    told = limits.count_each([key], times)
    assert (told and [[window.remaining for window in windows] for windows in told]) == (
        found and [[minute, minute + 6] for minute in found]
    )
    counts = RequestCount.objects.filter(key=key).values_list("minute_count", "day_count")
    assert list(counts) == ([(before + (times if found else 0),) * 2] if found or before else [])


def test_a_window_that_starts_again_takes_no_more_than_its_limit(alice, make_key):
    key = make_key(alice, per_minute=3).key
    limits.count_each([key], 3)
    rewind(key, 61)
    assert limits.count_each([key], 4) is None
    assert [[window.remaining for window in windows] for windows in limits.count_each([key], 3)] == [[2], [1], [0]]


def test_both_limits_cost_one_statement(api, alice, make_key, django_assert_num_queries):
    issued = make_key(alice, per_minute=9, per_day=9)
    caller = api.with_key(issued.token)
    caller.get(CURRENT)
    with django_assert_num_queries(2):
        assert caller.get(CURRENT).status_code == 200
