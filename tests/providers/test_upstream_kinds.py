"""Each kind of upstream: its own words, its own paging, its own way to test a connection."""

import json
from typing import Any

import pytest

from providers.adapters import ADAPTERS
from providers.adapters.ollama import is_embedding_only
from providers.http import Door, Limits, UpstreamError
from tests import upstreams
from tests.answers import RECORDED, adapter, openrouter, parsed, recorded
from tests.upstreams import Upstream

QUICK = Limits(connect=1, read=1, total=2, attempts=1)
VERCEL = {
    "object": "list",
    "data": [
        {
            "id": "openai/gpt-x", "object": "model", "created": 1755815280, "owned_by": "openai", "name": "GPT X",
            "context_window": 400000, "max_tokens": 128000, "type": "language", "tags": ["tool-use", "vision"],
            "pricing": {"input": "0.00000125", "output": "0.00001", "input_cache_read": "0.000000125"},
        },
        {"id": "x/embed", "type": "embedding", "context_window": 0, "max_tokens": 0, "pricing": {"input": "0.00000002"}},
    ],
}  # fmt: skip
TOGETHER = [
    {"id": "meta-llama/L", "type": "chat", "display_name": "L", "context_length": 8192,
     "pricing": {"input": 0.88, "output": 0.18, "hourly": 0}},
    {"id": "org/by-the-hour", "type": "chat", "pricing": {"input": 0, "output": 0, "hourly": 2.5}},
    {"id": "BAAI/bge-large", "type": "embedding", "pricing": {"input": 0.02, "output": 0}},
]  # fmt: skip


def test_openai_claims_nothing_that_its_list_does_not_say() -> None:
    found = parsed(
        "openai", {"data": [{"id": "gpt-x", "object": "model", "created": 1755815280, "owned_by": "system"}]}
    )
    assert found["gpt-x"].model_id == "openai/gpt-x"
    assert found["gpt-x"].facts.keys() == {"released_at", "extras"}


@pytest.mark.parametrize("kind", ["ollama", "compatible", "anthropic", "google", "mistral", "vercel", "openai"])
def test_no_upstream_can_name_a_model_outside_its_namespace(kind: str) -> None:
    name = "models/openai/gpt-4o" if kind == "google" else "openai/gpt-4o"
    record = {"id": name, "name": name, "type": "model", "capabilities": {}}
    ours = ADAPTERS[kind]("http://127.0.0.1", namespace="box")
    found = ours.parse({ours.envelope: [record]}, "models").listings[0]
    assert found.model_id == "box/openai/gpt-4o"


def test_ollama_tells_embedding_models_by_capability_and_marks_the_cloud() -> None:
    found = {item.upstream_id: item for item in adapter("ollama").parse(recorded(RECORDED[12][1]), "models").listings}
    assert found["nomic-embed-text:latest"].facts["embedding_dimensions"] == 768
    assert found["qwen3-coder:30b"].facts["supports_tools"] is True
    assert "embedding_dimensions" not in found["qwen3-coder:30b"].facts
    cloud = adapter("ollama").parse(recorded("ollama/quantproof_tags.json"), "models").listings
    assert sum(item.facts["extras"].get("cloud", False) for item in cloud) == 4
    assert all(item.pricing == {} for item in cloud)


def test_the_name_finds_every_embedding_model_of_ollamas_library_and_no_other() -> None:
    library = recorded("ollama/library_index_2026-06-20.json")
    expected = {model["name"] for model in library if "embedding" in model["capabilities"]}
    assert {model["name"] for model in library if is_embedding_only(model["name"], None)} == expected
    assert len(expected) == 12


def test_ollama_asks_show_where_the_list_lacks_capabilities(upstream: Upstream) -> None:
    shown = recorded("ollama/quantproof_show-gemma3-1b.json")
    listed = {"models": [{"name": "gemma3:1b", "details": {"family": "gemma3"}}, {"name": "new", "capabilities": []}]}
    upstream.serve("/api/tags", listed)
    upstream.on("/api/show", upstreams.answer(200, json.dumps(shown, default=float)))
    ours = ADAPTERS["ollama"](upstream.url)
    payload = ours.fetch(Door([upstream.address], QUICK), "models")
    found = ours.parse(payload, "models").listings[0]
    assert (found.facts["context_length"], found.facts["output_modalities"]) == (32768, ["text"])
    assert upstream.paths() == ["/api/tags", "/api/show"]


