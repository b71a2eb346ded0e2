"""providers/lists/upstream.py: lists of a real server that is up, without a key, down, slow, wrong, or another."""

import json
import socket
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from providers.models import ProviderCopy
from tests import upstreams

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "sk-or-v1-a-secret-of-the-tests"
MODELS = {
    "data": [
        {
            "id": "openai/gpt-4o-mini",
            "name": "OpenAI: GPT-4o-mini",
            "created": 1721260800,
            "context_length": 128000,
            "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
            "pricing": {"prompt": "0.00000015", "completion": "0.0000006"},
            "top_provider": {"context_length": 128000, "max_completion_tokens": 16384, "is_moderated": True},
            "supported_parameters": ["tools"],
        },
        {
            "id": "openrouter/auto",
            "name": "Auto Router",
            "created": 1699401600,
            "context_length": 2000000,
            "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
            "pricing": {"prompt": "-1", "completion": "-1"},
            "top_provider": {"context_length": None, "max_completion_tokens": None, "is_moderated": False},
            "supported_parameters": [],
        },
    ]
}
EMBEDDINGS = {
    "data": [
        {
            "id": "openai/text-embedding-3-small",
            "name": "OpenAI: Text Embedding 3 Small",
            "created": 1761862866,
            "description": "Gives 1536-dimensional vectors.",
            "context_length": 8192,
            "architecture": {"input_modalities": ["text"], "output_modalities": ["embeddings"]},
            "pricing": {"prompt": "0.00000002", "completion": "0"},
            "top_provider": {"context_length": 8192, "max_completion_tokens": None, "is_moderated": False},
        }
    ]
}


def local(name, size=986_061_892, capabilities=None, family="qwen2"):
    details = {"family": family, "families": [family], "parameter_size": "1.5B", "quantization_level": "Q4_K_M"}
    record = {"name": name, "model": name, "size": size, "digest": "ab", "details": details}
    return record if capabilities is None else {**record, "capabilities": capabilities}


TAGS = {
    "models": [local("qwen2.5:1.5b", capabilities=["completion", "tools"]), local("bge:1", capabilities=["embedding"])]
}
OLD_TAGS = {"models": [local("qwen2.5:1.5b"), local("nomic-embed-text:latest", family="nomic-bert"), local("odd:1")]}


@pytest.fixture
def answered_list(api, alice, upstream, make_provider, settings):
    """`answered_list("openrouter")`: the list as alice gets it, of an upstream that the test has scripted."""
    settings.OPENROUTER_BASE_URL = upstream.url + "/api/v1"
    settings.OPENAI_BASE_URL = upstream.url + "/v1"
    settings.OLLAMA_BASE_URL = upstream.url
    settings.OPENROUTER_API_KEY = settings.OPENAI_API_KEY = KEY
    for slug in ("openrouter", "openai", "ollama"):
        make_provider(slug)

    def get(path):
        response = api.as_(alice).get(f"/api/models/{path}")
        assert response.status_code == 200
        assert KEY not in response.content.decode()
        return response.json()["data"]

    return get


