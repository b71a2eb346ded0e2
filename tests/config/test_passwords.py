"""config/passwords.py, and the limits of config/accounts.py: a flood of passwords slows nothing and fills nothing."""

import threading
from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.utils import timezone

from config import accounts, passwords

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login"
NEW = {"old_password": "ops's long password", "new_password1": "a quite new one", "new_password2": "a quite new one"}
SET = {"password1": "a quite new one", "password2": "a quite new one", "usable_password": "true"}
# Every route that hashes a password: where, what is sent, and who is signed in.
HASHING = [
    (LOGIN, {"username": "alice", "password": "x"}, None),
    (LOGIN, {"username": "nobody", "password": "x"}, None),
    ("/admin/login/", {"username": "alice", "password": "x"}, None),
    ("/admin/password_change/", NEW, "ops"),
    ("/accounts/password", NEW, "ops"),
    ("/admin/auth/user/{alice}/password/", SET, "ops"),
    ("/admin/auth/user/add/", SET | {"username": "new"}, "ops"),
]


@pytest.fixture
def hashed(settings, monkeypatch):
    """The real hasher, with one turn; a list of what it has hashed."""
    settings.PASSWORD_HASHERS = ["config.passwords.BoundedHasher"]
    seen = []
    encode = passwords.BoundedHasher.encode

    def counted(self, password, *args, **kwargs):
        seen.append(password)
        return encode(self, password, *args, **kwargs)

    monkeypatch.setattr(passwords.BoundedHasher, "encode", counted)
    return seen


@pytest.fixture
def people(hashed, ops, alice):
    """Anyone's browser: `people("ops")` is where ops is signed in."""
    hashed.clear()

    def browser(name=None):
        client = Client(raise_request_exception=False)
        if name:
            user = get_user_model().objects.get(username=name)
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return browser


@pytest.fixture
def busy():
    """As many hashes at work as there may be."""
    for _ in range(passwords.MOST_AT_ONCE):
        assert passwords.slots.acquire(blocking=False)
    yield
    for _ in range(passwords.MOST_AT_ONCE):
        passwords.slots.release()


@pytest.mark.parametrize(("path", "sent", "who"), HASHING, ids=lambda value: value if isinstance(value, str) else "")
def test_whoever_comes_while_all_hashes_are_taken_is_refused_at_once(people, hashed, alice, busy, path, sent, who):
    before = (get_user_model().objects.order_by("pk").values_list("pk", "password"), AccessAttempt.objects.count())
    rows = (list(before[0]), before[1])
    answer = people(who).post(path.format(alice=alice.pk), sent)
    assert answer.status_code == 503
    assert answer["Retry-After"] == "1"
    assert "Too many passwords" in answer.content.decode()
    after = get_user_model().objects.order_by("pk").values_list("pk", "password")
    assert (list(after), AccessAttempt.objects.count()) == rows


@pytest.mark.parametrize("path", [LOGIN, "/admin/login/"])
def test_a_stranger_who_is_refused_so_costs_no_statement(people, busy, path, django_assert_num_queries):
    client = people("ops")
    with django_assert_num_queries(0):
        assert client.post(path, {"username": "alice", "password": "x"}).status_code == 503
    assert client.get(path).status_code in (200, 302)


@pytest.mark.parametrize(("path", "sent", "who"), HASHING, ids=lambda value: value if isinstance(value, str) else "")
def test_every_route_hashes_through_the_bound(people, hashed, alice, path, sent, who):
    assert people(who).post(path.format(alice=alice.pk), sent).status_code in (200, 302)
    assert hashed


def test_no_more_than_a_few_hashes_run_at_once_and_all_slots_come_back(hashed, monkeypatch):
    running, most, barrier = [], [], threading.Barrier(8)

    def slow(*args, **kwargs):
        running.append(1)
        most.append(len(running))
        threading.Event().wait(0.2)
        running.pop()
        return b"hash"

    monkeypatch.setattr("django.contrib.auth.hashers.pbkdf2", slow)
    refused = []

    def one():
        barrier.wait()
        try:
            make_password("x")
        except passwords.Busy:
            refused.append(1)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == passwords.MOST_AT_ONCE
    assert len(refused) == 8 - passwords.MOST_AT_ONCE
    assert make_password("x")


@pytest.mark.parametrize("name", ["alice", "gone", "nobody"])
def test_a_wrong_password_costs_the_same_for_whoever_there_is_or_is_not(people, hashed, make_user, name):
    make_user("gone", is_active=False)
    hashed.clear()
    people().post(LOGIN, {"username": name, "password": "a wrong one"})
    assert hashed == ["a wrong one"]


@pytest.mark.parametrize("path", [LOGIN, "/admin/login/"])
@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_an_overlong_password_is_wrong_without_a_hash(people, hashed, path, name):
    answer = people().post(path, {"username": name, "password": "x" * 1_000_000})
    assert answer.status_code == 200
    assert "Please enter a correct" in answer.content.decode() or "Please enter the correct" in answer.content.decode()
    assert not hashed
    assert AccessAttempt.objects.get().failures_since_start == 1


def test_nobody_gets_a_password_that_could_not_be_used(people, hashed, alice):
    long = "x1" * 2_500
    staff = people("ops")
    refused = [
        staff.post(f"/admin/auth/user/{alice.pk}/password/", SET | {"password1": long, "password2": long}),
        staff.post("/admin/password_change/", NEW | {"new_password1": long, "new_password2": long}),
        staff.post("/admin/password_change/", NEW | {"old_password": long}),
    ]
    assert [answer.status_code for answer in refused] == [200, 200, 200]
    assert "at most 4096 characters" in refused[0].content.decode()
    assert hashed == ["ops's long password"]