def test_ollama_outlives_a_show_that_fails(upstream: Upstream) -> None:
    upstream.serve("/api/tags", {"models": [{"name": "all-minilm"}, {"name": "llama3"}]})
    ours = ADAPTERS["ollama"](upstream.url)
    answer = ours.parse(ours.fetch(Door([upstream.address], QUICK), "models"), "models")
    assert [item.facts.get("supports_embeddings") for item in answer.listings] == [True, None]


def test_an_old_ollamas_show_gives_away_an_embedding_model_by_its_pooling() -> None:
    shown = recorded("ollama/show_nomic-embed-text_pre-v0.6.4_2025-02-03.json")
    answer = adapter("ollama").parse({"models": [{"name": "plain-name", "show": shown}]}, "models")
    assert answer.listings[0].facts["embedding_dimensions"] == 768
    assert answer.listings[0].facts["context_length"] == 2048


def test_anthropic_reads_limits_and_capabilities() -> None:
    found = adapter("anthropic").parse(recorded("anthropic/models_handmade_fixture.json"), "models").listings[0]
    assert found.model_id == "anthropic/claude-opus-4-5-20250220"
    assert (found.facts["context_length"], found.facts["max_output_tokens"]) == (200000, 8192)
    assert [level["effort"] for level in found.facts["reasoning_levels"]] == ["low", "medium", "high", "max"]


def test_google_and_mistral_know_their_embedding_models() -> None:
    google = {item.model_id: item for item in adapter("google").parse(recorded(RECORDED[16][1]), "models").listings}
    assert google["google/text-embedding-004"].facts["supports_embeddings"] is True
    assert google["google/gemini-1.5-pro"].facts["context_length"] == 2097152
    mistral = {item.model_id: item for item in adapter("mistral").parse(recorded(RECORDED[17][1]), "models").listings}
    assert mistral["mistral/mistral-embed"].facts["output_modalities"] == ["embeddings"]
    assert mistral["mistral/pixtral-large-latest"].facts["supports_images"] is True


def test_vercel_prices_are_per_token() -> None:
    found = parsed("vercel", VERCEL)
    assert found["openai/gpt-x"].model_id == "vercel/openai/gpt-x"
    assert found["openai/gpt-x"].pricing["prompt"] == "0.00000125"
    assert found["openai/gpt-x"].facts["supports_tools"] is True
    assert found["x/embed"].facts["supports_embeddings"] is True


def test_together_prices_are_per_million_and_hourly_zeros_are_not_free() -> None:
    found = parsed("compatible", TOGETHER)
    assert found["meta-llama/L"].pricing == {"prompt": "0.00000088", "completion": "0.00000018"}
    assert found["org/by-the-hour"].pricing == {}
    assert found["BAAI/bge-large"].facts["supports_embeddings"] is True


@pytest.mark.parametrize(
    ("record", "context"),
    [
        ({"id": "/data/models/x", "max_model_len": 65536}, 65536),
        ({"id": "m", "context_window": 131072, "active": True}, 131072),
        ({"id": "m", "meta": None}, None),
        ({"id": "m.gguf", "meta": {"n_ctx": 4096, "n_ctx_train": 8192}}, 4096),
        ({"id": "m", "max_context_length": 8192, "loaded_context_length": 4096}, 4096),
    ],
)
def test_servers_of_openais_dialect_name_the_context_each_in_its_way(record: Any, context: int | None) -> None:
    assert parsed("compatible", {"data": [record]})[record["id"]].facts.get("context_length") == context


def test_the_sources_of_facts_join_under_our_ids_and_our_unit() -> None:
    dev = adapter("modelsdev").facts_by_id(recorded("modelsdev/api_2026-07-02.json"))
    lite = adapter("litellm").facts_by_id(recorded("litellm/model_prices_1.109.1.json"))
    for source in (dev, lite):
        small = source["openai/text-embedding-3-small"]
        assert small.facts["embedding_dimensions"] == 1536
        assert "max_output_tokens" not in small.facts
        assert small.pricing["prompt"] == "0.00000002"
        assert {"mistral/mistral-embed", "mistralai/mistral-embed"} <= source.keys()
    assert dev["openai/gpt-5"].pricing["prompt"] == "0.00000125"
    assert "x-ai/grok-4.3" in dev
    assert not any(model_id.startswith(("xai/", "zai/", "azure/")) for model_id in {*dev, *lite})
    assert "sample_spec" not in str(lite.keys())


