"""No secret lies in the database, in a dump of it, or on a page of the admin."""

from __future__ import annotations

import hashlib
import io

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from providers.connection import credentials
from providers.models import Provider

CREDENTIAL = "sk-or-v1-what-only-upstream-may-see"


@pytest.fixture
def secrets(db, make_user, make_key, make_export, sweep) -> list[str]:
    """A key's text, an export token's, its unkeyed hash, a password and a provider's credential, each stored as the product does it."""
    sweep.hide(CREDENTIAL)
    alice = make_user("alice")
    issued = make_key(alice)
    token, export = issued.token, make_export(issued.key)
    for slug in ("one", "two"):
        provider = Provider(slug=slug, name=slug, kind="openrouter", base_url="https://upstream.example/api/v1")
        credentials.store(provider, CREDENTIAL)
        provider.save()
    return [
        token,
        token[16:59],
        export,
        export[16:59],
        hashlib.sha256(token.encode()).hexdigest(),
        "alice's long password",
        CREDENTIAL,
    ]


def test_a_dump_as_json_holds_none(secrets):
    out = io.StringIO()
    call_command("dumpdata", stdout=out)
    assert "alice" in out.getvalue()
    assert [secret for secret in secrets if secret in out.getvalue()] == []


def test_no_table_holds_one(secrets):
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - a name of our own
            text = repr(cursor.fetchall())
            assert [secret for secret in secrets if secret in text] == [], table


def test_the_same_credential_is_another_ciphertext_at_each_provider(secrets):
    one, two = Provider.objects.order_by("slug").values_list("credential", flat=True)
    assert one != two


def test_no_page_of_the_admin_shows_one(secrets, client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    seen = 0
    for model, shown in admin.site._registry.items():
        info = (model._meta.app_label, model._meta.model_name)
        pages = [reverse("admin:{}_{}_changelist".format(*info))]
        for row in shown.model._default_manager.all()[:3]:
            pages += [reverse(f"admin:{info[0]}_{info[1]}_{page}", args=[row.pk]) for page in ("change", "history")]
        for page in pages:
            body = client.get(page, follow=True).content.decode()
            assert [secret for secret in secrets if secret in body] == [], page
            seen += 1
    assert seen > 20


def test_a_deploy_check_names_a_credential_that_no_key_opens(secrets, settings):
    settings.CREDENTIAL_KEYS = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
    before = list(Provider.objects.values_list("credential", flat=True))
    out = io.StringIO()
    call_command("check", deploy=True, stdout=out, stderr=out)
    assert "cannot be decrypted" in out.getvalue()
    assert CREDENTIAL not in out.getvalue()
    assert list(Provider.objects.values_list("credential", flat=True)) == before
