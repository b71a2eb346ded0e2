"""catalog/dialects: what every dialect of the registry promises, and the rows of the smaller ones."""

from datetime import UTC, date, datetime

import pytest
from django.db import OperationalError

from catalog.access.callers import caller_of
from catalog.api.snapshot import CatalogBusy, snapshot
from catalog.dialects.base import Rows
from catalog.dialects.registry import DIALECTS
from catalog.models import AIModel
from config.api import protocols

ODD = ("acme/large", "org/deep/er:Q4_K_M", "plain-id", "é/ü", "~acme/latest")
PRICES = {"prompt": "0.000001", "completion": "0.000002"}


def every(dialects):
    return pytest.mark.parametrize("dialect", dialects, ids=lambda dialect: dialect.name)


# One of a file for each provider has its tests in test_exports.py.
every_dialect = every([dialect for dialect in DIALECTS if "{provider}" not in dialect.address])
# Exports are asked without a header, and refuse in our own envelope: test_exports.py.
every_dialect_with_a_key = every([dialect for dialect in DIALECTS if "{token}" not in dialect.address])


@pytest.fixture
def issued(alice, make_key):
    return make_key(alice)


@pytest.fixture
def caller(api, issued):
    return api.with_key(issued.token)


@pytest.fixture
def ask(caller, issued, make_export):
    token = make_export(issued.key)
    return lambda dialect, **headers: caller.get(
        dialect.address.replace("{token}", token), headers={**dict(dialect.headers), **headers}
    )


def texts(body):
    if isinstance(body, dict | list):
        return set().union(*map(texts, body.values() if isinstance(body, dict) else body))
    return {body.removeprefix("models/")} if isinstance(body, str) else set()


@every_dialect
def test_a_list_is_304_for_who_holds_it_and_new_after_a_change(ask, make_model, dialect):
    model = make_model("acme/large", pricing=PRICES)
    tag = ask(dialect)["ETag"]
    assert ask(dialect, **{"If-None-Match": tag}).status_code == 304
    make_model("acme/small", pricing=PRICES)
    assert {"acme/large", "acme/small"} <= texts(ask(dialect, **{"If-None-Match": tag}).json())
    AIModel.objects.filter(pk=model.pk).update(supported_in_api=False)
    assert "acme/large" not in texts(ask(dialect, **{"If-None-Match": tag}).json())


@every_dialect
def test_a_change_makes_only_the_changed_rows_again(ask, make_model, monkeypatch, dialect):
    models = [make_model(f"acme/{n}", pricing=PRICES) for n in range(3)]
    made, make = [], Rows._made
    monkeypatch.setattr(Rows, "_made", lambda self, model: made.append(model.model_id) or make(self, model))
    ask(dialect)
    ask(dialect)
    assert sorted(made) == ([] if dialect.name == "openai" else ["acme/0", "acme/1", "acme/2"])
    made.clear()
    AIModel.objects.filter(pk=models[1].pk).update(context_length=9)
    ask(dialect)
    assert made == ([] if dialect.name == "openai" else ["acme/1"])


@every_dialect
def test_the_list_that_staff_are_shown_is_the_one_that_is_answered(ask, alice, make_model, dialect):
    for model_id in ODD:
        make_model(model_id, pricing=PRICES)
    answer = ask(dialect)
    assert {*ODD} <= texts(answer.json())
    assert dialect.whole(snapshot.view(caller_of(alice), lambda: caller_of(alice))) == answer.content


@every_dialect
def test_a_price_that_nobody_knows_is_never_zero(ask, make_model, dialect):
    make_model("acme/dear", pricing={"prompt": "0", "completion": "0", "image": "0.04"}, context_length=8192)
    make_model("acme/bare")
    body = ask(dialect).content
    assert b'"0"' not in body or dialect.name == "openai"
    assert not any(word in body for word in (b"cost_per_token", b'"input":'))


@every_dialect_with_a_key
@pytest.mark.parametrize(
    ("method", "tail", "sent", "status"),
    [
        ("GET", "", {"HTTP_AUTHORIZATION": "Bearer x"}, 401),
        ("PATCH", "", {}, 405),
        ("GET", "/no/such", {}, 404),
        ("GET", "/../no/such", {}, 404),
        ("POST", "", {"CONTENT_LENGTH": "99999999"}, 413),
        ("GET", "?%00", {}, 400),
    ],
)
def test_every_refusal_is_in_the_dialects_envelope(api, alice, make_key, dialect, method, tail, sent, status):
    key = {"HTTP_AUTHORIZATION": f"Bearer {make_key(alice).token}"}
    answer = api.generic(method, dialect.address.partition("?")[0] + tail, **key | chosen(dialect) | sent)
    check_envelope(answer, dialect, status)