def test_pages_are_followed_by_their_relative_links(upstream: Upstream) -> None:
    pages = [[openrouter(id=f"acme/m{number}") for number in range(start, start + 3)] for start in (0, 3)]
    first = {"data": pages[0], "links": {"next": "/api/v1/models?offset=3"}}
    upstream.on(
        "/api/v1/models",
        upstreams.answer(200, first),
        upstreams.answer(200, {"data": pages[1], "links": {"next": None}}),
    )
    ours = ADAPTERS["openrouter"](upstream.url + "/api/v1")
    payload = ours.fetch(Door([upstream.address], QUICK), "language", "sk-x")
    assert len(ours.parse(payload, "language").listings) == 6
    assert upstream.paths() == ["/api/v1/models", "/api/v1/models?offset=3"]
    assert {request.headers["authorization"] for request in upstream.requests} == {"Bearer sk-x"}


@pytest.mark.parametrize(
    "following", ["/api/v1/models", "http://127.0.0.1:1/api/v1/models", "//evil.example/x", "file:///x"]
)
def test_pages_that_loop_or_lead_elsewhere_fail_the_answer(upstream: Upstream, following: str) -> None:
    upstream.serve("/api/v1/models", {"data": [openrouter()], "links": {"next": following}})
    ours = ADAPTERS["openrouter"](upstream.url + "/api/v1")
    with pytest.raises(UpstreamError):
        ours.fetch(Door([upstream.address], QUICK), "language", "sk-x")
    assert len(upstream.requests) == 1


def test_no_page_is_read_and_no_credential_sent_on_another_allowed_host(upstream: Upstream) -> None:
    canary = Upstream()
    upstream.serve("/models", {"data": [openrouter()], "links": {"next": canary.url + "/models"}})
    with pytest.raises(UpstreamError) as caught:
        ADAPTERS["openrouter"](upstream.url).fetch(Door([upstream.address, canary.address], QUICK), "language", "sk-x")
    assert (caught.value.reason, canary.connections) == ("wrong_shape", 0)
    canary.stop()


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        (
            "anthropic",
            {"data": [{"id": "a"}], "has_more": True, "last_id": "a"},
            {"data": [{"id": "b"}], "has_more": False},
        ),
        ("google", {"models": [{"name": "models/a"}], "nextPageToken": "t"}, {"models": [{"name": "models/b"}]}),
    ],
)
def test_anthropic_and_google_are_read_to_the_last_page(upstream: Upstream, kind: str, first: Any, second: Any) -> None:
    upstream.on("/models", upstreams.answer(200, first), upstreams.answer(200, second))
    ours = ADAPTERS[kind](upstream.url)
    answer = ours.parse(ours.fetch(Door([upstream.address], QUICK), "models", "k"), "models")
    assert [item.upstream_id for item in answer.listings] == ["a", "b"]
    assert all("k" in request.headers.values() and "key=" not in request.path for request in upstream.requests)


def test_googles_400_for_a_bad_key_is_called_unauthorized(upstream: Upstream) -> None:
    upstream.serve("/models", {"error": {"code": 400}}, status=400)
    with pytest.raises(UpstreamError) as caught:
        ADAPTERS["google"](upstream.url).fetch(Door([upstream.address], QUICK), "models", "k")
    assert caught.value.reason == "unauthorized"


def test_testing_openrouter_with_a_key_asks_about_the_key(upstream: Upstream) -> None:
    upstream.serve("/key", {"data": {"limit_remaining": 12.5}})
    assert "12.5 USD" in ADAPTERS["openrouter"](upstream.url).probe(Door([upstream.address], QUICK), "sk-x")
    assert upstream.paths() == ["/key"]


def test_testing_ollama_accepts_a_server_without_models(upstream: Upstream) -> None:
    upstream.serve("/api/version", {"version": "0.32.15"})
    upstream.serve("/api/tags", {"models": []})
    assert "0 models" in ADAPTERS["ollama"](upstream.url).probe(Door([upstream.address], QUICK))
