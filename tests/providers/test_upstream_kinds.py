"""providers/adapters: each kind of upstream has its own words, its own paging, its own test of a connection."""

import json
from datetime import date
from typing import Any

import pytest

from providers.adapters import ADAPTERS
from providers.adapters.ollama import is_embedding_only
from providers.client.http import Limits, UpstreamClient, UpstreamError
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
    payload = ours.fetch(UpstreamClient([upstream.address], QUICK), "models")
    found = ours.parse(payload, "models").listings[0]
    assert (found.facts["context_length"], found.facts["output_modalities"]) == (32768, ["text"])
    assert upstream.paths() == ["/api/tags", "/api/show"]


def test_ollama_outlives_a_show_that_fails(upstream: Upstream) -> None:
    upstream.serve("/api/tags", {"models": [{"name": "all-minilm"}, {"name": "llama3"}]})
    ours = ADAPTERS["ollama"](upstream.url)
    answer = ours.parse(ours.fetch(UpstreamClient([upstream.address], QUICK), "models"), "models")
    assert [item.facts.get("supports_embeddings") for item in answer.listings] == [True, None]


@pytest.mark.parametrize("status", [500, 401])
def test_a_show_that_fails_is_remarked_at_each_model_that_stays_undescribed(upstream: Upstream, status: int) -> None:
    upstream.serve("/api/tags", {"models": [{"name": "a"}, {"name": "b"}, {"name": "c", "capabilities": []}]})
    upstream.on("/api/show", upstreams.answer(status, "{}"))
    ours = ADAPTERS["ollama"](upstream.url)
    answer = ours.parse(ours.fetch(UpstreamClient([upstream.address], QUICK), "models"), "models")
    said = [" ".join(item.problems) for item in answer.listings]
    assert said[2] == ""
    assert all("/api/show" in text and str(status) in text for text in said[:2])


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


def test_what_a_source_says_of_a_models_end_is_read() -> None:
    ending = {"deprecated_at": "2026-01-05T10:00:00Z", "retires_at": "2027-03-01T00:00:00Z", "lifecycle": "deprecated"}
    claude = {"id": "claude-old", "type": "model", "display_name": "Old", **ending}
    facts = adapter("anthropic").parse({"data": [claude]}, "models").listings[0].facts
    assert (facts["deprecated_at"], facts["retires_at"]) == (date(2026, 1, 5), date(2027, 3, 1))
    old = {"id": "old", "capabilities": {"completion_chat": True}, "deprecation_replacement_model": "new"}
    for sent, successor in ((old, "mistral/new"), (old | {"deprecation_replacement_model": None}, None)):
        facts = adapter("mistral").parse({"data": [sent]}, "models").listings[0].facts
        assert facts.get("successor") == successor


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
        ({"id": "m", "max_context_length": 8192, "loaded_context_length": 4096}, 8192),
        ({"id": "m", "loaded_context_length": 4096}, 4096),
        ({"id": "m", "n_ctx": 4096}, 4096),
        ({"id": "m", "max_sequence_length": 4096}, 4096),
    ],
)
def test_servers_of_openais_dialect_name_the_context_each_in_its_way(record: Any, context: int | None) -> None:
    assert parsed("compatible", {"data": [record]})[record["id"]].facts.get("context_length") == context


def test_the_sources_of_facts_join_under_our_ids_and_our_unit() -> None:
    dev, lite = (
        {found.model_id: found for found in adapter(kind).parse(recorded(name)).listings}
        for kind, name in (
            ("modelsdev", "modelsdev/api_2026-07-02.json"),
            ("litellm", "litellm/model_prices_1.109.1.json"),
        )
    )
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
    payload = ours.fetch(UpstreamClient([upstream.address], QUICK), "language", "sk-x")
    assert len(ours.parse(payload, "language").listings) == 6
    assert upstream.paths() == ["/api/v1/models", "/api/v1/models?offset=3"]
    assert {request.headers["authorization"] for request in upstream.requests} == {"Bearer sk-x"}


