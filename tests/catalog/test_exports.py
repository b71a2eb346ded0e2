"""catalog/dialects: the files that clients without a header read, each in the shape that its client needs."""

import json

import pytest
from django.urls import reverse
from django.utils import timezone

from apikeys.models import ExportToken
from catalog.access.callers import caller_of
from catalog.api.snapshot import snapshot
from catalog.dialects import mlflow
from catalog.editing.history import Author, change_row
from catalog.models import FieldChange
from tests.catalog.test_dialects import LARGE

pytestmark = pytest.mark.django_db
FILES = ("api.json", "model_prices_and_context_window.json", "mlflow/acme.json", "genai-prices.json")


@pytest.fixture
def get(api, alice, make_key, make_export):
    token = make_export(make_key(alice).key)
    return lambda name, **headers: api.get(f"/export/{token}/{name}", headers=headers)


def test_models_dev_has_a_provider_an_author_and_limits_as_numbers(get, make_model, settings):
    settings.EXPORT_API_URL = "https://gateway.example/v1"
    make_model("acme/large", **LARGE | {"input_modalities": ["text", "file"], "supports_structured_output": True})
    make_model("org/deep/er:Q4_K_M")
    make_model("~acme/latest", pricing={"prompt": "0.1"})
    found = get("api.json").json()
    assert found.keys() == {"acme", "org", "~acme"}
    large = found["acme"]["models"].pop("large")
    assert found["acme"] == {
        "id": "acme",
        "name": "acme",
        "env": ["MODELDEX_API_KEY"],
        "npm": "@ai-sdk/openai-compatible",
        "api": "https://gateway.example/v1",
        "models": {},
    }
    assert large == {
        # What opencode calls the address with.
        "id": "acme/large",
        "name": "Large",
        "attachment": True,
        "reasoning": True,
        "tool_call": True,
        "structured_output": True,
        "modalities": {"input": ["text", "pdf"], "output": ["text"]},
        "limit": {"context": 128_000, "output": 4096},
        "cost": {"input": 2.5, "output": 10.0, "cache_read": 0.00028},
    }
    assert found["org"]["models"]["deep/er:Q4_K_M"]["limit"] == {"context": 0, "output": 0}
    assert "cost" not in found["~acme"]["models"]["latest"]


def test_the_file_of_models_dev_is_new_where_the_address_to_call_is(get, make_model, settings):
    make_model("acme/large")
    tag = get("api.json")["ETag"]
    assert get("api.json", **{"If-None-Match": tag}).status_code == 304
    settings.EXPORT_API_NPM = "@ai-sdk/openai"
    again = get("api.json", **{"If-None-Match": tag})
    assert (again.status_code, again.json()["acme"]["npm"]) == (200, "@ai-sdk/openai")


def test_litellms_map_has_each_model_under_the_names_that_gateways_are_called_by(get, make_model):
    make_model("acme/large", **LARGE)
    make_model("anthropic/claude", author="anthropic")
    make_model("~anthropic/latest", author="anthropic")
    make_model("openai/acme/large")
    found = get("model_prices_and_context_window.json").json()
    assert all(isinstance(entry, dict) for entry in found.values())
    large = found["acme/large"]
    assert large == {
        "mode": "chat",
        "litellm_provider": "openai",
        "provider": "acme",
        "base_model": "acme/large",
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
    }
    assert found["litellm_proxy/acme/large"] == large | {"litellm_provider": "litellm_proxy"}
    # A model of that very id goes first.
    assert found["openai/acme/large"]["base_model"] == "openai/acme/large"
    named = {name: found[name]["litellm_provider"] for name in ("anthropic/claude", "~anthropic/latest")}
    assert named == {"anthropic/claude": "anthropic", "~anthropic/latest": "openai"}


