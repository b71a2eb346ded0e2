"""providers/connection/credentials.py and sealing.py: encrypted at rest, for one origin, under keys that rotate."""

import json

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from catalog.models import AIModel
from providers import checks
from providers.connection import credentials, sealing
from providers.connection.sealing import CredentialError
from providers.models import Provider
from providers.sync import run as sync
from tests.upstreams import answer

SECRET = "sk-SECRET123456"
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def stored(make_provider, settings):
    """A provider whose credential was stored under the old key."""
    settings.CREDENTIAL_KEYS = [OLD]
    provider = make_provider("lab", kind="compatible", base_url="https://lab.example/v1")
    credentials.store(provider, SECRET)
    provider.save()
    return provider


def test_only_ciphertext_and_a_hint_are_stored(stored, make_provider):
    other = make_provider("lab2", kind="compatible", base_url="https://lab.example/v1")
    credentials.store(other, SECRET)
    other.save()
    rows = list(Provider.objects.values_list("credential", "credential_hint"))
    assert "SECRET" not in str(rows)
    assert len({cipher for cipher, _ in rows}) == 2
    assert {shown for _, shown in rows} == {"...3456"}
    assert SECRET not in repr(sealing.decrypt(stored))


def test_a_credential_goes_to_the_origin_that_it_was_entered_for(stored):
    assert credentials.of(stored) == SECRET
    stored.base_url = "https://lab.example/v2"
    assert credentials.of(stored) == SECRET


@pytest.mark.parametrize("url", ["https://other.example/v1", "http://lab.example/v1", "https://lab.example:8443/v1"])
def test_a_credential_goes_to_no_other_origin(stored, url):
    stored.base_url = url
    with pytest.raises(CredentialError, match="enter it again") as refused:
        credentials.of(stored)
    assert SECRET not in str(refused.value)


def test_a_ciphertext_copied_to_another_providers_row_is_of_no_use(stored, make_provider):
    thief = make_provider("thief", kind="compatible", base_url="https://thief.example")
    thief.credential, thief.credential_origin = stored.credential, "https://thief.example:443"
    with pytest.raises(CredentialError):
        credentials.of(thief)


def test_the_environments_credential_is_for_the_environments_address(make_provider, settings):
    settings.OPENROUTER_API_KEY = "sk-env"
    provider = make_provider("openrouter")
    assert credentials.of(provider) == "sk-env"
    provider.base_url = "https://elsewhere.example/v1"
    assert credentials.of(provider) is None


def test_the_providers_own_credential_comes_before_the_environments(make_provider, settings):
    settings.OPENROUTER_API_KEY = "sk-env"
    provider = make_provider("openrouter")
    credentials.store(provider, "sk-own-0123456")
    assert credentials.of(provider) == "sk-own-0123456"
    credentials.forget(provider)
    assert credentials.of(provider) == "sk-env"


def test_a_lost_key_is_reported_and_the_ciphertext_kept(stored, settings, capsys):
    before = stored.credential
    settings.CREDENTIAL_KEYS = [NEW]
    with pytest.raises(CredentialError, match="lab cannot be decrypted"):
        credentials.of(stored)
    assert ["lab cannot be decrypted" in warning.msg for warning in checks.credentials_decrypt(None)] == [True]
    with pytest.raises(CommandError, match="lab"):
        call_command("rotate_encryption")
    stored.refresh_from_db()
    assert stored.credential == before


def test_rotation_lets_the_old_key_go(stored, settings, capsys):
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    assert credentials.of(stored) == SECRET
    call_command("rotate_encryption")
    settings.CREDENTIAL_KEYS = [NEW]
    stored.refresh_from_db()
    assert credentials.of(stored) == SECRET
    assert checks.credentials_decrypt(None) == []
    assert SECRET not in capsys.readouterr().out


def test_a_sync_with_a_credential_that_cannot_be_decrypted_fails_with_the_reason(openrouter, settings):
    settings.CREDENTIAL_KEYS = [OLD]
    credentials.store(openrouter, SECRET)
    openrouter.save()
    settings.CREDENTIAL_KEYS = [NEW]
    outcome = sync.sync(openrouter)
    assert (outcome.state, outcome.reason) == ("failed", "credential_undecryptable")


def everything_stored() -> str:
    """Each table as text, but for where credentials belong."""
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor)) - {Provider._meta.db_table}
        told = []
        for table in sorted(tables):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - a name of our own
            told.append(repr(cursor.fetchall()))
    return "".join(told)


ECHO = {
    "id": f"acme/{SECRET}-7b",
    "name": f"Model of {SECRET}",
    "description": f"Called with Bearer {SECRET}.",
    "architecture": {"input_modalities": [SECRET], "tokenizer": SECRET},
    "supported_parameters": [f"{SECRET}"],
    "default_parameters": {SECRET: SECRET},
    "context_length": SECRET,
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("escaped", [False, True])
def test_a_credential_that_an_upstream_sends_back_is_stored_nowhere(read_live, upstream, settings, escaped, caplog):
    settings.OPENROUTER_API_KEY = SECRET
    # The ids that are masked are none any more; more than half bad records would hold the run.
    good = [{**ECHO, "id": f"acme/{name}"} for name in ("other", "third", "fourth")]
    records = [ECHO, *good, {"id": SECRET}, SECRET]
    body = json.dumps({"data": records, SECRET: SECRET})
    if escaped:
        body = body.replace(SECRET, "".join(f"\\u{ord(character):04x}" for character in SECRET))
    upstream.on("/api/v1/models", answer(200, body.encode()))
    outcome = read_live()
    assert AIModel.objects.get(model_id="acme/other").name == "Model of ***"
    assert SECRET not in everything_stored() + repr(outcome) + caplog.text


def test_nor_is_one_that_stands_in_a_saved_answer(sync_feed, settings):
    settings.OPENROUTER_API_KEY = SECRET
    sync_feed({"data": [{**ECHO, "id": "acme/other"}]})
    assert AIModel.objects.get(model_id="acme/other").name == "Model of ***"
    assert SECRET not in everything_stored()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_nor_is_one_in_a_refusal(read_live, upstream, settings, status, caplog):
    settings.OPENROUTER_API_KEY = SECRET
    headers = {"X-Error": SECRET, "Location": f"/{SECRET}"}
    upstream.on("/api/v1/models", *[answer(status, {"error": {"message": f"Bad key {SECRET}"}}, headers)] * 5)
    outcome = read_live()
    assert outcome.state == "failed"
    assert SECRET not in everything_stored() + repr(outcome) + caplog.text


def test_a_word_that_stands_for_no_credential_is_left_alone(read_live, upstream, settings):
    settings.OPENROUTER_API_KEY = "none"
    upstream.serve("/api/v1/models", {"data": [{**ECHO, "id": "acme/nonesuch", "name": "nonesuch"}]})
    read_live()
    assert AIModel.objects.get(model_id="acme/nonesuch").name == "nonesuch"


@pytest.mark.parametrize("entered", ["Bearer sk-a-long-secret", "bearer  sk-a-long-secret ", "sk-a-long-secret"])
def test_a_header_that_was_copied_whole_is_taken_for_its_credential(make_provider, entered):
    provider = make_provider("lab", kind="compatible", base_url="https://8.8.8.8/v1")
    credentials.store(provider, entered)
    assert credentials.of(provider) == "sk-a-long-secret"
