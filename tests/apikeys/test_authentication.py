"""Who a key is, and that a credential that is present but unusable is nobody."""

import threading
import time
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIRequestFactory

from apikeys import keys, tokens, usage
from apikeys.authentication import ApiKeyAuthentication
from apikeys.models import ApiKey
from catalog.models import AuditEntry

pytestmark = pytest.mark.django_db

CURRENT = "/api/keys/current"


def status(api, header):
    return api.get(CURRENT, headers={"Authorization": header}).status_code


@pytest.fixture
def read_only():
    """A database that refuses writes, for as long as the test runs."""
    statement = {"sqlite": "PRAGMA query_only = {}", "postgresql": "SET default_transaction_read_only = {}"}
    with connection.cursor() as cursor:

        def switch(to):
            cursor.execute(statement[connection.vendor].format(to))

        yield switch
        switch("off")


def ago(**by):
    return timezone.now() - timedelta(**by)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
@pytest.mark.parametrize("after", ["", " ", "\t", "  \t "])
def test_the_scheme_is_case_insensitive_and_trailing_blanks_do_not_count(api, alice, make_key, scheme, after):
    answer = api.get(CURRENT, headers={"Authorization": f"{scheme} {make_key(alice).token}{after}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "", " ", "Bearer", "Bearer ", "Bearer  a b", "Basic YTpi", "Token x", "Bearer ' OR 1=1--", "bearer\tx", "{key}",
        "Basic {key}", "Bearer {key} {key}", "Bearer {key},Bearer {key}", 'Bearer "{key}"', "Bearer={key}",
        "Bearer \xff\xfe", "Bearer ключ", "Bearer " + "a" * 7000, "Bearer " + "a" * 100_000, "Bearer a\x00b",
    ],
)  # fmt: skip
def test_an_unusable_credential_is_401_and_costs_no_statement(api, alice, make_key, header):
    header = header.replace("{key}", make_key(alice).token)
    with CaptureQueriesContext(connection) as statements:
        answer = api.get(CURRENT, headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["code"] == "invalid_api_key"
    assert answer["WWW-Authenticate"] == "Bearer"
    assert not statements.captured_queries


def test_a_wrong_checksum_costs_no_statement(api, alice, make_key, django_assert_num_queries):
    text = make_key(alice).token
    with django_assert_num_queries(0):
        assert status(api, f"Bearer {text[:-1]}{'a' if text[-1] != 'a' else 'b'}") == 401


def test_a_wrong_secret_and_an_unknown_id_are_told_alike(api, alice, make_key, django_assert_num_queries):
    known, unknown = tokens.make(make_key(alice).key.key_id), tokens.make()
    answers = []
    for token in (known, unknown):
        with django_assert_num_queries(1):
            answers.append(api.with_key(token.text).get(CURRENT))
    first, second = (answer.json() | {"request_id": ""} for answer in answers)
    assert first == second
    assert {answer.status_code for answer in answers} == {401}


@pytest.mark.parametrize("place", ["x-api-key", "api-key", "query", "cookie"])
def test_only_the_authorization_header_carries_a_key(api, alice, make_key, place):
    text = make_key(alice).token
    if place == "cookie":
        api.cookies["api_key"] = text
    query = f"?api_key={text}" if place == "query" else ""
    answer = api.get(CURRENT + query, headers={place: text} if "-" in place else {})
    assert answer.status_code == 401
    assert text not in answer.content.decode()


def test_the_key_wins_over_the_session_and_a_bad_one_is_not_the_sessions(api, alice, bob, make_key):
    session = api.as_(alice)
    answer = session.get("/api/keys", headers={"Authorization": f"Bearer {make_key(bob).token}"})
    assert answer.json()["total"] == 1
    assert session.get("/api/keys", headers={"Authorization": "Bearer x"}).status_code == 401


@pytest.mark.parametrize(
    "fields", [{"is_active": False}, {"revoked_at": timezone.now()}, {"previous_hash": "", "secret_hash": "x"}]
)
def test_a_key_that_is_off_revoked_or_overwritten_is_401(api, alice, make_key, fields):
    issued = make_key(alice)
    assert api.with_key(issued.token).get(CURRENT).status_code == 200
    ApiKey.objects.filter(pk=issued.key.pk).update(**fields)
    answer = api.with_key(issued.token).get(CURRENT)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_api_key")


def test_expiry_is_told_only_to_who_holds_the_secret(api, alice, make_key):
    issued = make_key(alice, expires_at=ago(seconds=1))
    answer = api.with_key(issued.token).get(CURRENT)
    assert (answer.status_code, answer.json()["code"]) == (401, "key_expired")
    wrong = api.with_key(tokens.make(issued.key.key_id).text).get(CURRENT)
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_api_key")


def test_a_deactivated_owner_holds_at_once_and_a_deleted_one_leaves_the_audit_log(api, alice, make_key):
    caller = api.with_key(make_key(alice).token)
    for is_active, expected in ((False, 401), (True, 200)):
        alice.is_active = is_active
        alice.save()
        assert caller.get(CURRENT).status_code == expected
    alice.delete()
    assert caller.get(CURRENT).status_code == 401
    assert AuditEntry.objects.filter(subject_type="apikey", action="create", actor="alice").exists()


def test_a_key_hashed_with_an_older_pepper_holds_until_that_is_gone(api, alice, make_key, settings):
    settings.API_KEY_PEPPERS = {"old": "a" * 32}
    caller = api.with_key(make_key(alice).token)
    settings.API_KEY_PEPPERS = {"new": "b" * 32, "old": "a" * 32}
    assert caller.get(CURRENT).status_code == 200
    settings.API_KEY_PEPPERS = {"new": "b" * 32}
    assert caller.get(CURRENT).status_code == 401


def test_one_statement_reads_the_key_its_owner_and_their_standing(
    alice, make_key, hold_flag, make_user, django_assert_num_queries
):
    carol = make_user("carol", groups=["research"])
    flag = hold_flag("beta", carol)
    hold_flag("others", alice)
    hold_flag("groups").groups.add(carol.groups.get())
    everyone = hold_flag("everyone")
    everyone.everyone = True
    everyone.save()
    issued = make_key(carol, allow=["acme/*"], last_used_at=timezone.now())
    request = APIRequestFactory().get("/", headers={"Authorization": f"Bearer {issued.token}"})
    request._request = request
    with django_assert_num_queries(1):
        user, credential = ApiKeyAuthentication().authenticate(request)
        viewer = credential.caller.viewer
    assert user == carol
    assert viewer.groups == {carol.groups.get().pk}
    assert viewer.flags >= {flag.name, "groups", "everyone"}
    assert "others" not in viewer.flags
    assert viewer.policy.allows("acme/x")
    assert not viewer.policy.allows("other/x")


@pytest.mark.parametrize("chain", ["maker", "made"])
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"is_active": False}, "invalid_api_key"),
        ({"revoked_at": timezone.now()}, "invalid_api_key"),
        ({"expires_at": timezone.now() - timedelta(1)}, "key_expired"),
    ],
)
def test_a_key_lives_no_longer_than_the_one_it_was_made_with(api, alice, make_key, chain, fields, code):
    maker = make_key(alice)
    made = make_key(alice, made_with=maker.key)
    assert api.with_key(made.token).get(CURRENT).status_code == 200
    ApiKey.objects.filter(pk=(maker if chain == "maker" else made).key.pk).update(**fields)
    answer = api.with_key(made.token).get(CURRENT)
    assert (answer.status_code, answer.json()["code"]) == (401, code)