@pytest.mark.parametrize(
    "following",
    ["/api/v1/models", "http://127.0.0.1:1/api/v1/models", "//evil.example/x", "file:///x", "//[::1", "a b"],
)
def test_pages_that_loop_or_lead_elsewhere_fail_the_answer(upstream: Upstream, following: str) -> None:
    upstream.serve("/api/v1/models", {"data": [openrouter()], "links": {"next": following}})
    ours = ADAPTERS["openrouter"](upstream.url + "/api/v1")
    with pytest.raises(UpstreamError, match=r"127\.0\.0\.1/api/v1/models (names a next page|have no end)"):
        ours.fetch(UpstreamClient([upstream.address], QUICK), "language", "sk-x")
    assert len(upstream.requests) == 1


def test_no_page_is_read_and_no_credential_sent_on_another_allowed_host(upstream: Upstream) -> None:
    canary = Upstream()
    upstream.serve("/models", {"data": [openrouter()], "links": {"next": canary.url + "/models"}})
    with pytest.raises(UpstreamError) as caught:
        ADAPTERS["openrouter"](upstream.url).fetch(
            UpstreamClient([upstream.address, canary.address], QUICK), "language", "sk-x"
        )
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
    answer = ours.parse(ours.fetch(UpstreamClient([upstream.address], QUICK), "models", "k"), "models")
    assert [item.upstream_id for item in answer.listings] == ["a", "b"]
    assert all("k" in request.headers.values() and "key=" not in request.path for request in upstream.requests)


def test_googles_400_for_a_bad_key_is_called_unauthorized(upstream: Upstream) -> None:
    upstream.serve("/models", {"error": {"code": 400}}, status=400)
    with pytest.raises(UpstreamError) as caught:
        ADAPTERS["google"](upstream.url).fetch(UpstreamClient([upstream.address], QUICK), "models", "k")
    assert caught.value.reason == "unauthorized"


def test_testing_openrouter_with_a_key_asks_about_the_key(upstream: Upstream) -> None:
    upstream.serve("/key", {"data": {"limit_remaining": 12.5}})
    assert "12.5 USD" in ADAPTERS["openrouter"](upstream.url).probe(UpstreamClient([upstream.address], QUICK), "sk-x")
    assert upstream.paths() == ["/key"]


def test_testing_ollama_accepts_a_server_without_models(upstream: Upstream) -> None:
    upstream.serve("/api/version", {"version": "0.32.15"})
    upstream.serve("/api/tags", {"models": []})
    assert "0 models" in ADAPTERS["ollama"](upstream.url).probe(UpstreamClient([upstream.address], QUICK))


@pytest.mark.parametrize("kind", ["image", "video", "audio", "transcribe", "rerank"])
def test_token_prices_of_zero_are_no_price_of_what_is_not_paid_by_token(kind: str) -> None:
    pricing = {"hourly": 0, "input": 0, "output": 0, "base": 0, "finetune": 0}
    found = parsed("compatible", [{"id": "bfl/FLUX", "type": kind, "pricing": pricing}])
    assert found["bfl/FLUX"].pricing == {}


@pytest.mark.parametrize(
    ("pricing", "kept"),
    [
        ({"prompt": 0, "completion": 0}, {"prompt": "0", "completion": "0"}),
        ({"hourly": 0, "input": 0, "output": 0, "base": 0, "finetune": 0}, {"prompt": "0", "completion": "0"}),
        ({"input": 0, "output": 0, "base": 0.5}, {}),
        ({"input": 0, "output": 0, "per_second": 0.01}, {}),
        ({"prompt": "0", "completion": "0", "image": "0.04"}, {"prompt": "0", "completion": "0", "image": "0.04"}),
    ],
    ids=str,
)
def test_zero_is_a_price_only_where_tokens_are_what_is_paid_for(pricing: Any, kept: Any) -> None:
    assert parsed("compatible", [{"id": "m", "type": "chat", "pricing": pricing}])["m"].pricing == kept


