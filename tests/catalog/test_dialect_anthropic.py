"""catalog/dialects/anthropic.py: /v1/models as Anthropic's clients ask for it and read it."""

from datetime import UTC, date, datetime

import pytest

VERSION = {"anthropic-version": "2023-06-01"}


@pytest.fixture
def token(alice, make_key):
    return make_key(alice).token


@pytest.fixture
def ask(api, token):
    return lambda path, **headers: api.with_key(token).get(path, headers={**VERSION, **headers})


@pytest.fixture
def five(make_model):
    """The newest first, and of two of one day by id: e d b c a."""
    days = {"a": 1, "b": 2, "c": 2, "d": 3, "e": 4}
    for name, day in days.items():
        make_model(f"acme/{name}", released_at=datetime(2026, 1, day, tzinfo=UTC), priority=-day)


def ids(answer):
    assert answer.status_code == 200, answer.content
    return [row["id"].removeprefix("acme/") for row in answer.json()["data"]]


def refused(answer, status, word):
    body = answer.json()
    assert (answer.status_code, body["type"], body["error"]["type"]) == (status, "error", word)
    assert body["request_id"] == answer["request-id"] == answer["X-Request-Id"]


def test_a_row_says_what_is_known_and_null_elsewhere(ask, make_model):
    made = datetime(2026, 1, 1, tzinfo=UTC)
    make_model("acme/large", name="Large", context_length=9, released_at=made, retires_at=date(2027, 3, 1))
    make_model("acme/vectors", supports_embeddings=True)
    assert ask("/v1/models").json() == {
        "data": [
            {
                "type": "model",
                "id": "acme/large",
                "display_name": "Large",
                "created_at": "2026-01-01T00:00:00Z",
                "lifecycle": "deprecated",
                "deprecated_at": None,
                "retires_at": "2027-03-01T00:00:00Z",
                "max_input_tokens": 9,
                "max_tokens": None,
                "capabilities": None,
                "line": None,
            }
        ],
        "has_more": False,
        "first_id": "acme/large",
        "last_id": "acme/large",
    }
    assert ask("/v1/models/acme%2Flarge").json() == ask("/v1/models").json()["data"][0]


@pytest.mark.parametrize(
    ("query", "expected", "has_more"),
    [
        ("", "edbca", False),
        ("?limit=2", "ed", True),
        ("?limit=2&after_id=acme/d", "bc", True),
        ("?limit=2&after_id=acme/c", "a", False),
        ("?after_id=acme/a", "", False),
        ("?limit=2&before_id=acme/a", "bc", True),
        ("?limit=2&before_id=acme/b", "ed", False),
        ("?before_id=acme/e", "", False),
        ("?limit=1000&lifecycle=active&lifecycle=retired", "edbca", False),
        ("?lifecycle=deprecated", "", False),
    ],
)
def test_a_page_goes_on_from_its_cursor_in_both_directions(ask, five, query, expected, has_more):
    answer = ask(f"/v1/models{query}")
    assert (ids(answer), answer.json()["has_more"]) == ([*expected], has_more)
    ends = (f"acme/{expected[0]}", f"acme/{expected[-1]}") if expected else (None, None)
    assert (answer.json()["first_id"], answer.json()["last_id"]) == ends


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "after_id=no/such", "before_id=acme/hidden", "lifecycle=none",
     "after_id=acme/a&before_id=acme/b"],
)  # fmt: skip
def test_a_page_that_cannot_be_is_refused_whatever_the_caller_holds(ask, five, make_model, query):
    make_model("acme/hidden", hidden=True)
    refused(ask(f"/v1/models?{query}", **{"If-None-Match": "*"}), 400, "invalid_request_error")


def test_each_refusal_is_in_anthropics_envelope(api, ask, alice, make_key):
    refused(ask("/v1/models/no/such"), 404, "not_found_error")
    refused(ask("/v1/messages"), 404, "not_found_error")
    refused(
        api.post("/v1/models", headers=VERSION | {"x-api-key": make_key(alice).token}), 405, "invalid_request_error"
    )
    refused(api.get("/v1/models", headers=VERSION), 401, "authentication_error")
    narrow = make_key(alice, scopes=["preferences:write"], per_minute=1).token
    refused(api.with_key(narrow).get("/v1/models", headers=VERSION), 403, "permission_error")
    refused(api.with_key(narrow).get("/v1/models", headers=VERSION), 429, "rate_limit_error")
    refused(api.post("/v1/models", headers=VERSION, CONTENT_LENGTH="99999999"), 413, "request_too_large")


def test_a_key_comes_in_either_header_and_two_that_differ_are_refused(api, alice, make_key, token, five):
    other = make_key(alice).token
    for headers, status in (
        ({"x-api-key": token}, 200),
        ({"x-api-key": token, "Authorization": f"Bearer {token}"}, 200),
        ({"x-api-key": other, "Authorization": f"Bearer {token}"}, 401),
        ({"x-api-key": "sk-ant-x", "Authorization": f"Bearer {token}"}, 401),
        ({"x-api-key": token, "Authorization": "Basic YTpi"}, 401),
        ({"x-api-key": ""}, 401),
    ):
        assert api.get("/v1/models", headers=VERSION | headers).status_code == status, headers


@pytest.mark.parametrize("path", ["/v1/models", "/api/models/list", "/v1/models?anthropic-version=1"])
def test_the_header_is_no_credential_where_nobody_speaks_anthropics(api, token, path):
    answer = api.get(path, headers={"x-api-key": token})
    assert answer.status_code == 401
    refusal = {"x-api-key": "another", "Authorization": f"Bearer {token}"}
    assert api.get(path, headers=refusal).status_code == 200


def test_each_dialect_of_an_address_has_its_own_tag(ask, api, token, five):
    anthropic, openai = ask("/v1/models"), api.with_key(token).get("/v1/models")
    assert anthropic["ETag"] != openai["ETag"] != ask("/v1/models?limit=2")["ETag"] != anthropic["ETag"]
    assert ask("/v1/models", **{"If-None-Match": anthropic["ETag"]}).status_code == 304
    assert ask("/v1/models", **{"If-None-Match": openai["ETag"]}).status_code == 200
    assert {"anthropic-version", "x-api-key", "Authorization"} <= {*openai["Vary"].split(", ")}


def test_the_header_is_no_credential_at_an_address_that_only_comes_to_one(api, token):
    answer = api.get("/api/models/../../v1/models", headers=VERSION | {"x-api-key": "no key"})
    assert answer.status_code == 404