def wrong(client, name, **headers):
    return client.post(LOGIN, {"username": name, "password": "x"}, **headers)


def failed(name, address, failures, **ago):
    row = AccessAttempt.objects.create(
        username=name, ip_address=address, user_agent=name, failures_since_start=failures
    )
    AccessAttempt.objects.filter(pk=row.pk).update(attempt_time=timezone.now() - timedelta(**ago))


@pytest.mark.parametrize("path", ["/accounts/password", "/admin/password_change/"])
def test_a_wrong_old_password_counts_and_locks_as_in_signing_in(people, hashed, path):
    client = people("ops")
    sent = NEW | {"old_password": "a guess at it"}
    assert [client.post(path, sent).status_code for _ in range(10)] == [200] * 9 + [429]
    hashed.clear()
    refused = [client.post(path, NEW), people().post(LOGIN, {"username": "ops", "password": NEW["old_password"]})]
    assert [(answer.status_code, answer["Retry-After"] > "0") for answer in refused] == [(429, True)] * 2
    assert not hashed
    rows = str(list(AccessAttempt.objects.values()))
    assert ("'failures_since_start': 10" in rows, "a guess" in rows, "quite new" in rows) == (True, False, False)
    assert client.get(path).status_code == 200


def test_a_hundred_wrong_passwords_lock_their_address_whatever_the_names(people, hashed):
    for n in range(98):
        failed(f"name{n}", "127.0.0.1", 1, minutes=0)
    client = people()
    assert [wrong(client, f"another{n}").status_code for n in range(3)] == [200, 429, 429]
    hashed.clear()
    answer = client.post("/admin/login/", {"username": "alice", "password": "alice's long password"})
    assert answer.status_code == 429
    assert 600 < int(answer["Retry-After"]) <= 900
    assert not hashed
    assert AccessAttempt.objects.count() == 100
    # Nobody else is locked out, under whichever of the names.
    for name in ("alice", "name1"):
        assert wrong(people(), name, REMOTE_ADDR="192.0.2.7").status_code == 200


def test_the_address_opens_again_when_enough_of_its_tries_no_longer_count(people):
    failed("a", "127.0.0.1", 9, minutes=10)
    failed("b", "127.0.0.1", 91, minutes=1)
    answer = wrong(people(), "c")
    assert answer.status_code == 429
    assert 290 < int(answer["Retry-After"]) <= 300
    failed("d", "192.0.2.9", 9, minutes=16)
    failed("e", "192.0.2.9", 91, minutes=1)
    assert wrong(people(), "c", REMOTE_ADDR="192.0.2.9").status_code == 200


def test_signing_in_does_not_make_an_address_forget_its_other_tries(people):
    failed("somebody", "127.0.0.1", 50, minutes=1)
    failed("alice", "127.0.0.1", 5, minutes=1)
    assert people().post(LOGIN, {"username": "alice", "password": "alice's long password"}).status_code == 302
    assert AccessAttempt.objects.get().username == "somebody"


def test_one_line_of_ipv6_is_one_address(people):
    failed("a", "2001:db8:1:2::", 100, minutes=1)
    assert wrong(people(), "b", REMOTE_ADDR="2001:db8:1:2:aaaa::1").status_code == 429
    assert wrong(people(), "b", REMOTE_ADDR="2001:db8:1:3::1").status_code == 200


def test_behind_a_socket_without_addresses_no_one_shares_a_lock(people):
    failed("a", None, 100, minutes=1)
    assert wrong(people(), "b", REMOTE_ADDR="").status_code == 200


def test_a_refused_try_writes_nothing(people):
    failed("old", "192.0.2.1", 1, minutes=20)
    failed("a", "127.0.0.1", 100, minutes=1)
    before = list(AccessAttempt.objects.order_by("pk").values())
    assert wrong(people(), "b").status_code == 429
    assert list(AccessAttempt.objects.order_by("pk").values()) == before


def test_tries_that_no_longer_count_are_deleted_a_few_at_a_time(people, monkeypatch):
    monkeypatch.setattr(accounts, "PRUNED", 3)
    for n in range(5):
        failed(f"old{n}", "192.0.2.1", 1, minutes=20)
    for _ in range(2):
        wrong(people(), "alice")
    assert list(AccessAttempt.objects.values_list("username", flat=True)) == ["alice"]


def test_who_signed_in_when_is_kept_for_ninety_days(people):
    for days in (89, 91):
        row = AccessLog.objects.create(username=f"{days}", ip_address="192.0.2.1")
        AccessLog.objects.filter(pk=row.pk).update(attempt_time=timezone.now() - timedelta(days=days))
    people().post(LOGIN, {"username": "alice", "password": "alice's long password"})
    assert set(AccessLog.objects.values_list("username", flat=True)) == {"89", "alice"}


def test_the_log_names_who_was_tried_and_never_the_password(people, caplog):
    caplog.set_level("INFO")
    people().post(LOGIN, {"username": "alice", "password": "hunter2 and more"})
    assert "alice" in caplog.text
    assert "hunter2" not in caplog.text
    assert "hunter2" not in str(list(AccessAttempt.objects.values()))