@pytest.mark.parametrize(
    ("kind", "payload", "upstream_id"),
    [
        ("vercel", {"data": [{"id": "x/i", "type": "image", "pricing": {"input": "0", "output": "0"}}]}, "x/i"),
        ("vercel", {"data": [{"id": "x/i", "pricing": {"input": "0", "output": "0", "video_second": "0.1"}}]}, "x/i"),
        (
            "litellm",
            {"v": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_second": 0.0001,
                   "input_cost_per_token": 0.0, "output_cost_per_token": 0.0}},
            "openai/v",
        ),
        (
            "litellm",
            {"whisper-1": {"litellm_provider": "openai", "input_cost_per_token": 0.0, "output_cost_per_token": 0}},
            "openai/whisper-1",
        ),
        (
            "litellm",
            {"v": {"litellm_provider": "openai", "mode": "chat", "output_cost_per_image_token": 0.00003,
                   "input_cost_per_token": 0.0, "output_cost_per_token": 0.0}},
            "openai/v",
        ),
    ],
    ids=["vercel", "vercel in another unit", "litellm", "litellm by name", "litellm by tokens of images"],
)  # fmt: skip
def test_other_sources_zeros_beside_another_unit_are_no_price_either(kind: str, payload: Any, upstream_id: str) -> None:
    assert parsed(kind, payload)[upstream_id].pricing == {}


@pytest.mark.parametrize(
    ("pricing", "problem"),
    [
        ({"prompt": 0.0000025}, "price prompt is in a unit that is not known"),
        ({"completion": 10}, "price completion is in a unit that is not known"),
        ({"input": "0.2"}, "price input is in a unit that is not known"),
        ({"per_second": 0.01}, "price per_second is in a unit that is not known"),
        ("0.2", "pricing is not an object of prices in USD"),
        ({"prompt": "0.15"}, "price prompt is in a unit that is not known"),
        ({"input": 1, "currency": "CNY"}, "pricing is not an object of prices in USD"),
    ],
    ids=str,
)
def test_a_price_in_an_unknown_unit_is_unknown_and_remarked(pricing: Any, problem: str) -> None:
    found = parsed("compatible", {"data": [{"id": "m", "pricing": pricing}]})["m"]
    assert (found.pricing, found.problems) == ({}, (problem,))


def test_text_that_is_too_dear_for_a_token_leaves_all_prices_of_tokens_unknown() -> None:
    pricing = {"prompt": "0.001", "completion": "0.60", "request": "0.01"}
    found = parsed("compatible", {"data": [{"id": "m", "pricing": pricing}]})["m"]
    assert (found.pricing, len(found.problems)) == ({"request": "0.01"}, 2)
    dear = {"prompt": "0.00015", "completion": "0.0006"}
    assert parsed("compatible", {"data": [{"id": "m", "pricing": dear}]})["m"].pricing == dear


@pytest.mark.parametrize("field", ["price_per_million", "price_per_million_tokens"])
def test_prices_whose_field_names_the_unit_are_read(field: str) -> None:
    record = {"id": "m", field: {"input": 0, "output": "0.60", "image": 3}}
    found = parsed("compatible", {"data": [record]})["m"]
    assert found.pricing == {"prompt": "0", "completion": "0.0000006"}
    assert found.problems == (f"{field} image is in a unit that is not known",)


@pytest.mark.parametrize("field", ["cost", "prices"])
def test_prices_in_an_object_of_an_unknown_unit_are_remarked(field: str) -> None:
    found = parsed("compatible", {"data": [{"id": "m", field: {"input": 0.15, "output": 0.6}}]})["m"]
    assert (found.pricing, found.problems) == ({}, (f"{field} is in a unit that is not known",))


@pytest.mark.parametrize(
    ("sent", "takes", "makes"),
    [
        ({"modalities": ["text", "image"]}, ["text", "image"], None),
        ({"modalities": {"input": ["text", "image"], "output": ["text"]}}, ["text", "image"], ["text"]),
        ({"inputModalities": ["text"], "outputModalities": ["image"]}, ["text"], ["image"]),
        ({"architecture": {"modality": "text+image->text"}}, ["text", "image"], ["text"]),
        ({"architecture": {"modality": "text->text", "input_modalities": ["audio"]}}, ["audio"], ["text"]),
        ({"modalities": ["audio"]}, None, None),
    ],
    ids=str,
)
def test_modalities_are_read_in_each_form(sent: Any, takes: Any, makes: Any) -> None:
    found = parsed("compatible", {"data": [{"id": "m", **sent}]})["m"]
    assert (found.facts.get("input_modalities"), found.facts.get("output_modalities")) == (takes, makes)
    assert bool(found.problems) is (takes is None)


