"""apikeys/exports.py: tokens that stand in the address of an export."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone

from apikeys import exports, keys
from apikeys.models import ApiKey, ExportToken
from catalog.access import rights
from catalog.editing.history import Author
from catalog.models import AuditEntry
from config.api.logging import masked

# Each file, and what it is without models.
FILES = {
    "api.json": {},
    "model_prices_and_context_window.json": {},
    "mlflow/acme.json": {"schema_version": "1.0", "models": {}},
    "genai-prices.json": [],
}


@pytest.fixture
def issued(alice, make_key, make_model):
    for model_id in ("acme/large", "acme/small"):
        make_model(model_id, pricing={"prompt": "0.1", "completion": "0.2"})
    return make_key(alice, allow=["acme/l*"])


@pytest.fixture
def get(api, issued, make_export):
    token = make_export(issued.key)
    return lambda name="api.json", **headers: api.get(f"/export/{token}/{name}", headers=headers)


def test_the_api_makes_lists_and_revokes_tokens_of_ones_own_key(api, alice, bob, issued):
    address = f"/api/keys/{issued.key.key_id}/exports"
    owner = api.as_(alice)
    made = owner.post(address, {"name": "aider"})
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    token, shown = made.json().pop("token"), {k: v for k, v in made.json().items() if k != "token"}
    assert token.startswith("mde_")
    assert shown["id"] == token[4:16]
    assert owner.get(address).json() == {"items": [shown], "total": 1}
    assert api.as_(bob).delete(f"{address}/{shown['id']}").status_code == 404
    assert api.get(f"/export/{token}/api.json").json()
    assert owner.delete(f"{address}/{shown['id']}").status_code == 204
    assert api.get(f"/export/{token}/api.json").json() == {}
    assert owner.get(address).json()["total"] == 0


def test_a_key_makes_tokens_of_itself_only_with_the_scope_and_its_newest_secret(api, alice, make_key):
    plain, able = make_key(alice), make_key(alice, scopes=["models:read", "keys:write"])

    def status(issued, token):
        return api.with_key(token).post(f"/api/keys/{issued.key.key_id}/exports", {"name": "x"}).status_code

    assert status(plain, plain.token) == 403
    assert status(able, able.token) == 201
    keys.rotate(able.key, 60, keys.Actor(Author.person(alice)))
    assert status(able, able.token) == 403
    assert status(plain, able.token) == 404


@pytest.mark.parametrize("name", FILES)
def test_a_token_opens_what_its_key_sees_and_no_more(get, name):
    answer = get(name)
    assert b"large" in answer.content
    assert b"small" not in answer.content
    assert answer["Cache-Control"] == "private, no-cache"


def test_a_token_is_no_key_and_a_key_no_token(api, issued, make_export):
    token = make_export(issued.key)
    assert api.with_key(token).get("/v1/models").status_code == 401
    assert api.get(f"/export/{issued.token}/api.json").status_code == 404


@pytest.mark.parametrize("token", ["x", "mde_", "mde_" + "0" * 61, "mdx_" + "0" * 61])
def test_what_never_was_a_token_is_404_in_json(api, db, token):
    answer = api.get(f"/export/{token}/api.json")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


ENDS = {
    "the key is revoked": lambda key: ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now()),
    "the key has expired": lambda key: ApiKey.objects.update(expires_at=timezone.now() - timedelta(1)),
    "the key is off": lambda key: ApiKey.objects.update(is_active=False),
    "the owner is inactive": lambda key: type(key.user).objects.update(is_active=False),
    "the token is revoked": lambda key: ExportToken.objects.update(revoked_at=timezone.now()),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("name", FILES)
def test_a_token_that_has_ended_gets_an_empty_file_on_the_next_request(get, issued, name, end):
    tag = get(name)["ETag"]
    end(issued.key)
    answer = get(name, **{"If-None-Match": tag})
    assert (answer.status_code, answer.json()) == (200, FILES[name])
    assert get(name, **{"If-None-Match": answer["ETag"]}).status_code == 304


def test_it_ends_with_the_key_that_its_key_was_made_with(get, issued, alice, make_key):
    ApiKey.objects.filter(pk=issued.key.pk).update(made_with=make_key(alice, deny=["acme/large"]).key)
    assert get().json() == {}
    ApiKey.objects.exclude(pk=issued.key.pk).update(mode="all", patterns=[])
    assert "acme" in get().json()
    ApiKey.objects.exclude(pk=issued.key.pk).update(is_active=False)
    assert get().json() == {}


def test_each_request_counts_in_the_windows_of_the_key(api, get, issued):
    ApiKey.objects.filter(pk=issued.key.pk).update(per_minute=3)
    assert get()["RateLimit-Remaining"] == "2"
    assert api.with_key(issued.token).get("/v1/models")["RateLimit-Remaining"] == "1"
    assert get(**{"If-None-Match": "*"}).status_code == 304
    refused = get()
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limit_exceeded")
    assert int(refused["Retry-After"]) > 0


def test_a_read_notes_when_the_token_and_its_key_were_used(get, issued):
    get()
    assert ExportToken.objects.get().last_used_at
    assert ApiKey.objects.get().last_used_at


def test_a_key_that_may_not_read_opens_no_export(get, issued):
    ApiKey.objects.filter(pk=issued.key.pk).update(scopes=["preferences:write"])
    assert get().status_code == 403


def test_what_is_asked_is_strict_and_a_write_is_refused(api, get, issued, make_export):
    assert get("api.json?priced=2").status_code == get("api.json?nonsense=1").status_code == 400
    assert api.post(f"/export/{make_export(issued.key)}/api.json", {}).status_code == 405
    assert api.head(f"/export/{make_export(issued.key)}/api.json").status_code == 200


def test_the_audit_log_names_who_made_and_who_revoked_it_and_no_token(alice, issued, make_export):
    token = make_export(issued.key)
    exports.revoke(ExportToken.objects.get(), keys.Actor(Author.person(alice)))
    rows = AuditEntry.objects.filter(subject_type="exporttoken").order_by("pk")
    assert [(row.action, row.actor) for row in rows] == [("create", "alice"), ("revoke", "alice")]
    assert token[16:] not in repr(list(rows.values()))


def test_a_token_is_masked_wherever_it_is_logged():
    token = "mde_" + "a1B2" * 15 + "c"
    for line in (f"GET /export/{token}/api.json", f"made {token}", f"/%65xport/{token}"):
        assert token[4:] not in masked(line)


def test_staff_make_a_token_only_of_a_key_that_shows_what_they_see_too(issued, make_user, make_model):
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=("add_exporttoken", "change_apikey")))
    make_model("acme/lab", granted_to=issued.key.user)

    def actor():
        held = rights.Rights(type(clerk).objects.get(pk=clerk.pk))
        return keys.Actor(Author.person(clerk), held.sight, is_staff=True, rights=held)

    with pytest.raises(ValidationError):
        exports.create(issued.key, "theirs", actor())
    ApiKey.objects.update(patterns=["acme/large"])
    assert exports.create(issued.key, "theirs", actor())


def test_the_admin_makes_one_shows_it_once_and_revokes_it(client, api, issued, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    pages = "/admin/apikeys/exporttoken/"
    made = client.post(f"{pages}add/", {"key": issued.key.pk, "name": "aider"})
    (token,) = re.findall(r"mde_[0-9A-Za-z]{61}", made.content.decode())
    assert "no-store" in made["Cache-Control"]
    assert api.get(f"/export/{token}/api.json").json()
    row = ExportToken.objects.get()
    assert "aider" in client.get(f"/admin/apikeys/apikey/{issued.key.pk}/change/").content.decode()
    assert client.get(f"{pages}?key__id__exact={issued.key.pk}").status_code == 200
    client.post(f"{pages}{row.pk}/change/", {"name": "other"})
    client.post(pages, {"action": "revoke", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert (row.name, api.get(f"/export/{token}/api.json").json()) == ("aider", {})
    ApiKey.objects.update(is_active=False)
    refused = client.post(f"{pages}add/", {"key": issued.key.pk, "name": "more"})
    assert (refused.status_code, ExportToken.objects.count()) == (200, 1)


def test_a_key_has_so_many_tokens_and_no_more(client, api, alice, ops, issued, make_export, monkeypatch):
    monkeypatch.setattr(exports, "MOST_OF_A_KEY", 2)
    for _ in range(2):
        make_export(issued.key)
    refused = api.as_(alice).post(f"/api/keys/{issued.key.key_id}/exports", {"name": "aider"})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_exports")
    with pytest.raises(CommandError, match="has 2 export tokens, and may have no more"):
        call_command("create_export", issued.key.key_id)
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    page = client.post("/admin/apikeys/exporttoken/add/", {"key": issued.key.pk, "name": "aider"})
    assert "has 2 export tokens, and may have no more" in page.content.decode()
    exports.revoke(ExportToken.objects.first(), keys.Actor(Author.person(alice), is_staff=True))
    assert make_export(issued.key)


def test_the_command_prints_the_token_and_nothing_else(api, issued, capsys):
    call_command("create_export", issued.key.key_id, "--name", "aider")
    (token,) = capsys.readouterr().out.splitlines()
    assert api.get(f"/export/{token}/api.json").json()
    assert ExportToken.objects.get().name == "aider"
    ApiKey.objects.update(is_active=False)
    for key_id in (issued.key.key_id, "none"):
        with pytest.raises(CommandError):
            call_command("create_export", key_id)
