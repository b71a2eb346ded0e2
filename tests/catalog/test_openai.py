"""catalog/dialects/openai.py: /v1/models, as clients of OpenAI's API see it (seed 004)."""

from datetime import UTC, date, datetime
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Group

from catalog.editing.entries import edit
from catalog.editing.history import Author
from catalog.models import AIModel

LARGE = {
    "name": "Large",
    "priority": 7,
    "description": "Reads long documents.",
    "context_length": 128_000,
    "max_output_tokens": 16_384,
    "input_modalities": ["text", "image"],
    "output_modalities": ["text"],
    "supports_images": True,
    "supports_tools": True,
    "supports_parallel_tool_calls": True,
    "supports_reasoning_summaries": False,
    "supports_verbosity": True,
    "default_verbosity": "medium",
    "prefer_websockets": False,
    "reasoning_levels": [{"effort": "low", "description": "Sooner."}, {"effort": "high"}],
    "default_reasoning_level": "low",
    "minimal_client_version": "1.2.0",
    "supported_parameters": {"names": ["temperature", "tools"]},
    "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
    "is_moderated": False,
    "released_at": datetime(2026, 1, 1, tzinfo=UTC),
    "retires_at": date(2027, 3, 1),
}


@pytest.fixture
def caller(api, alice, make_key):
    return api.with_key(make_key(alice).token)