@every_dialect_with_a_key
@pytest.mark.parametrize(
    ("fields", "error", "status"),
    [
        ({"scopes": []}, None, 403),
        ({"per_minute": 1}, None, 429),
        ({}, CatalogBusy("The catalog is being changed."), 503),
        ({}, OperationalError("the connection was lost"), 503),
        ({}, ZeroDivisionError(), 500),
    ],
)
def test_a_refusal_that_is_known_late_is_in_it_too(
    api, alice, make_key, make_model, monkeypatch, dialect, fields, error, status
):
    caller = api.with_key(make_key(alice, **fields).token)
    caller.get(dialect.address, **chosen(dialect))
    make_model("acme/new")
    if error:
        monkeypatch.setattr(snapshot, "view", lambda *_: raise_(error))
    check_envelope(caller.get(dialect.address, **chosen(dialect)), dialect, status)


def raise_(error):
    raise error


def chosen(dialect):
    return {protocols.meta_name(name): value for name, value in dialect.headers}


def check_envelope(answer, dialect, status):
    spoken = protocols.of(dialect.address, chosen(dialect))
    expected = spoken.envelope(protocols.RefusalDetails(status, "code", "message", "id"))
    assert (answer.status_code, shape(answer.json())) == (status, shape(expected))


def shape(body):
    return {name: shape(inner) for name, inner in body.items()} if isinstance(body, dict) else None


LARGE = {
    "name": "Large",
    "context_length": 128_000,
    "max_output_tokens": 4096,
    "input_modalities": ["text", "image"],
    "output_modalities": ["text"],
    "supports_images": True,
    "supports_tools": True,
    "supports_reasoning": True,
    "pricing": {"prompt": "0.0000025", "completion": "0.00001", "input_cache_read": "0.00000000028"},
    "released_at": datetime(2026, 1, 1, tzinfo=UTC),
    "retires_at": date(2999, 3, 1),
}


def test_litellm_has_limits_and_prices_as_numbers_and_nothing_where_they_are_unknown(caller, make_model):
    make_model("acme/large", **LARGE)
    make_model("acme/vectors", supports_embeddings=True)
    large, vectors = caller.get("/v1/model/info").json()["data"]
    assert large == {
        "model_name": "acme/large",
        "litellm_params": {"model": "acme/large"},
        "model_info": {
            "id": "acme/large",
            "mode": "chat",
            "litellm_provider": "acme",
            "max_tokens": 4096,
            "max_input_tokens": 128_000,
            "max_output_tokens": 4096,
            "input_cost_per_token": 2.5e-06,
            "output_cost_per_token": 1e-05,
            "cache_read_input_token_cost": 2.8e-10,
            "supports_vision": True,
            "supports_function_calling": True,
            "supports_reasoning": True,
            "supports_prompt_caching": True,
            "deprecation_date": "2999-03-01",
        },
    }
    assert vectors["model_info"] == {"id": "acme/vectors", "mode": "embedding", "litellm_provider": "acme"}


@pytest.mark.parametrize("path", ["/v1/models", "/v1/model/info"])
def test_rows_that_lack_what_is_required_are_left_out(caller, make_model, path):
    make_model("acme/whole", **LARGE)
    make_model("acme/half", **{**LARGE, "pricing": {"prompt": "0.1"}})
    make_model("acme/short", **{**LARGE, "context_length": None})

    def found(query):
        return {text for text in texts(caller.get(path + query).json()) if text.startswith("acme/")}

    assert found("") == {"acme/whole", "acme/half", "acme/short"}
    assert found("?require=pricing") == {"acme/whole", "acme/short"}
    assert (
        found("?require=pricing,context_length") == found("?require=pricing&require=context_length") == {"acme/whole"}
    )
    assert caller.get(f"{path}?require=wings").status_code == 400