HUGGING_FACE = {
    "id": "Qwen/Q",
    "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
    "providers": [
        {"provider": "a", "status": "live", "context_length": 131072, "pricing": {"input": 0.2, "output": 0.5},
         "supports_tools": True},
        {"provider": "b", "status": "live", "context_length": 40960, "pricing": {"input": 0.3, "output": 0.4},
         "supports_tools": True},
        {"provider": "c", "status": "error", "context_length": 1, "pricing": {"input": 9}, "supports_tools": False},
    ],
}  # fmt: skip
DEEPINFRA = {
    "id": "org/D",
    "metadata": {
        "description": "Quick.", "context_length": 32768, "max_tokens": 8192, "tags": ["vision", "reasoning"],
        "pricing": {"input_tokens": 0.05, "output_tokens": 0.1, "cache_read_tokens": 0.01},
    },
}  # fmt: skip
GITHUB = {
    "id": "openai/g", "name": "G", "summary": "Quick.", "capabilities": ["streaming", "tool-calling"],
    "limits": {"max_input_tokens": 1048576, "max_output_tokens": 32768},
    "supported_input_modalities": ["text", "image"], "supported_output_modalities": ["text"],
}  # fmt: skip
NOVITA = {
    "id": "n", "title": "N", "context_size": 65536, "features": ["function-calling"], "model_type": "chat",
    "input_token_price_per_m": 1400, "output_token_price_per_m": 4400,
}  # fmt: skip


@pytest.mark.parametrize(
    ("record", "facts", "pricing"),
    [
        (
            HUGGING_FACE,
            {"context_length": 40960, "input_modalities": ["text", "image"], "supports_tools": True},
            {"prompt": "0.0000003", "completion": "0.0000005"},
        ),
        (
            DEEPINFRA,
            {"context_length": 32768, "max_output_tokens": 8192, "description": "Quick.", "supports_images": True,
             "supports_reasoning": True},
            {"prompt": "0.00000005", "completion": "0.0000001", "input_cache_read": "0.00000001"},
        ),
        (
            GITHUB,
            {"context_length": 1048576, "max_output_tokens": 32768, "description": "Quick.", "supports_tools": True,
             "input_modalities": ["text", "image"], "output_modalities": ["text"]},
            {},
        ),
        (NOVITA, {"name": "N", "context_length": 65536, "supports_tools": True, "task": "chat"}, {}),
        (NOVITA | {"input_token_price_per_m": 0, "output_token_price_per_m": 0}, {}, {"prompt": "0", "completion": "0"}),
    ],
    ids=["hugging face", "deepinfra", "github", "novita", "novita, free"],
)  # fmt: skip
def test_facts_in_nested_objects_are_read(record: Any, facts: Any, pricing: Any) -> None:
    found = parsed("compatible", [record])[record["id"]]
    assert {name: found.facts.get(name) for name in facts} == facts
    assert found.pricing == pricing


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (NOVITA, "input_token_price_per_m is in a unit that is not known"),
        ({"id": "v", "model_spec": {"availableContextTokens": 1}}, "model_spec holds facts that are not read: availableC"),
        ({"id": "v", "offers": [{"price": 1}]}, "offers holds facts that are not read: price"),
    ],
    ids=["novita", "object", "list"],
)  # fmt: skip
def test_what_looks_like_a_fact_and_is_not_read_is_remarked(record: Any, problem: str) -> None:
    found = parsed("compatible", [record])[record["id"]]
    assert [text for text in found.problems if text.startswith(problem)]


@pytest.mark.parametrize(
    ("record", "facts"),
    [
        ({"type": "vlm", "max_context_length": 32768}, {"input_modalities": ["text", "image"], "supports_images": True}),
        ({"type": "llm", "capabilities": ["tool_use"]}, {"supports_tools": True, "output_modalities": ["text"]}),
        ({"type": "llm", "capabilities": {"vision": False, "trained_for_tool_use": True}},
         {"input_modalities": ["text"], "supports_images": False, "supports_tools": True}),
        ({"supports_chat": True, "supports_image_input": True, "supports_tools": False},
         {"supports_images": True, "supports_tools": False, "task": "chat"}),
        ({"capabilities": ["vision", "tools", "thinking"]},
         {"supports_images": True, "supports_tools": True, "supports_reasoning": True}),
        ({"type": "embedding", "capabilities": {"vision": False}}, {"output_modalities": ["embeddings"]}),
    ],
    ids=str,
)  # fmt: skip
def test_abilities_are_read_from_lists_flags_and_types(record: Any, facts: Any) -> None:
    found = parsed("compatible", {"data": [{"id": "m", **record}]})["m"].facts
    assert {name: found.get(name) for name in facts} == facts