def test_a_made_key_stays_within_its_makers_models_and_scopes(api, alice, make_key):
    maker = make_key(alice, allow=["acme/*"], scopes=["models:read", "keys:write"])
    made = make_key(alice, made_with=maker.key, scopes=["models:read", "preferences:write", "keys:write"])
    shown = api.with_key(made.token).get(CURRENT).json()
    assert shown["scopes"] == ["models:read"]
    assert shown["restricted"] is True
    assert shown["within"]["id"] == maker.key.key_id


def test_use_is_noted_once_a_minute(api, alice, make_key):
    issued = make_key(alice)
    caller = api.with_key(issued.token)
    with CaptureQueriesContext(connection) as statements:
        caller.get(CURRENT)
        caller.get(CURRENT)
    assert sum("UPDATE" in query["sql"] for query in statements.captured_queries) == 1
    ApiKey.objects.filter(pk=issued.key.pk).update(last_used_at=ago(seconds=61))
    caller.get(CURRENT)
    issued.key.refresh_from_db()
    assert timezone.now() - issued.key.last_used_at < timedelta(seconds=30)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_refuses_writes_costs_no_request(api, alice, make_key, read_only):
    caller = api.with_key(make_key(alice).token)
    read_only("on")
    answer = caller.get(CURRENT)
    assert answer.status_code == 200
    assert answer.json()["last_used_at"] is None


