"""catalog/api/direct.py: a read with a key, answered above sessions and DRF, answers as DRF would."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apikeys import authentication
from apikeys.models import ApiKey
from catalog.api import direct
from catalog.dialects.registry import DIALECTS

PATHS = [
    "/v1/models",
    "/v1/models/",
    "/v1/models/acme/one",
    "/v1/models/acme/none",
    "/v1/models?client_version=0.171.0",
    "/v1/model/info?require=nothing",
    "/openrouter/api/v1/models?limit=1",
    "/google/v1/models?pageToken=acme/none",
    "/google/v1beta/models/acme/one",
    "/ollama/api/tags",
    "/api/models",
    "/api/models?format=cli",
    "/api/models?format=yaml",
    "/api/models?include=hidden",
    "/api/models?nonsense=1",
    "/api/models/list",
    "/api/models/list?query=one&page_size=1",
    "/api/models/list?page=x",
    "/api/models/list?order_by=nothing",
    "/api/models/tags",
    "/api/models/acme/one",
    "/api/models/acme/none",
    *dict.fromkeys(dialect.address for dialect in DIALECTS if "{" not in dialect.address),
]
# Different in each answer, or, as `Allow` beside what is answered, of no use.
OWN = ("X-Request-Id", "RateLimit-Reset", "Vary")


def shown(answer):
    body = answer.content.replace(answer.headers["X-Request-Id"].encode(), b"")
    headers = {name: text for name, text in answer.items() if name not in OWN}
    if answer.status_code < 400:
        headers.pop("Allow", None)
    return answer.status_code, body, headers, set(answer["Vary"].split(", "))


@pytest.fixture
def by_drf(monkeypatch):
    """`by_drf(call)`: the answer that the same call gets without the middleware."""

    def ask(call):
        with monkeypatch.context() as patch:
            patch.setattr(direct, "_match", lambda path: None)
            return call()

    return ask


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_is_the_one_that_drf_gives_byte_for_byte(api, alice, make_key, make_model, by_drf, path):
    make_model("acme/one", tags=["fast"], context_length=8192)
    make_model("acme/two")
    caller = api.with_key(make_key(alice, allow=["acme/o*"]).token)
    assert shown(caller.get(path)) == shown(by_drf(lambda: caller.get(path)))


@pytest.mark.parametrize(
    "fields",
    [
        {"is_active": False},
        {"revoked_at": timezone.now()},
        {"expires_at": timezone.now() - timedelta(1)},
        {"scopes": ["preferences:write"]},
        {"scopes": []},
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/api/models"])
def test_a_refusal_is_the_one_that_drf_gives(api, alice, make_key, by_drf, fields, path):
    caller = api.with_key(make_key(alice, **fields).token)
    found = shown(caller.get(path))
    assert found[0] in (401, 403)
    assert found == shown(by_drf(lambda: caller.get(path)))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer " + "x" * 5000])
def test_a_credential_of_another_kind_is_refused_as_drf_refuses_it(api, by_drf, header):
    def call():
        return api.get("/v1/models", HTTP_AUTHORIZATION=header)

    assert shown(call())[0] == 401
    assert shown(call()) == shown(by_drf(call))


def test_each_read_counts_once_also_where_it_is_refused(api, alice, make_key, make_model):
    make_model("acme/one")
    caller = api.with_key(make_key(alice, per_minute=4).token)
    left = [
        caller.get(path).headers["RateLimit-Remaining"] for path in ("/v1/models", "/v1/models/none", "/api/models?x=1")
    ]
    assert left == ["3", "2", "1"]
    assert [caller.get("/v1/models").status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    "change",
    [
        {"is_active": False},
        {"expires_at": timezone.now() - timedelta(1)},
        {"scopes": []},
        {"mode": "allow_list", "patterns": ["other/*"]},
    ],
)
def test_a_change_of_a_key_that_is_in_use_holds_on_the_next_read(api, alice, make_key, make_model, change):
    make_model("acme/one")
    issued = make_key(alice)
    caller = api.with_key(issued.token)
    assert caller.get("/v1/models/acme/one").status_code == 200
    ApiKey.objects.filter(pk=issued.key.pk).update(**change)
    assert caller.get("/v1/models/acme/one").status_code in (401, 403, 404)


def test_a_deactivated_owner_and_a_lost_group_hold_on_the_next_read(api, make_user, make_key, make_model):
    carol = make_user("carol", groups=["research"])
    make_model("acme/one", granted_to=carol.groups.get())
    caller = api.with_key(make_key(carol).token)
    assert caller.get("/v1/models/acme/one").status_code == 200
    carol.groups.clear()
    assert caller.get("/v1/models/acme/one").status_code == 404
    carol.is_active = False
    carol.save()
    assert caller.get("/v1/models/acme/one").status_code == 401


def test_what_follows_from_a_row_is_kept_for_equal_rows_alone(api, alice, make_key, make_model, monkeypatch):
    caller = api.with_key(make_key(alice, last_used_at=timezone.now()).token)
    caller.get("/v1/models")
    made = []
    monkeypatch.setattr(authentication, "policy_of", lambda key: made.append(key))
    caller.get("/v1/models")
    assert made == []
    make_model("acme/one")
    caller.get("/v1/models")
    assert len(made) == 1


def test_a_read_with_a_key_has_no_session(api, alice, bob, make_key):
    caller = api.as_(bob)
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {make_key(alice).token}")
    assert "Set-Cookie" not in caller.get("/api/models").headers


def test_a_stored_page_is_no_answer_to_another_query(api, alice, make_key, make_model):
    make_model("acme/one")
    make_model("acme/two")
    caller = api.with_key(make_key(alice).token)
    queries = ("query=one", "query=two", "query=", "page=2")
    found = [[item["id"] for item in caller.get(f"/api/models/list?{query}").json()["items"]] for query in queries * 2]
    assert found[:4] == found[4:] == [["acme/one"], ["acme/two"], ["acme/two", "acme/one"], []]


def test_a_stored_item_goes_with_its_model(api, alice, make_key, make_model):
    model = make_model("acme/one")
    caller = api.with_key(make_key(alice).token)
    first = caller.get("/api/models/acme/one")
    assert caller.get("/api/models/acme/one", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    model.name = "Another"
    model.save()
    assert caller.get("/api/models/acme/one").json()["name"] == "Another"
    model.delete()
    assert caller.get("/api/models/acme/one").status_code == 404


@pytest.mark.parametrize("scopes", [[[1]], {"a": 1}, "models:read", 5, [None]])
def test_scopes_that_no_check_let_in_are_none(api, alice, make_key, scopes):
    caller = api.with_key(make_key(alice, scopes=scopes).token)
    assert [caller.get(path).status_code for path in ("/v1/models", "/api/settings")] == [403, 403]