def test_openrouters_row_has_all_that_its_sdk_wants_and_minus_one_for_an_unknown_price(caller, make_model):
    windows = [{"prompt": "0.1", "utc_start": 100, "utc_end": 2300}, {"prompt": "0.1", "utc_start": "100"}]
    make_model("acme/large", **{**LARGE, "pricing": {"prompt": "0.0000025", "overrides": windows}})
    answer = caller.get("/openrouter/api/v1/models").json()
    (row,) = answer["data"]
    assert (answer["links"], answer["total_count"]) == ({"next": None}, 1)
    assert row["pricing"] == {"prompt": "0.0000025", "completion": "-1", "overrides": windows[:1]}
    assert row["top_provider"] == {"context_length": 128_000, "max_completion_tokens": 4096, "is_moderated": False}
    assert (row["expiration_date"], row["supported_parameters"]) == ("2999-03-01", [])
    assert caller.get("/openrouter/api/v1/model/acme%2Flarge").json() == {"data": row}
    assert caller.get("/openrouter/api/v1/models/count").json() == {"data": {"count": 1}}


def test_openrouters_offset_counts_without_a_limit_too(caller, make_model):
    for n in range(5):
        make_model(f"acme/{n}")

    def page(query, path="models"):
        body = caller.get(f"/openrouter/api/v1/{path}?{query}").json()
        return "".join(row["id"].removeprefix("acme/") for row in body["data"]), body["total_count"]

    assert [page(query) for query in ("", "offset=3", "offset=1&limit=2", "limit=2", "offset=9")] == [
        ("01234", 5), ("34", 5), ("12", 5), ("01", 5), ("", 5),
    ]  # fmt: skip
    assert page("offset=4", "models/user") == ("4", 5)
    for query in ("offset=-1", "limit=0", "limit=x"):
        assert caller.get(f"/openrouter/api/v1/models?{query}").json()["error"]["code"] == 400


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_googles_pages_give_each_model_once(caller, make_model, version):
    for model_id in ODD:
        make_model(model_id)
    token, found = "", []
    while token is not None:
        page = caller.get(f"/google/{version}/models", {"pageSize": 2, "pageToken": token}).json()
        found += [row["name"].removeprefix("models/") for row in page["models"]]
        token = page.get("nextPageToken")
    assert sorted(found) == sorted(ODD)
    assert caller.get(f"/google/{version}/models?pageToken=no/such").json()["error"]["status"] == "INVALID_ARGUMENT"
    assert len(caller.get(f"/google/{version}/models?pageSize=5000").json()["models"]) == len(ODD)


def test_googles_row_names_limits_and_methods(api, alice, make_key, make_model):
    make_model("acme/large", **LARGE)
    make_model("acme/vectors", supports_embeddings=True)
    key = {"x-goog-api-key": make_key(alice).token}
    large, vectors = api.get("/google/v1beta/models", headers=key).json()["models"]
    assert large == {
        "name": "models/acme/large",
        "displayName": "Large",
        "inputTokenLimit": 128_000,
        "outputTokenLimit": 4096,
        "supportedGenerationMethods": ["generateContent"],
    }
    assert vectors["supportedGenerationMethods"] == ["embedContent"]
    assert api.get("/google/v1/models/acme%2Flarge", headers=key).json() == large
    assert api.get("/v1/models", headers=key).status_code == 401


def test_the_gateway_gives_prices_as_text_only_where_both_are_known(caller, make_model):
    make_model("acme/large", **LARGE)
    make_model("acme/half", pricing={"prompt": "0.1"})
    make_model("acme/guard", task="moderation")
    half, large = caller.get("/gateway/v3/ai/config").json()["models"]
    assert large == {
        "id": "acme/large",
        "name": "Large",
        "specification": {"specificationVersion": "v3", "provider": "acme", "modelId": "acme/large"},
        "pricing": {"input": "0.0000025", "output": "0.00001", "input_cache_read": "0.00000000028"},
        "modelType": "language",
    }
    assert "pricing" not in half


def test_ollama_lists_and_shows_what_runs_elsewhere(caller, make_model):
    make_model("acme/large", **LARGE)
    make_model("acme/voice", task="speech")
    (row,) = caller.get("/ollama/api/tags").json()["models"]
    assert (row["name"], row["model"], row["size"]) == ("acme/large", "acme/large", 0)
    shown = caller.post("/ollama/api/show", {"model": "acme/large", "verbose": True})
    assert shown.json()["model_info"]["unknown.context_length"] == 128_000
    assert shown.json()["capabilities"] == ["completion", "vision", "tools", "thinking"]
    assert caller.get("/ollama/api/version").json().keys() == {"version"}
    for sent, status in (({"model": "acme/voice"}, 404), ({"model": 5}, 400), ({}, 400), ([], 400)):
        answer = caller.post("/ollama/api/show", sent)
        assert (answer.status_code, answer.json().keys()) == (status, {"error"})
