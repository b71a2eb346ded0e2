"""config/single_sign_on.py: the whole way by a provider on loopback and back, and every way to be refused."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from catalog.models import AuditEntry
from config import single_sign_on
from tests.browser import NARROW
from tests.openid_provider import CLIENT_ID, CLIENT_SECRET
from tests.servers import free_port, running

LOGIN, START, CALLBACK = "/accounts/login", "/accounts/sso", "/accounts/sso/callback"
GROUPS = {"token": {"preferred_username": "dora", "groups": ["research", "unknown", "heads"]}}


@pytest.fixture(scope="module")
def provider(project_dir):
    """The address of the provider."""
    command = [sys.executable, "-m", "tests.openid_provider"]
    with subprocess.Popen(command, cwd=project_dir, stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.kill()


@pytest.fixture
def configured(provider, settings):
    settings.OIDC_ISSUER_URL, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = provider, CLIENT_ID, CLIENT_SECRET
    settings.OIDC_STAFF_GROUPS = ["heads"]
    single_sign_on.published.clear()
    single_sign_on.ended.clear()
    single_sign_on.begun.clear()
    requests.put(f"{provider}/person", json={}, timeout=5)
    return settings


@pytest.fixture
def walk(db, configured, provider):
    """`walk({"token": {"groups": ["a"]}})`: signs in this person of the provider; answers the client and the answer."""

    def go(person, client=None, to=START, change=None):
        client = client or Client(raise_request_exception=False)
        requests.put(f"{provider}/person", json=person, timeout=5).raise_for_status()
        there = client.get(to)
        assert there.status_code == 302, there.content
        back = requests.get(there["Location"], allow_redirects=False, timeout=5).headers["Location"]
        query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()} | (change or {})
        return client, client.get(f"{CALLBACK}?{urlencode(query)}")

    return go


def who(client):
    return User.objects.filter(pk=client.session.get("_auth_user_id")).first()


def test_without_settings_there_is_no_such_address(client, db):
    pages = [client.get(path) for path in (START, CALLBACK, "/accounts/no-such")]
    assert [page.status_code for page in pages] == [404] * 3
    assert "single sign-on" not in client.get(LOGIN).content.decode()


@pytest.mark.parametrize("name", ["signup", "login/", "email/", "password/change/", "3rdparty/", "oidc/x/login/"])
def test_no_address_of_the_library_is_served(client, configured, db, name):
    assert client.get(f"/accounts/{name}").status_code == 404


def test_the_first_sign_in_makes_the_user(walk):
    claims = {"preferred_username": "dora", "email": "dora@example.com", "given_name": "Dora", "family_name": "Dee"}
    client, answer = walk({"token": claims}, to=f"{START}?next=/me/keys")
    assert (answer.status_code, answer["Location"]) == (302, "/me/keys")
    dora = who(client)
    assert (dora.username, dora.email, dora.first_name, dora.last_name) == ("dora", "dora@example.com", "Dora", "Dee")
    assert (dora.has_usable_password(), dora.is_staff, dora.is_superuser) == (False, False, False)
    assert SocialAccount.objects.get().extra_data == {}
    again, _ = walk({"token": claims | {"preferred_username": "another"}})
    assert who(again) == dora


def test_the_session_gets_another_id(walk):
    client = Client()
    client.get(START)
    before = client.session.session_key
    # A sign-in that nobody ends is soon forgotten.
    assert client.session.get_expiry_age() == 600
    walk({}, client)
    assert client.session.session_key != before
    assert client.session.get_expiry_age() > 86_400


@pytest.mark.parametrize("elsewhere", ["//evil.example/", "https://evil.example", "/\\evil.example"])
def test_one_stays_on_this_site_after_signing_in(walk, elsewhere):
    assert walk({}, to=f"{START}?{urlencode({'next': elsewhere})}")[1]["Location"] == "/"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "alice"}, "alice-2"),
        ({"preferred_username": "ALICE"}, "ALICE-2"),
        ({"email": "alice@example.com", "email_verified": True}, "alice@example.com"),
        ({}, "s-1"),
        ({"preferred_username": "a b\0<c>" + "x" * 300}, "abc" + "x" * 137),
        ({"preferred_username": ["alice"], "email": "\ud800"}, "s-1"),
    ],
)
def test_an_account_that_is_there_is_never_taken_over(walk, alice, claims, name):
    client, _ = walk({"token": claims})
    assert who(client) != alice
    assert who(client).username == name


@pytest.mark.django_db(transaction=True)
def test_two_tabs_of_a_new_person_make_one_user(walk, provider, monkeypatch):
    if connection.vendor == "sqlite":
        pytest.skip("there one writes after the other")

    def other_tab():
        SocialAccount.objects.create(user=User.objects.create(username="first"), provider=provider, uid="s-1")
        connection.close()

    def meanwhile(claims):
        with ThreadPoolExecutor() as pool:
            pool.submit(other_tab).result()
        return "second"

    monkeypatch.setattr(single_sign_on, "_free_name", meanwhile)
    assert who(walk({})[0]).username == "first"
    assert User.objects.count() == 1


def test_a_subject_of_another_issuer_is_another_person(walk, make_user):
    SocialAccount.objects.create(user=make_user("old"), provider="https://other.example", uid="s-1")
    assert who(walk({})[0]).username == "s-1"


def test_groups_follow_the_claim_at_each_sign_in(walk, make_user):
    research, byhand = (Group.objects.create(name=name) for name in ("research", "by hand"))
    dora = who(walk(GROUPS)[0])
    assert ([*dora.groups.all()], dora.is_staff, dora.is_superuser) == ([research], True, False)
    assert not Group.objects.filter(name="unknown").exists()
    dora.groups.add(byhand)
    dora = who(walk({"token": {"groups": ["research"]}})[0])
    assert ([*dora.groups.all()], dora.is_staff) == ([research], False)
    last = AuditEntry.objects.first()
    assert (last.actor, last.subject) == ("single sign-on", "dora")
    assert last.changes == {"is_staff": [True, False], "groups": [["by hand", "research"], ["research"]]}


def test_the_next_read_shows_what_the_groups_of_the_last_sign_in_show(walk, make_model):
    make_model("acme/secret", granted_to=Group.objects.create(name="research"))
    client, _ = walk(GROUPS)
    one = client.get("/v1/models")
    walk({"token": {"groups": []}}, client)
    other = client.get("/v1/models", HTTP_IF_NONE_MATCH=one["ETag"])
    assert (b"acme/secret" in one.content, other.status_code, b"acme/secret" in other.content) == (True, 200, False)


def test_a_sign_in_that_changes_no_right_is_no_entry_of_the_audit_log(walk):
    Group.objects.create(name="research")
    walk(GROUPS)
    entries = AuditEntry.objects.count()
    walk(GROUPS)
    assert AuditEntry.objects.count() == entries


@pytest.mark.parametrize("claim", [None, "heads", {"heads": True}, ["heads", 7], [["heads"]], 1, True])
def test_a_missing_or_broken_claim_gives_no_group_and_no_staff(walk, claim):
    Group.objects.create(name="research")
    walk(GROUPS)
    dora = who(walk({"token": {"groups": claim}})[0])
    assert (dora.groups.count(), dora.is_staff) == (0, False)


def test_a_claim_may_come_with_the_userinfo_but_never_another_persons(walk):
    Group.objects.create(name="research")
    told = {"sub": "s-1", "groups": ["research"]}
    assert who(walk({"userinfo": told})[0]).groups.count() == 1
    client, answer = walk({"userinfo": told | {"sub": "s-2"}})
    assert (answer.status_code, who(client)) == (403, None)


def test_staff_that_was_given_by_hand_stays_where_no_group_is_named(walk, settings):
    dora = who(walk({})[0])
    User.objects.filter(pk=dora.pk).update(is_staff=True)
    settings.OIDC_STAFF_GROUPS = []
    assert who(walk({})[0]).is_staff


PAST = int(time.time()) - 600
FAULTS = {
    "another audience": {"token": {"aud": "another-client"}},
    "no audience": {"token": {"aud": None}},
    "for another party": {"token": {"aud": [CLIENT_ID, "other"], "azp": "other"}},
    "expired": {"token": {"exp": PAST}},
    "without end": {"token": {"exp": None}},
    "another issuer": {"token": {"iss": "https://evil.example"}},
    "another nonce": {"token": {"nonce": "another"}},
    "no nonce": {"token": {"nonce": None}},
    "another key": {"key": "other"},
    "no subject": {"token": {"sub": None}, "userinfo": {"sub": "s-1"}},
    "an endless subject": {"token": {"sub": "s" * 300}},
    "a list as userinfo": {"userinfo": []},
    "a forged code": {},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_trusted_signs_nobody_in(walk, fault, caplog):
    client, answer = walk(FAULTS[fault], change={"code": "forged"} if fault == "a forged code" else None)
    assert answer.status_code == 403
    assert "cannot be trusted" in answer.content.decode()
    assert who(client) is None
    assert User.objects.count() == 0
    assert "A single sign-on was refused: " in caplog.text


@pytest.mark.parametrize("state", ["", "another"])
def test_a_wrong_state_is_refused_in_words(walk, state):
    client, answer = walk({}, change={"state": state})
    assert answer.status_code == 403
    assert "Sign in again." in answer.content.decode()
    assert who(client) is None


def test_a_state_is_of_one_browser_and_counts_once(walk, provider):
    client, other = Client(), Client(raise_request_exception=False)
    there = client.get(START)["Location"]
    back = requests.get(there, allow_redirects=False, timeout=5).headers["Location"]
    assert [one.get(back).status_code for one in (other, client, client)] == [403, 302, 403]


def test_a_sign_in_may_be_cancelled(walk):
    _, answer = walk({"error": "access_denied"})
    assert answer.status_code == 403
    assert "it was cancelled" in answer.content.decode()


def test_an_error_of_the_provider_is_logged_by_its_code(walk, caplog):
    assert walk({"error": "login_required"})[1].status_code == 403
    assert "login_required" in caplog.text
    walk({}, change={"code": "forged"})
    assert "invalid_grant" in caplog.text


def test_a_provider_that_calls_itself_otherwise_is_not_asked(configured, provider, client, db):
    requests.put(f"{provider}/person", json={"config": {"issuer": "https://evil.example"}}, timeout=5)
    assert client.get(START).status_code == 403


def test_a_provider_that_is_gone_costs_the_sign_in_only(configured, client, db):
    configured.OIDC_ISSUER_URL = f"http://127.0.0.1:{free_port()}"
    answer = client.get(START)
    assert (answer.status_code, "does not answer" in answer.content.decode()) == (503, True)
    assert client.get(LOGIN).status_code == 200


def test_a_provider_that_hangs_holds_few_threads(configured, client, db):
    for _ in range(single_sign_on.MOST_AT_ONCE):
        single_sign_on.slots.acquire()
    try:
        assert client.get(START).status_code == 503
    finally:
        single_sign_on.slots.release(single_sign_on.MOST_AT_ONCE)


def test_a_sign_in_begins_without_asking_the_provider_again(configured, client, db, monkeypatch):
    assert client.get(START).status_code == 302
    monkeypatch.setattr(requests.Session, "request", lambda *args, **options: pytest.fail("The provider was asked."))
    for _ in range(single_sign_on.MOST_AT_ONCE):
        single_sign_on.slots.acquire()
    try:
        assert client.get(START).status_code == 302
        # No state of this browser's, so nothing to ask the provider either.
        assert client.get(f"{CALLBACK}?code=x&state=y").status_code == 403
    finally:
        single_sign_on.slots.release(single_sign_on.MOST_AT_ONCE)


@pytest.mark.parametrize(("age", "status"), [(0, 403), (60, 302)])
def test_keys_are_read_again_where_a_token_has_another_but_not_for_each(walk, provider, age, status):
    old = requests.Response()
    old._content, old.status_code = b'{"keys": []}', 200
    single_sign_on.published._answers[f"{provider}/jwks"] = (time.monotonic() - age, old)
    assert walk({})[1].status_code == status


def test_what_the_provider_publishes_is_read_again_after_a_refusal_and_some_minutes(configured, provider, client, db):
    published, url = single_sign_on.published, f"{provider}/.well-known/openid-configuration"
    requests.put(f"{provider}/person", json={"config": {"issuer": "https://evil.example"}}, timeout=5)
    assert client.get(START).status_code == 403
    requests.put(f"{provider}/person", json={}, timeout=5)
    at, answer = published._answers[url]
    published._answers[url] = (at - published.AGAIN, answer)
    assert [client.get(START).status_code for _ in range(2)] == [403, 302]
    at, answer = published._answers[url]
    published._answers[url] = (at - published.KEPT, answer)
    # One asks anew; nobody waits for that.
    assert [published.get(url) for _ in range(2)] == [None, answer]


def test_one_address_begins_so_many_sign_ins_a_minute(configured, client, db, monkeypatch):
    monkeypatch.setattr(single_sign_on.begun, "most", 2)
    answers = [client.get(START) for _ in range(3)]
    assert [one.status_code for one in answers] == [302, 302, 429]
    assert answers[2]["Retry-After"] == "60"
    assert client.get(START, REMOTE_ADDR="192.0.2.9").status_code == 302


def test_one_address_comes_back_so_many_times_a_minute(configured, walk, client, monkeypatch):
    monkeypatch.setattr(single_sign_on.ended, "most", 1)
    assert walk({})[1].status_code == 302
    assert walk({})[1].status_code == 429
    # What carries no state of this browser's asks nobody, and does not count.
    assert client.get(f"{CALLBACK}?code=x&state=y").status_code == 403


def test_somebody_who_is_switched_off_here_stays_out(walk):
    dora = who(walk(GROUPS)[0])
    User.objects.filter(pk=dora.pk).update(is_active=False)
    client, answer = walk({"token": {"groups": []}})
    assert (answer.status_code, who(client)) == (403, None)
    assert "switched off" in answer.content.decode()
    dora.refresh_from_db()
    assert dora.is_staff


@pytest.mark.parametrize("path", [LOGIN, "/admin/login/"])
@pytest.mark.parametrize(("name", "status"), [("alice", 200), ("ops", 302), ("nobody", 200)])
def test_with_oidc_only_passwords_are_for_superusers(configured, client, alice, ops, path, name, status):
    configured.OIDC_ONLY = True
    page = client.get(path).content.decode()
    assert page.index("Sign in with single sign-on") < page.index("<summary") < page.index('name="password"')
    assert client.post(path, {"username": name, "password": f"{name}'s long password"}).status_code == status


def test_ten_right_passwords_of_no_superuser_lock_as_wrong_ones_do(configured, client, alice):
    configured.OIDC_ONLY = True
    tries = [client.post(LOGIN, {"username": "alice", "password": "alice's long password"}) for _ in range(10)]
    assert [one.status_code for one in tries] == [200] * 9 + [429]


def test_who_has_no_password_is_offered_no_change_of_it(walk):
    client, _ = walk({})
    assert 'href="/accounts/password"' not in client.get("/me/settings").content.decode()
    assert client.get("/accounts/password").status_code == 404


def test_the_admin_has_no_list_of_links(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    for name in ("socialaccount/socialaccount", "socialaccount/socialapp", "account/emailaddress"):
        assert client.get(f"/admin/{name}/").status_code == 404


def test_a_deleted_user_takes_the_link_along(walk, ops):
    dora, staff = who(walk(GROUPS)[0]), Client()
    staff.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    assert staff.post(f"/admin/auth/user/{dora.pk}/delete/", {"post": "yes"}).status_code == 302
    assert SocialAccount.objects.count() == 0
    assert who(walk(GROUPS)[0]).pk != dora.pk


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_person_walks_through_it_on_a_real_server(chromium, provider, project_dir, database_url, tmp_path, ops):
    ops.password = PBKDF2PasswordHasher().encode("ops's long password", "salt", 1)
    ops.save()
    Group.objects.create(name="research")
    environment = {"OIDC_ISSUER_URL": provider, "OIDC_CLIENT_ID": CLIENT_ID, "OIDC_CLIENT_SECRET": CLIENT_SECRET}
    environment |= {"OIDC_ONLY": "true", "OIDC_STAFF_GROUPS": "heads", "DATABASE_URL": database_url}
    requests.put(f"{provider}/person", json=GROUPS, timeout=5)
    complaints: list[str] = []
    with running(tmp_path / "log", project_dir, **environment) as server:
        page = chromium.new_page(base_url=server.url, viewport={"width": NARROW[0], "height": NARROW[1]})
        page.on("console", lambda message: message.type in ("error", "warning") and complaints.append(message.text))
        page.goto("/admin/")
        page.click("text=Sign in with single sign-on")
        page.wait_for_url("**/admin/")
        assert "dora" in page.text_content("#user-tools")
        page.context.clear_cookies()
        page.goto("/accounts/login")
        assert not page.is_visible("#id_password")
        page.click("text=Administrators: sign in with a password")
        page.fill("#id_username", "ops")
        page.fill("#id_password", "ops's long password")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Admin")
        page.context.close()
    assert complaints == []
    assert [*User.objects.get(username="dora").groups.values_list("name", flat=True)] == ["research"]
