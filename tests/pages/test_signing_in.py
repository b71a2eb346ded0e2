"""Signing in and out, and what somebody hears who guesses passwords."""

from datetime import timedelta

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login"
RIGHT = {"username": "alice", "password": "alice's long password"}
WRONG = RIGHT | {"password": "a wrong password"}


@pytest.fixture
def person():
    """Sends forms, as a browser does."""
    return Client(raise_request_exception=False)


def test_the_right_password_signs_in_under_a_new_session_id(person, alice):
    person.get(LOGIN)
    person.session["seen"] = True
    before = person.session
    before.save()
    assert person.post(LOGIN, RIGHT).status_code == 302
    assert person.session.session_key != before.session_key
    assert b"alice" in person.get("/").content


@pytest.mark.parametrize(
    "elsewhere",
    ["//evil.example/", "https:evil.example", "/\\evil.example", "javascript:alert(1)", "https://evil.example"],
)
@pytest.mark.parametrize("path", [LOGIN, "/admin/login/"])
def test_one_stays_on_this_site_after_signing_in(person, ops, path, elsewhere):
    answer = person.post(path, {"username": "ops", "password": "ops's long password", "next": elsewhere})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/")
    assert not answer["Location"].startswith(("//", "/\\"))


def test_one_is_taken_where_one_was_going(person, alice):
    assert b'value="/api/docs"' in person.get(f"{LOGIN}?next=/api/docs").content
    assert person.post(LOGIN, RIGHT | {"next": "/api/docs"})["Location"] == "/api/docs"


def test_signing_out_ends_the_session_for_whoever_kept_the_cookie(person, ops):
    person.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    kept = person.cookies["sessionid"].value
    assert person.get("/accounts/logout").status_code == 405
    person.post("/accounts/logout")
    person.cookies["sessionid"] = kept
    assert person.get("/admin/").status_code == 302


def test_a_new_password_ends_the_other_sessions(person, ops):
    person.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    assert person.get("/admin/").status_code == 200
    ops.set_password("another long password")
    ops.save()
    assert person.get("/admin/").status_code == 302


@pytest.mark.parametrize("path", [LOGIN, "/admin/login/"])
def test_ten_wrong_passwords_lock_a_name_from_one_address_for_a_while(person, alice, path):
    for _ in range(9):
        assert person.post(path, WRONG).status_code == 200
    answers = [person.post(path, WRONG), person.post(path, RIGHT)]
    for answer in answers:
        assert answer.status_code == 429
        assert 880 < int(answer["Retry-After"]) <= 900
        assert "Too many wrong passwords" in answer.content.decode()
    assert person.post(path, RIGHT, REMOTE_ADDR="192.0.2.7").status_code in (200, 302)


def test_the_lock_ends(person, alice, settings):
    for _ in range(10):
        person.post(LOGIN, WRONG)
    settings.AXES_COOLOFF_TIME = timedelta(microseconds=1)
    assert person.post(LOGIN, RIGHT).status_code == 302


@pytest.mark.parametrize("name", ["a\0b", "x" * 10_000, "'; drop table auth_user;--", "😀", ""])
@pytest.mark.parametrize("path", [LOGIN, "/admin/login/"])
def test_an_odd_name_is_no_more_than_a_wrong_one(person, path, name):
    sent = person.post(path, {"username": name, "password": "x"}, HTTP_USER_AGENT="x" * 3_000)
    assert sent.status_code == 200


def test_a_huge_password_is_refused(person, alice):
    assert person.post(LOGIN, RIGHT | {"password": "x" * 3_000_000}).status_code == 413
    assert person.post(LOGIN, RIGHT | {"password": "x" * 1_000_000}).status_code == 200


def test_a_form_without_its_token_is_refused_in_words(alice):
    answer = Client(enforce_csrf_checks=True).post(LOGIN, RIGHT)
    assert answer.status_code == 403
    assert b"Allow cookies" in answer.content


def test_staff_and_people_sign_in_on_one_page(person, alice, ops):
    pages = [person.get(path).content.decode() for path in (LOGIN, "/admin/login/?next=/admin/")]
    assert all('<div class="panel">' in page and 'name="password"' in page for page in pages)
    assert person.post("/admin/login/", RIGHT | {"next": "/admin/"})["Location"] == "/admin/"
    refused = person.get("/admin/", follow=True).content.decode()
    assert "You are signed in as alice, who may not open this page." in refused
    sent = {"username": "ops", "password": "ops's long password"}
    assert person.post("/admin/login/", sent)["Location"] == "/admin/"
    assert person.get("/admin/login/?next=/admin/catalog/aimodel/")["Location"] == "/admin/catalog/aimodel/"