@pytest.fixture
def nobody():
    """The address of a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def old(db):
    """`old(minutes=6)`: every copy as if it had been fetched so long ago."""
    return lambda **past: ProviderCopy.objects.update(
        fetched_at=timezone.now() - timedelta(**past), renewing_until=None
    )


def test_openrouter_up(answered_list, upstream):
    upstream.serve("/api/v1/models", MODELS)
    found = answered_list("openrouter")
    assert (found["source"], found["total"], len(upstream.requests)) == ("api", 2, 1)
    assert found["models"] == [
        {
            "id": "openai/gpt-4o-mini",
            "name": "GPT-4o-mini",
            "provider": "OpenAI",
            "context": 128000,
            "pricing": {"prompt": "0.00000015", "completion": "0.0000006"},
        },
        # The price of a router is that of the model it picks: unknown, neither negative nor free.
        {"id": "openrouter/auto", "name": "Auto Router", "provider": "OpenRouter", "context": 2000000},
    ]


def test_openrouters_embeddings_up(answered_list, upstream):
    upstream.serve("/api/v1/embeddings/models", EMBEDDINGS)
    found = answered_list("openrouter/embeddings")
    assert (found["source"], found["total"]) == ("api", 1)
    assert found["models"][0] == {
        "id": "openai/text-embedding-3-small",
        "name": "Text Embedding 3 Small",
        "provider": "OpenAI",
        "dimensions": 1536,
        "context": 8192,
        "cost_per_million": "$0.02",
    }


def test_openai_up(answered_list, upstream, make_model):
    make_model("openai/gpt-4o", name="GPT-4o", context_length=128000)
    upstream.serve("/v1/models", {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "created": 1}]})
    found = answered_list("openai")
    assert (found["source"], upstream.requests[0].headers["authorization"]) == ("api", f"Bearer {KEY}")
    assert found["models"] == [{"id": "gpt-4o", "name": "GPT-4o", "provider": "OpenAI", "context": 128000}]


@pytest.mark.parametrize(("path", "count"), [("openrouter", 23), ("openrouter/embeddings", 21), ("openai", 9)])
def test_without_a_key_upstream_is_not_asked(answered_list, upstream, settings, path, count):
    settings.OPENROUTER_API_KEY = settings.OPENAI_API_KEY = ""
    found = answered_list(path)
    assert (found["source"], len(found["models"]), upstream.connections) == ("curated", count, 0)


WRONG = {
    "an error": upstreams.answer(500, {"error": {"message": "down"}}),
    "a refused key": upstreams.answer(401, {"error": {"message": f"bad key {KEY}"}}),
    "a busy server": upstreams.answer(429, b"", {"Retry-After": "5"}),
    "a web page": upstreams.html(),
    "an error within 200": upstreams.answer(200, {"error": {"message": "no"}}),
    "an empty list": upstreams.answer(200, {"data": []}),
    "no list": upstreams.answer(200, {"data": None}),
    "a list of junk": upstreams.answer(200, {"data": [None, 5, {}]}),
    "half an answer": upstreams.truncated(MODELS, 200),
    "a redirect": upstreams.redirect("http://127.0.0.1:1/"),
    "a reset": upstreams.reset(),
    "nothing": upstreams.answer(200, b""),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("path", ["openrouter", "openrouter/embeddings"])
def test_openrouter_wrong(answered_list, upstream, wrong, path):
    upstream.on("/api/v1/models" if path == "openrouter" else "/api/v1/embeddings/models", WRONG[wrong])
    found = answered_list(path)
    assert (found["source"], "total" in found, len(upstream.requests)) == ("curated_fallback", False, 1)
    assert len(found["models"]) == (23 if path == "openrouter" else 21)


@pytest.mark.alone
def test_openrouter_down(answered_list, settings, nobody):
    settings.OPENROUTER_BASE_URL = nobody + "/api/v1"
    began = time.monotonic()
    assert answered_list("openrouter")["source"] == "curated_fallback"
    assert time.monotonic() - began < 1


@pytest.mark.alone
@pytest.mark.parametrize("scenario", ["silent", "drip", "slow headers", "slow"])
def test_an_upstream_that_does_not_answer_in_time_holds_nobody(answered_list, upstream, old, scenario, monkeypatch):
    scenarios = {
        "silent": upstreams.silent(),
        "drip": upstreams.drip(0.2),
        "slow headers": upstreams.slow_headers(0.2),
        "slow": upstreams.delayed(5, upstreams.answer(200, MODELS)),
    }
    monkeypatch.setattr("providers.lists.cache.FETCH_DEADLINE", 0.6)
    monkeypatch.setattr("providers.lists.cache.LONGEST_WAIT", 0.9)
    upstream.on("/api/v1/models", scenarios[scenario])
    began = time.monotonic()
    assert answered_list("openrouter")["source"] == "curated_fallback"
    assert time.monotonic() - began < 1.5
    began = time.monotonic()
    assert answered_list("openrouter")["source"] == "curated_fallback"
    assert time.monotonic() - began < 0.3


def test_the_copy_at_hand_outlives_a_failure_of_openrouter(answered_list, upstream, old):
    upstream.on("/api/v1/models", upstreams.answer(200, MODELS), upstreams.answer(500))
    first = answered_list("openrouter")
    old(minutes=6)
    again = answered_list("openrouter")
    assert (again["source"], again["models"], first["as_of"] - again["as_of"] >= 359) == ("api", first["models"], True)
    assert len(upstream.requests) == 2


def test_openrouter_back_again(answered_list, upstream):
    upstream.on("/api/v1/models", upstreams.answer(500), upstreams.answer(200, MODELS))
    assert answered_list("openrouter")["source"] == "curated_fallback"
    ProviderCopy.objects.update(renewing_until=None)
    assert answered_list("openrouter")["source"] == "api"


def test_ollama_that_says_what_its_models_can_do(answered_list, upstream):
    upstream.serve("/api/tags", TAGS)
    found = answered_list("ollama")
    assert (found["source"], found["total"], "error" in found, upstream.paths()) == ("ollama", 1, False, ["/api/tags"])
    assert found["models"] == [
        {
            "id": "qwen2.5:1.5b",
            "name": "qwen2.5:1.5b",
            "parameter_size": "1.5B",
            "quantization": "Q4_K_M",
            "family": "qwen2",
            "size_mb": 986,
        }
    ]


def test_ollama_before_it_said_so_is_asked_about_each_model(answered_list, upstream):
    upstream.serve("/api/tags", OLD_TAGS)
    shown = {"model_info": {"general.architecture": "odd", "odd.pooling_type": 1}}
    chat = {"model_info": {"general.architecture": "qwen2"}, "capabilities": ["completion"]}
    upstream.on("/api/show", *(upstreams.answer(200, body) for body in (chat, shown, shown)))
    assert [model["id"] for model in answered_list("ollama")["models"]] == ["qwen2.5:1.5b"]
    assert json.loads(upstream.requests[1].body)["model"] == "qwen2.5:1.5b"


def test_where_a_model_cannot_be_shown_its_name_decides(answered_list, upstream):
    upstream.serve("/api/tags", OLD_TAGS)
    assert [model["id"] for model in answered_list("ollama")["models"]] == ["qwen2.5:1.5b", "odd:1"]


def test_ollama_without_any_model_is_reachable(answered_list, upstream):
    upstream.serve("/api/tags", {"models": []})
    found = answered_list("ollama")
    assert (found["source"], found["models"], found["total"]) == ("ollama", [], 0)


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        (upstreams.html(), "web page"),
        (upstreams.html(502), "502"),
        (upstreams.answer(404, {"error": "not found"}), "404"),
        (upstreams.answer(403), "403"),
        (upstreams.answer(200, {"object": "list", "data": [{"id": "x"}]}), "not Ollama"),
        (upstreams.answer(200, {"models": None}), "no models"),
        (upstreams.answer(200, [1]), "not Ollama"),
        (upstreams.answer(200, {"models": [{"name": "", "model": ""}]}), "could be read"),
        (upstreams.reset(), "broke off"),
        (upstreams.raw(b"SSH-2.0-OpenSSH_9.6\r\n"), "broke off"),
    ],
    ids=["a web page", "a proxy", "another server", "a refused host", "OpenAI's dialect", "null", "a list", "blank ids",
         "a reset", "no HTTP"],
)  # fmt: skip
def test_what_is_not_ollama_is_an_empty_list_with_the_reason(answered_list, upstream, scenario, says):
    upstream.on("/api/tags", scenario)
    found = answered_list("ollama")
    assert (found["source"], found["models"], "total" in found) == ("ollama_unreachable", [], False)
    assert says in found["error"]
    assert not any(word in found["error"] for word in ("Traceback", "/api/tags", "Errno"))


@pytest.mark.alone
def test_ollama_down_is_known_at_once(answered_list, settings, nobody):
    settings.OLLAMA_BASE_URL = nobody
    began = time.monotonic()
    found = answered_list("ollama")
    assert (found["source"], found["error"]) == ("ollama_unreachable", "The connection was refused.")
    assert time.monotonic() - began < 1


def test_ollama_that_went_away_is_unreachable_when_its_copy_is_old(answered_list, upstream, old):
    upstream.on("/api/tags", upstreams.answer(200, TAGS), upstreams.answer(500))
    assert answered_list("ollama")["total"] == 1
    assert answered_list("ollama")["total"] == 1
    old(minutes=6)
    assert answered_list("ollama")["source"] == "ollama_unreachable"
    assert len(upstream.requests) == 2