def test_mlflow_has_a_file_a_provider_and_an_empty_one_for_what_nobody_knows(get, alice, make_model):
    make_model("acme/large", **LARGE)
    make_model("acme/deep/er")
    make_model("other/large")
    found = get("mlflow/acme.json").json()
    assert found == {
        "schema_version": "1.0",
        "models": {
            "deep/er": {"mode": "chat"},
            "large": {
                "mode": "chat",
                "context_window": {"max_input": 128_000, "max_output": 4096},
                "pricing": {
                    "input_per_million_tokens": 2.5,
                    "output_per_million_tokens": 10.0,
                    "cache_read_per_million_tokens": 0.00028,
                },
                "capabilities": {"function_calling": True, "vision": True, "reasoning": True, "prompt_caching": True},
                "deprecation_date": "2999-03-01",
            },
        },
    }
    nothing = get("mlflow/none.json")
    assert (nothing.status_code, nothing.json()) == (200, {"schema_version": "1.0", "models": {}})
    caller = caller_of(alice)
    shown = json.loads(mlflow.whole(snapshot.view(caller, lambda: caller)))
    assert shown == {"acme": found, "other": get("mlflow/other.json").json()}


def test_genai_prices_has_no_model_without_prices(get, make_model, settings):
    settings.EXPORT_API_URL = "https://gateway.example/v1"
    make_model("acme/large", **LARGE)
    make_model("acme/bare")
    acme, gateway = get("genai-prices.json").json()
    assert acme.pop("models") == [
        {
            "id": "acme/large",
            "name": "Large",
            "match": {"or": [{"equals": "acme/large"}, {"equals": "large"}]},
            "context_window": 128_000,
            "prices": {"input_mtok": 2.5, "output_mtok": 10.0, "cache_read_mtok": 0.00028},
        }
    ]
    assert acme["provider_match"] == {"equals": "acme"}
    assert (gateway["api_pattern"], gateway["fallback_model_providers"]) == (r"https://gateway\.example/v1", ["acme"])


@pytest.mark.parametrize("name", FILES)
def test_an_unknown_price_is_absent_and_left_out_where_that_is_asked(get, make_model, name):
    make_model("acme/bare")
    make_model("acme/dear", pricing={"prompt": "0", "completion": "0", "image": "0.04"})
    body = get(name).content
    assert not any(word in body for word in (b"cost", b"pricing", b"mtok"))
    assert b"bare" not in get(f"{name}?priced=1").content
    make_model("acme/free", pricing={"prompt": "0", "completion": "0"})
    assert b"free" in get(f"{name}?priced=1").content


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_compressed_and_304_for_who_holds_it(get, make_model, name):
    for n in range(20):
        make_model(f"acme/{n}", **LARGE)
    answer = get(name, **{"Accept-Encoding": "gzip"})
    assert (answer["Content-Encoding"], answer["Cache-Control"]) == ("gzip", "private, no-cache")
    assert get(name, **{"If-None-Match": answer["ETag"]}).status_code == 304
    make_model("acme/new", **LARGE)
    assert get(name, **{"If-None-Match": answer["ETag"]}).status_code == 200


def test_a_custom_model_stands_under_the_provider_user(get, alice, make_model):
    make_model("preset", owner=alice, base_model=make_model("acme/large", **LARGE))
    assert get("api.json").json()["user"]["models"].keys() == {"preset"}
    assert get("mlflow/user.json").json()["models"].keys() == {"preset"}
    assert {provider["id"] for provider in get("genai-prices.json").json()} == {"acme", "user"}


def test_a_right_token_opens_no_other_address(get):
    assert get("none.json").status_code == get("mlflow/a/b.json").status_code == 404
    assert reverse("export-modelsdev", args=["t"]) == "/export/t/api.json"


def test_a_feed_reader_gets_what_changed_of_what_the_key_sees(get, make_model):
    for model_id in ("acme/m", "acme/secret"):
        model = make_model(model_id, restricted="secret" in model_id)
        row = change_row(Author.sync(7, "openrouter"), model_id, "created", None, model_id, model=model)
        FieldChange.objects.bulk_create([row])
    answer = get("changes.atom")
    assert answer.headers["Content-Type"].startswith("application/atom+xml")
    text = answer.content.decode()
    assert ("acme/m: It is new." in text, "acme/secret" in text) == (True, False)
    assert get("changes.atom", **{"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_a_feed_whose_token_has_ended_is_one_without_entries(get, make_model):
    model = make_model("acme/m")
    FieldChange.objects.bulk_create([change_row(Author.sync(7, "x"), "acme/m", "created", None, "acme/m", model=model)])
    ExportToken.objects.update(revoked_at=timezone.now())
    answer = get("changes.atom")
    assert (answer.status_code, b"<entry>" in answer.content, b"</feed>" in answer.content) == (200, False, True)