def rows(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def ids(answer):
    return [row["id"] for row in rows(answer)]


def test_a_row_says_all_that_is_known(caller, make_model):
    make_model("acme/large", **LARGE)
    (row,) = rows(caller.get("/v1/models"))
    metadata = row.pop("metadata")
    assert row == {
        "id": "acme/large",
        "object": "model",
        "created": 1767225600,
        "owned_by": "acme",
        "name": "Large",
        "description": "Reads long documents.",
        "context_length": 128_000,
        "context_window": 128_000,
        "max_model_len": 128_000,
        "max_output_tokens": 16_384,
        "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
        "architecture": {
            "modality": "text+image->text",
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
        },
        "supported_parameters": ["temperature", "tools"],
        "top_provider": {"context_length": 128_000, "max_completion_tokens": 16_384, "is_moderated": False},
        "shutdown_date": "2027-03-01",
        "capabilities": ["chat", "vision", "tools"],
    }
    assert metadata == {
        "display_name": "Large",
        "description": "Reads long documents.",
        "context_window": 128_000,
        "max_output_tokens": 16_384,
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "supported_reasoning_levels": [
            {"effort": "low", "description": "Sooner."},
            {"effort": "high", "description": ""},
        ],
        "default_reasoning_level": "low",
        "supports_reasoning_summaries": False,
        "support_verbosity": True,
        "default_verbosity": "medium",
        "prefer_websockets": False,
        "supports_parallel_tool_calls": True,
        "supported_in_api": True,
        "minimal_client_version": "1.2.0",
        "priority": 7,
        "capabilities": ["chat", "vision", "tools"],
        "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
    }


def test_what_is_unknown_is_absent_at_the_top_and_null_in_the_metadata(caller, make_model):
    model = make_model("acme/bare")
    (row,) = rows(caller.get("/v1/models"))
    assert set(row) == {"id", "object", "created", "owned_by", "name", "capabilities", "metadata"}
    assert row["created"] == int(model.created_at.timestamp())
    assert row["metadata"]["pricing"] is None
    assert row["metadata"]["context_window"] is None
    assert row["metadata"]["supported_reasoning_levels"] == []


def test_free_is_zero_and_no_unknown_price_is_made_up(caller, make_model):
    make_model("acme/free", pricing={"prompt": "0", "completion": "0"})
    make_model("acme/half", pricing={"prompt": "0.000001"})
    prices = {row["id"]: row["pricing"] for row in rows(caller.get("/v1/models"))}
    assert prices == {"acme/free": {"prompt": "0", "completion": "0"}, "acme/half": {"prompt": "0.000001"}}


def test_the_created_date_is_the_models_own_and_stays(caller, make_model):
    model = make_model("acme/large")
    before = rows(caller.get("/v1/models"))[0]["created"]
    edit(model, {"description": "Other words."}, Author.curated())
    after = rows(caller.get("/v1/models"))[0]
    assert (after["created"], after["description"]) == (before, "Other words.")


def test_the_highest_priority_comes_first_then_the_id(caller, make_model):
    for model_id, priority in (("acme/b", 0), ("acme/a", 0), ("Acme/z", 0), ("zeta/z", 5), ("acme/c", -1)):
        make_model(model_id, priority=priority)
    assert ids(caller.get("/v1/models")) == ["zeta/z", "Acme/z", "acme/a", "acme/b", "acme/c"]


@pytest.mark.parametrize(
    "fields",
    [
        {"active": False},
        {"hidden": True},
        {"is_available": False},
        {"enabled_by_default": False},
        {"supported_in_api": False},
        {"experimental": True},
        {"requires_feature_flag": "beta"},
        {"restricted": True},
    ],
)
def test_a_model_that_the_caller_may_not_use_answers_as_an_unknown_one(caller, make_model, fields):
    make_model("acme/here")
    make_model("acme/away", **fields)
    assert ids(caller.get("/v1/models")) == ["acme/here"]
    away, unknown = caller.get("/v1/models/acme/away"), caller.get("/v1/models/acme/none")
    assert away.status_code == unknown.status_code == 404
    assert away.content == unknown.content.replace(b"acme/none", b"acme/away")
    assert caller.get("/v1/models/acme/here").status_code == 200


def test_an_unknown_model_is_named_in_openais_envelope(caller):
    answer = caller.get("/v1/models/acme/none")
    assert answer.json() == {
        "error": {
            "message": "The model 'acme/none' does not exist or you do not have access to it.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
    }


@pytest.mark.parametrize(
    "model_id",
    ["openai/gpt-4o", "meta/llama-3:free", "qwen2.5:1.5b", "a//b", "a/../b", "..", ".", "a%2Fb", "x?y", "x#y", "a+b",
     "a;b", "a@b", "~acme/latest", "é/ü", "list", "acme/x/"],
)  # fmt: skip
def test_every_id_is_reached_by_percent_encoding_it_once(caller, make_model, model_id):
    make_model(model_id)
    make_model("other/one")
    answer = caller.get(f"/v1/models/{quote(model_id, safe='')}")
    assert (answer.status_code, answer.json().get("id")) == (200, model_id)
    assert answer.json() in rows(caller.get("/v1/models"))


def test_slashes_and_colons_may_come_raw(caller, make_model):
    make_model("meta/llama-3:free")
    forms = ("meta/llama-3:free", "meta%2Fllama-3%3Afree", "meta%2fllama-3:free")
    assert len({caller.get(f"/v1/models/{form}").content for form in forms}) == 1
    assert caller.get("/v1/models/meta%252Fllama-3:free").status_code == 404
    assert caller.get("/v1/models/Meta/llama-3:free").status_code == 404


@pytest.mark.parametrize("path", ["%00", "%FF", "%ED%A0%80", "%0d%0aX-A:1", "x" * 3900, "%2e%2e/%2e%2e/etc/passwd"])
def test_odd_paths_are_404_in_the_envelope(caller, path):
    answer = caller.get(f"/v1/models/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] in ("model_not_found", "not_found")
    assert "X-A" not in answer.headers
    assert len(answer.content) < 1000


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/chat/completions", "/v1/model"])
def test_an_unknown_route_is_404_in_the_envelope(caller, path):
    answer = caller.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/acme/x"])
def test_other_methods_are_405_and_say_which_there_are(caller, method, path):
    answer = getattr(caller, method)(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_head_is_get_without_the_body(caller, make_model):
    make_model("acme/x")
    got, head = caller.get("/v1/models"), caller.head("/v1/models")
    assert (head.status_code, head.headers["ETag"]) == (200, got.headers["ETag"])


@pytest.mark.parametrize("query", ["version=0.169.0", "limit=5&after_id=x", "user=a", "a=1&a=2&="])
def test_clients_bring_query_parameters_of_their_own(caller, make_model, query):
    make_model("acme/x")
    assert ids(caller.get(f"/v1/models?{query}")) == ["acme/x"]


def test_nothing_to_show_is_an_empty_list(caller):
    answer = caller.get("/v1/models")
    assert (answer.status_code, answer.json()) == (200, {"object": "list", "data": []})


def test_a_caller_without_a_credential_is_401_in_the_envelope(api):
    for path in ("/v1/models", "/v1/models/acme/x"):
        answer = api.get(path)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_a_wrong_key_is_401_beside_a_session_too(api, alice):
    answer = api.as_(alice).get("/v1/models", headers={"Authorization": "Bearer ' OR 1=1--"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


def test_a_session_is_a_credential(api, alice, make_model):
    make_model("acme/x")
    assert ids(api.as_(alice).get("/v1/models")) == ["acme/x"]


def test_a_key_without_the_scope_is_403_in_the_envelope(api, alice, make_key):
    answer = api.with_key(make_key(alice, scopes=["preferences:write"]).token).get("/v1/models")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "insufficient_permissions")
    assert "models:read" in answer.json()["error"]["message"]


def test_a_key_over_its_limit_is_429_in_the_envelope(api, alice, make_key):
    caller = api.with_key(make_key(alice, per_minute=1).token)
    assert caller.get("/v1/models").status_code == 200
    answer = caller.get("/v1/models", headers={"If-None-Match": "*"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_a_fault_of_ours_is_500_in_the_envelope(caller, monkeypatch):
    monkeypatch.setattr("catalog.dialects.views.OpenAIModelViewSet.rendered_answer", lambda *_: 1 / 0)
    answer = caller.get("/v1/models")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "server_error")
    assert "ZeroDivision" not in answer.content.decode()


def test_a_restricted_key_gets_what_its_policy_names(api, alice, make_model, make_key):
    for model_id in ("openai/gpt-4.1", "openai/gpt-4x1-secret", "OpenAI/gpt-4.1", "acme/x"):
        make_model(model_id)
    assert ids(api.with_key(make_key(alice, allow=["openai/gpt-4.1*"]).token).get("/v1/models")) == ["openai/gpt-4.1"]
    denied = make_key(alice, deny=["openai/*"]).token
    assert ids(api.with_key(denied).get("/v1/models")) == ["OpenAI/gpt-4.1", "acme/x"]
    assert api.with_key(denied).get("/v1/models/openai/gpt-4.1").status_code == 404


def test_a_key_whose_only_model_is_retired_gets_nothing_until_it_returns(api, alice, make_model, make_key):
    model = make_model("acme/x")
    make_model("acme/y")
    caller = api.with_key(make_key(alice, allow=["acme/x"]).token)
    for is_available, expected in ((True, ["acme/x"]), (False, []), (True, ["acme/x"])):
        AIModel.objects.filter(pk=model.pk).update(is_available=is_available)
        assert ids(caller.get("/v1/models")) == expected


def test_a_custom_model_is_served_with_the_facts_of_its_base_model(api, alice, bob, make_model, make_key):
    base = make_model("acme/large", **LARGE)
    make_model("tutor", owner=alice, base_model=base, name="Tutor")
    own = {row["id"]: row for row in rows(api.with_key(make_key(alice).token).get("/v1/models"))}
    assert own["tutor"]["context_length"] == 128_000
    assert own["tutor"]["owned_by"] == "user"
    assert ids(api.with_key(make_key(bob).token).get("/v1/models")) == ["acme/large"]


def test_a_change_of_groups_grants_or_flags_holds_on_the_next_request(api, make_user, make_model, make_key, hold_flag):
    carol = make_user("carol")
    group = Group.objects.create(name="research")
    make_model("acme/granted", restricted=True, granted_to=group)
    make_model("acme/flagged", requires_feature_flag="beta")
    caller = api.with_key(make_key(carol).token)
    assert ids(caller.get("/v1/models")) == []
    carol.groups.add(group)
    assert ids(caller.get("/v1/models")) == ["acme/granted"]
    flag = hold_flag("beta", carol)
    assert ids(caller.get("/v1/models")) == ["acme/flagged", "acme/granted"]
    flag.users.clear()
    carol.groups.clear()
    assert ids(caller.get("/v1/models")) == []


def test_a_slash_at_the_end_of_the_list_changes_nothing(api, alice, make_model, make_key):
    make_model("acme/large")
    caller = api.with_key(make_key(alice).token)
    plain, slash = caller.get("/v1/models"), caller.get("/v1/models/")
    assert (slash.status_code, slash.content, slash["ETag"]) == (200, plain.content, plain["ETag"])
    assert caller.head("/v1/models/").status_code == 200
    assert caller.post("/v1/models/", {}).status_code == 405
    assert api.get("/v1/models/").status_code == 401
    assert "/v1/models/" not in api.get("/api/schema").json()["paths"]