@pytest.mark.parametrize(
    ("base", "adapter_row", "context"),
    [
        ({"id": "/data/models/Q", "max_model_len": 40960}, {"parent": "/data/models/Q"}, 40960),
        ({"id": "q", "root": "/data/models/Q", "max_model_len": 40960}, {"parent": "/data/models/Q"}, 40960),
        ({"id": "q", "max_model_len": 40960}, {"parent": "q", "max_model_len": 8192}, 8192),
        ({"id": "q", "max_model_len": 40960}, {"parent": "q", "max_model_len": 0}, 40960),
        ({"id": "q", "meta": {"n_ctx": 40960}}, {"parent": "q"}, 40960),
        ({"id": "q", "limits": {"max_input_tokens": 40960}}, {"parent": "q"}, 40960),
        ({"id": "q", "metadata": {"context_length": 40960}}, {"parent": "q"}, 40960),
        ({"id": "q", "providers": [{"context_length": 50000}, {"context_length": 40960}]}, {"parent": "q"}, 40960),
        ({"id": "q", "max_model_len": 40960}, {"parent": "another"}, None),
        ({"id": "q", "max_model_len": 40960}, {"parent": ["q"]}, None),
        ({"id": "q"}, {"parent": "q"}, None),
        ({"id": "q", "parent": "lora"}, {"parent": "q"}, None),
    ],
)
def test_an_adapter_has_the_context_of_its_parent_in_the_same_list(base: Any, adapter_row: Any, context: Any) -> None:
    found = parsed("compatible", {"data": [{"id": "sql-lora", **adapter_row}, base, 5]})
    assert found["sql-lora"].facts.get("context_length") == context


def test_an_adapter_upon_an_adapter_has_the_context_of_their_base() -> None:
    rows = [{"id": "a"}, {"id": "b"}, {"id": "round", "parent": "round"}]
    chain = [{"id": "top", "parent": "middle"}, {"id": "middle", "parent": "q"}, {"id": "q", "max_model_len": 40960}]
    found = parsed("compatible", {"data": [*chain, *rows]})
    assert [found[name].facts.get("context_length") for name in ("top", "middle", "round")] == [40960, 40960, None]


@pytest.mark.parametrize("order", [1, -1])
def test_a_chain_of_adapters_may_be_of_any_length(order: int) -> None:
    chain = [{"id": f"m{number}", "parent": f"m{number + 1}"} for number in range(5000)]
    circle = [{"id": "x", "parent": "y"}, {"id": "y", "parent": "x"}, {"id": "z", "parent": "y"}]
    rows = [*chain, {"id": "m5000", "max_model_len": 40960}, *circle][::order]
    contexts = {name: found.facts.get("context_length") for name, found in parsed("compatible", {"data": rows}).items()}
    assert contexts == {f"m{number}": 40960 for number in range(5001)} | dict.fromkeys("xyz")


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ({"ctx_size": 4096}, ["ctx_size"]),
        ({"capabilities": {"limits": {"max_context_window_tokens": 4096}}}, ["capabilities.limits.max_context_window_tokens"]),
        ({"architecture": {"context_length": 4096}}, ["architecture.context_length"]),
        ({"meta": {"max_position_embeddings": 4096}}, ["meta.max_position_embeddings"]),
        ({"ctx_size": 4096, "max_model_len": 8192}, []),
        ({"ctx_size": 0, "supports_context_caching": True}, []),
    ],
)  # fmt: skip
def test_a_context_length_that_is_not_read_is_remarked(record: Any, named: list[str]) -> None:
    problems = parsed("compatible", {"data": [{"id": "m", **record}]})["m"].problems
    assert list(problems) == [f"{name} looks like a context length and is not read" for name in named]


@pytest.mark.parametrize("kind", ["compatible", "mistral"])
def test_aliases_are_the_same_in_whatever_order_they_are_sent(kind: str) -> None:
    found = [
        parsed(kind, {"data": [{"id": "m", "aliases": names}]})["m"] for names in (["b", "a", "m"], ["a", "m", "b"])
    ]
    assert found[0].facts["extras"]["aliases"] == found[1].facts["extras"]["aliases"] == ["a", "b"]