@pytest.mark.django_db(transaction=True)
def test_a_limit_that_cannot_be_counted_lets_nothing_through(api, alice, make_key, read_only):
    caller = api.with_key(make_key(alice, per_minute=5).token)
    read_only("on")
    assert caller.get(CURRENT).status_code == 503


@pytest.mark.django_db(transaction=True)
def test_a_key_that_somebody_holds_locked_is_not_waited_for(api, alice, make_key):
    """On SQLite the whole database is locked, on PostgreSQL the row."""
    issued = make_key(alice)
    locked, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            ApiKey.objects.filter(pk=issued.key.pk).update(name="held")
            locked.set()
            done.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(10)
    started = time.monotonic()
    answer = api.with_key(issued.token).get(CURRENT)
    took = time.monotonic() - started
    done.set()
    holder.join()
    assert answer.status_code == 200
    assert took < 1
    assert ApiKey.objects.get(pk=issued.key.pk).last_used_at is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no locks of tables")
def test_a_table_of_keys_that_is_locked_is_waited_for_once_and_briefly(database_url, api, alice, make_key, caplog):
    tokens = [make_key(alice).token for _ in range(20)]
    with psycopg.connect(database_url) as other, caplog.at_level("INFO", "apikeys.usage"):
        # As a new index would be made.
        other.execute("LOCK TABLE apikeys_apikey IN SHARE MODE")
        began = time.monotonic()
        assert {api.with_key(token).get(CURRENT).status_code for token in tokens} == {200}
        assert (time.monotonic() - began < 1.5, len(caplog.records)) == (True, 1)
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


def test_what_a_rotation_left_behind_ends_on_time(api, alice, make_key):
    issued = make_key(alice)
    new = keys.rotate(issued.key, 60, keys.Actor(keys.Author.person(alice)))
    for token in (issued.token, new.token):
        assert api.with_key(token).get(CURRENT).status_code == 200
    ApiKey.objects.filter(pk=issued.key.pk).update(previous_until=ago(seconds=1))
    assert api.with_key(issued.token).get(CURRENT).status_code == 401
    assert api.with_key(new.token).get(CURRENT).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_use_is_noted_where_no_transaction_is_open(api, alice, make_key):
    issued = make_key(alice)
    assert api.with_key(issued.token).get(CURRENT).status_code == 200
    issued.key.refresh_from_db()
    assert issued.key.last_used_at is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limits", [{}, {"per_minute": 5}])
def test_what_a_request_writes_is_one_statement_each_without_a_transaction_around_it(api, alice, make_key, limits):
    caller = api.with_key(make_key(alice, **limits).token)
    with CaptureQueriesContext(connection) as statements:
        assert caller.get(CURRENT).status_code == 200
    sent = [query["sql"].removeprefix(usage._BRIEFLY) for query in statements.captured_queries]
    written = [sql.split()[0] for sql in sent if sql[:6] != "SELECT"]
    assert written == ["INSERT"] * len(limits) + ["UPDATE"]
