"""config/password_reset.py: a new password by a link in a mail, and what nobody learns by asking for one."""

import re
import time

import pytest

from catalog.models import AuditEntry
from config import password_reset

ASK, LOGIN = "/accounts/password/reset", "/accounts/login"
NEW = {"new_password1": "a better one 7", "new_password2": "a better one 7"}


@pytest.fixture
def mail(db, settings, mailoutbox):
    """The mails that went out, of which a thread sends each: `mail(1)` waits for as many."""
    settings.EMAIL_HOST = "mail.example.com"
    password_reset.forms_sent.clear()

    def wait(number):
        deadline = time.monotonic() + (5 if number else 0.3)
        while len(mailoutbox) < max(number, 1) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(mailoutbox) == number
        return mailoutbox

    return wait


def test_without_a_server_that_takes_mail_there_is_no_such_page(client, db):
    assert [client.get(path).status_code for path in (ASK, f"{ASK}/MQ/x")] == [404, 404]
    assert "Forgot it?" not in client.get(LOGIN).content.decode()


def test_a_lost_password_is_replaced_by_the_link_in_the_mail(client, mail, alice):
    assert ASK in client.get(LOGIN).content.decode()
    page = client.post(ASK, {"email": "Alice@Example.com"}, follow=True)
    assert page.redirect_chain == [(LOGIN, 302)]
    assert "If an account with a password has this address" in page.content.decode()
    (sent,) = mail(1)
    assert (sent.to, sent.subject) == (["alice@example.com"], "A new password for testserver")
    link = re.search(r"http://testserver(/\S+)", sent.body)[1]
    form = client.get(link, follow=True)
    assert "Choose a new password" in form.content.decode()
    done = client.post(form.redirect_chain[0][0], NEW, follow=True)
    assert "Your password is changed. Sign in with it." in done.content.decode()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.subject, entry.changes) == (
        "a link in a mail",
        "alice",
        {"password": [None, "a new one"]},
    )
    assert client.post(LOGIN, {"username": "alice", "password": "a better one 7"}).status_code == 302
    client.logout()
    assert "no longer works" in client.get(link, follow=True).content.decode()


def test_the_mail_repeats_no_port_that_the_asker_named(client, mail, settings, alice):
    settings.SITE_URL = "https://models.example.com:8443"
    client.post(ASK, {"email": "alice@example.com"}, headers={"host": "testserver:666"})
    (sent,) = mail(1)
    assert re.search(r"\S+://\S+?/", sent.body)[0] == "https://models.example.com:8443/"
    assert "testserver" not in sent.subject + sent.body


@pytest.mark.parametrize("kind", ["unknown", "switched off", "without a password"])
def test_nobody_learns_who_has_an_account(client, mail, make_user, kind):
    pages = []
    for name in ("dora", "emil"):
        if name == "dora" and kind != "unknown":
            dora = make_user("dora", is_active=kind != "switched off")
            if kind == "without a password":
                dora.set_unusable_password()
                dora.save()
        if name == "emil":
            make_user("emil")
            mail(0)
        answer = client.post(ASK, {"email": f"{name}@example.com"})
        pages.append((answer.status_code, answer["Location"], client.get(LOGIN).content.count(b"is on its way")))
    assert pages[0] == pages[1]
    mail(1)


def test_with_oidc_only_the_mail_is_for_superusers(client, mail, settings, alice, ops):
    settings.OIDC_ONLY = True
    for name in ("alice", "ops"):
        client.post(ASK, {"email": f"{name}@example.com"})
    assert mail(1)[0].to == ["ops@example.com"]


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_a_few_mails_a_minute_go_to_one_address(client, mail, alice, name):
    asked = [
        client.post(ASK, {"email": f"{name}@example.com"}, REMOTE_ADDR=f"192.0.2.{number}").status_code
        for number in range(5)
    ]
    assert asked == [302, 302, 302, 429, 429]
    mail(3 if name == "alice" else 0)


def test_a_few_forms_a_minute_come_from_one_address(client, mail):
    answers = [client.post(ASK, {"email": f"a{number}@example.com"}) for number in range(4)]
    assert [one.status_code for one in answers] == [302, 302, 302, 429]
    assert answers[3]["Retry-After"] == "60"
    assert client.post(ASK, {"email": "b@example.com"}, REMOTE_ADDR="192.0.2.9").status_code == 302


def test_a_server_that_takes_no_mail_is_logged_and_told_to_nobody(client, mail, settings, alice, caplog):
    settings.EMAIL_BACKEND = "no.such.Backend"
    assert client.post(ASK, {"email": "alice@example.com"}).status_code == 302
    deadline = time.monotonic() + 5
    while "password reset email" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "Failed to send password reset email" in caplog.text
