"""Adapters: what each upstream says becomes typed facts, and one bad record costs one record."""

import copy
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.adapters import ADAPTERS, Adapter, Answer, Listing, short_name
from providers.adapters.ollama import is_embedding_only
from providers.http import Door, Limits, UpstreamError, strict_loads
from tests import upstreams
from tests.upstreams import Upstream

DATA = Path(__file__).parent.parent / "data"
QUICK = Limits(connect=1, read=1, total=2, attempts=1)
RECORDED = [
    ("openrouter", "openrouter/models_2026-07-31.json", "language", 365),
    ("openrouter", "openrouter/models_2026-08-01.json", "language", 336),
    ("openrouter", "openrouter/models_2026-08-07.json", "language", 400),
    ("openrouter", "openrouter/models_2026-08-21.json", "language", 419),
    ("openrouter", "openrouter/models_2026-08-22.json", "language", 421),
    ("openrouter", "openrouter/fixture_edge_cases_2026-08-22.json", "language", 24),
    ("openrouter", "openrouter/models_decisions_2026-09-29.json", "language", 7),
    ("openrouter", "openrouter/embeddings_models_2025-12-14.json", "embeddings", 21),
    ("openrouter", "openrouter/embeddings_models_2026-03-14.json", "embeddings", 22),
    ("openai", "openai/models_2025-07-16.json", "models", 83),
    ("openai", "openai/models_2026-08-22_reconstructed.json", "models", 119),
    ("ollama", "ollama/quantproof_tags.json", "models", 9),
    ("ollama", "ollama/tags_v0.30plus_2026-07-22.json", "models", 6),
    ("ollama", "ollama/tags_v0.30plus_cloud_2026-06-10.json", "models", 5),
    ("ollama", "ollama/zero_tags_2026-04.json", "models", 3),
    ("anthropic", "anthropic/models_handmade_fixture.json", "models", 5),
    ("google", "local/google_handmade_fixture.json", "models", 5),
    ("mistral", "local/mistral_handmade_fixture.json", "models", 4),
    ("compatible", "local/deepseek_handmade_fixture.json", "models", 3),
    ("compatible", "local/llamacpp_v1_models_2026-10.json", "models", 1),
    ("compatible", "local/lmstudio_api_v1_models_excerpt_2026-03.json", "models", 1),
    ("compatible", "local/vllm_v1_models_2026-04.json", "models", 1),
    ("compatible", "local/xai_handmade_fixture.json", "models", 4),
]
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


def recorded(name: str) -> Any:
    return strict_loads((DATA / name).read_bytes(), per_record=True)


def adapter(kind: str, base: str = "http://127.0.0.1/v1") -> Adapter:
    return ADAPTERS[kind](base)


def parsed(kind: str, payload: Any, listing: str | None = None) -> dict[str, Listing]:
    # Through JSON, so that numbers arrive as they do from the door.
    payload = strict_loads(json.dumps(payload, default=str).encode(), per_record=True)
    ours = adapter(kind)
    answer = ours.parse(payload, listing or next(iter(ours.listings)))
    return {found.upstream_id: found for found in answer.listings}


def openrouter(**changes: Any) -> dict[str, Any]:
    record = {
        "id": "acme/one", "canonical_slug": "acme/one-1", "name": "Acme: One", "created": 1755815280, "context_length": 1000,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"], "tokenizer": "GPT"},
        "pricing": {"prompt": "0.000001", "completion": "0.000002"}, "top_provider": {"is_moderated": False},
        "supported_parameters": ["tools"],
    }  # fmt: skip
    return {**record, **changes}


def one(**changes: Any) -> Listing:
    return next(iter(parsed("openrouter", {"data": [openrouter(**changes)]}).values()))


def reason_of(kind: str, payload: Any, listing: str | None = None) -> str:
    ours = adapter(kind)
    with pytest.raises(UpstreamError) as caught:
        ours.parse(payload, listing or next(iter(ours.listings)))
    return caught.value.reason


@pytest.mark.parametrize(("kind", "name", "listing", "count"), RECORDED)
def test_every_recorded_answer_is_recognised_and_read_without_a_bad_record(
    kind: str, name: str, listing: str, count: int
) -> None:
    ours, payload = adapter(kind), recorded(name)
    assert ours.recognise(payload) == listing
    answer = ours.parse(payload, listing)
    assert (len(answer.listings), answer.bad, answer.total) == (count, [], count)
    assert len({found.model_id for found in answer.listings}) == count


@pytest.mark.parametrize(("kind", "name", "listing", "count"), RECORDED)
def test_facts_are_fit_for_json_apart_from_dates_and_prices_are_plain_text(
    kind: str, name: str, listing: str, count: int
) -> None:
    for found in adapter(kind).parse(recorded(name), listing).listings:
        facts = {key: value for key, value in found.facts.items() if not isinstance(value, date)}
        assert json.loads(json.dumps(facts, allow_nan=False)) == facts
        assert None not in found.facts.values()
        assert "benchmarks" not in json.dumps(facts)
        prices = [value for key, value in found.pricing.items() if key != "overrides"]
        assert all(isinstance(price, str) and "e" not in price.lower() and Decimal(price) >= 0 for price in prices)


@pytest.mark.parametrize("kind", list(ADAPTERS))
@pytest.mark.parametrize(
    "payload", [{"data": []}, {"data": None}, {}, [], None, "x", 5, {"models": None}, {"error": {}}]
)
def test_an_empty_or_wrongly_shaped_answer_is_refused(kind: str, payload: Any) -> None:
    assert reason_of(kind, payload) in ("empty", "wrong_shape", "not_recognised")
    assert adapter(kind).recognise(payload) is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("openrouter", "openai/models_2025-07-16.json"),
        ("openrouter", "ollama/quantproof_tags.json"),
        ("openrouter", "anthropic/models_handmade_fixture.json"),
        ("openai", "openrouter/fixture_edge_cases_2026-08-22.json"),
        ("openai", "local/vllm_v1_models_2026-04.json"),
        ("ollama", "openai/models_2025-07-16.json"),
        ("ollama", "local/google_handmade_fixture.json"),
        ("ollama", "local/lmstudio_api_v1_models_excerpt_2026-03.json"),
        ("google", "ollama/quantproof_tags.json"),
        ("anthropic", "openai/models_2025-07-16.json"),
        ("mistral", "openai/models_2025-07-16.json"),
        ("vercel", "openai/models_2025-07-16.json"),
        ("compatible", "local/google_handmade_fixture.json"),
        ("modelsdev", "litellm/model_prices_1.109.1.json"),
        ("litellm", "modelsdev/api_2026-07-02.json"),
    ],
)
def test_another_providers_answer_is_refused(kind: str, name: str) -> None:
    assert adapter(kind).recognise(recorded(name)) is None
    assert reason_of(kind, recorded(name)) in ("not_recognised", "wrong_shape")


def test_a_list_of_embedding_models_is_not_taken_for_the_language_models() -> None:
    payload = recorded("openrouter/embeddings_models_2025-12-14.json")
    assert reason_of("openrouter", payload, "language") == "not_recognised"
    assert reason_of("openrouter", recorded("openrouter/models_2026-08-01.json"), "embeddings") == "not_recognised"


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "record",
    [
        None, 5, "x", {}, [], deep(900), {"id": None}, openrouter(id=""), openrouter(id="a" * 10_000), openrouter(id="a/\0b"),
        openrouter(id=5), openrouter(name="\ud800"), openrouter(name="a\0b"), openrouter(description="x" * 10_000_000),
        openrouter(name="n" * 300), openrouter(id="no-author"), openrouter(id="/x"), openrouter(id="x/"),
        openrouter(id="acme/m1"), openrouter(id="\u043epenai/gpt-4o"), openrouter(id="a/b\u200b"), openrouter(id="a/\u202eb"),
        openrouter(id="a/b "), openrouter(id="a/\uff42"), openrouter(supported_parameters=["\ud800"]),
    ],
    ids=lambda record: str(record)[:40].encode("ascii", "replace").decode(),
)  # fmt: skip
def test_one_bad_record_costs_that_record_only_and_is_named(record: Any) -> None:
    records = [openrouter(id=f"acme/m{number}") for number in range(10)]
    records.insert(7, record)
    answer = adapter("openrouter").parse({"data": records}, "language")
    assert (len(answer.listings), [bad.index for bad in answer.bad], answer.total) == (10, [7], 11)
    assert answer.bad[0].reason


def test_a_bad_record_with_a_readable_id_is_named_by_it() -> None:
    records = [openrouter(), openrouter(id="acme/two", name="\ud800")]
    assert adapter("openrouter").parse({"data": records}, "language").bad[0].upstream_id == "acme/two"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("0", "0"), ("0.0", "0"), (0, "0"), (0.0, "0"), ("0.00000008333333333333334", "0.00000008333333333333334"),
        ("1e-7", "0.0000001"), (1.2999000000000001e-07, "0.00000012999000000000001"), ("0.000010", "0.00001"), ("10", "10"),
        (2, "2"),
    ],
)  # fmt: skip
def test_prices_keep_their_digits_as_plain_text(sent: Any, kept: str) -> None:
    found = one(pricing={"prompt": sent, "completion": "0.1"})
    assert (found.pricing, found.problems) == ({"prompt": kept, "completion": "0.1"}, ())


@pytest.mark.parametrize(
    "sent",
    ["free", "", None, "NaN", "Infinity", "1e999", "1e-30", "1,5", "0x1", "١", True, {}, [], "1_0", 10**400, "9" * 50],
)
def test_an_unreadable_price_is_unknown_and_reported_and_the_record_stays(sent: Any) -> None:
    found = one(pricing={"prompt": sent, "completion": "0.1"})
    assert found.pricing == {"completion": "0.1"}
    assert len(found.problems) == 1


@pytest.mark.parametrize("sent", ["-1", -1, "-0.5"])
def test_a_negative_price_is_neither_a_cost_nor_free(sent: Any) -> None:
    found = one(pricing={"prompt": sent, "completion": sent})
    assert (found.pricing, found.problems) == ({}, ())


def test_a_router_is_marked_as_variable_and_not_as_free() -> None:
    found = {item.model_id: item for item in adapter("openrouter").parse(recorded(RECORDED[5][1]), "language").listings}
    assert found["openrouter/auto"].pricing == {}
    assert found["openrouter/auto"].facts["extras"]["variable_price"] is True


@pytest.mark.parametrize(("sent", "kept"), [(1000, 1000), (128000.0, 128000), (2**31 - 1, 2**31 - 1)])
def test_a_context_length_that_is_exact_is_kept(sent: Any, kept: int) -> None:
    assert one(context_length=sent).facts["context_length"] == kept


@pytest.mark.parametrize("sent", [0, -5, "128k", 1.5, 2**31, 2**63, 10**400, True, {}, []])
def test_a_context_length_that_cannot_be_is_unknown_and_reported(sent: Any) -> None:
    found = one(context_length=sent)
    assert "context_length" not in found.facts
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    ("model", "top", "kept"), [(1000, 200, 200), (200, 1000, 200), (None, 5, 5), (5, None, 5), (0, 7, 7)]
)
def test_the_smaller_of_the_two_context_lengths_counts(model: Any, top: Any, kept: int) -> None:
    assert one(context_length=model, top_provider={"context_length": top}).facts["context_length"] == kept


@pytest.mark.parametrize(
    "sent",
    [
        1767225600,
        1767225600.0,
        1767225600000,
        "2026-01-01",
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00.123456789+01:00",
    ],
)
def test_every_way_to_write_a_time_is_read(sent: Any) -> None:
    assert one(created=sent).facts["released_at"].replace(microsecond=0) == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("sent", [-1, 1, 10**13 * 5, 10**30, "soon", "60000-01-01", True, {}, "1899-01-01"])
def test_a_time_that_cannot_be_is_unknown_and_reported(sent: Any) -> None:
    found = one(created=sent)
    assert "released_at" not in found.facts
    assert len(found.problems) == 1


@pytest.mark.parametrize("sent", [None, 0, "", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_an_unset_time_is_unknown_without_a_complaint(sent: Any) -> None:
    found = one(created=sent)
    assert ("released_at" in found.facts, found.problems) == (False, ())


def test_the_end_of_the_century_is_no_retirement_and_half_dates_are_read() -> None:
    found = one(expiration_date="2098-12-31", knowledge_cutoff="2025-06")
    assert "retires_at" not in found.facts
    assert found.facts["knowledge_cutoff"] == date(2025, 6, 1)
    assert one(expiration_date="2026-10-01").facts["retires_at"] == date(2026, 10, 1)


@pytest.mark.parametrize(
    "field", ["name", "architecture", "pricing", "top_provider", "supported_parameters", "canonical_slug", "created"]
)
def test_a_field_that_changes_its_type_leaves_the_others_applied(field: str) -> None:
    found = one(**{field: {"new": "shape"}})
    assert found.model_id == "acme/one"
    assert found.facts["context_length"] == 1000


def test_unknown_keys_and_benchmarks_are_left_out() -> None:
    assert one(benchmarks={"x": 1}, brand_new={"y": 2}) == one()


def test_the_order_of_modalities_and_parameters_does_not_matter() -> None:
    record = openrouter(supported_parameters=["b", "a"])
    record["architecture"] = {**record["architecture"], "input_modalities": ["image", "text"]}
    other = copy.deepcopy(record)
    other["supported_parameters"].reverse()
    other["architecture"]["input_modalities"].reverse()
    assert one(**record) == one(**other)


def test_openrouter_reads_aliases_overrides_and_reasoning() -> None:
    record = recorded("openrouter/object_alias_2026-09-11.json")
    found = adapter("openrouter").parse({"data": [record]}, "language").listings[0]
    assert found.facts["alias_of"] == "openai/gpt-6-astra"
    assert found.facts["default_reasoning_level"] == "medium"
    assert [level["effort"] for level in found.facts["reasoning_levels"]] == ["low", "medium", "high", "xhigh", "max"]
    assert found.pricing["overrides"][0]["min_prompt_tokens"] == 272000
    assert found.pricing["overrides"][0]["prompt"] == "0.00002"


def test_the_same_price_as_text_and_as_a_number_is_the_same() -> None:
    prices = [
        {
            found.model_id: found.pricing["prompt"]
            for found in adapter("openrouter").parse(recorded(name), listing).listings
        }
        for _, name, listing, _ in RECORDED[7:9]
    ]
    shared = prices[0].keys() & prices[1].keys()
    assert len(shared) == 21
    assert all(prices[0][model_id] == prices[1][model_id] for model_id in shared)


def test_dimensions_are_read_from_an_embedding_models_description() -> None:
    architecture = {"input_modalities": ["text"], "output_modalities": ["embeddings"]}
    record = openrouter(architecture=architecture, description="Makes 768-dimensional vectors.")
    found = parsed("openrouter", {"data": [record]}, "embeddings")["acme/one"]
    assert found.facts["embedding_dimensions"] == 768
    assert "supported_parameters" not in found.facts


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


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("OpenAI: GPT-4o", "GPT-4o"),
        ("Claude Opus 5", "Claude Opus 5"),
        ("A: B: C", "B: C"),
        (": x", ": x"),
        ("A: ", "A:"),
    ],
)
def test_short_names_lose_their_author_once(name: str, short: str) -> None:
    assert short_name(name) == short


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("kind", list(ADAPTERS))
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_value_of_any_field_breaks_more_than_its_record(kind: str, data: st.DataObject) -> None:
    fields = {
        "openrouter": list(openrouter()) + ["expiration_date", "alias_target", "reasoning"],
        "ollama": ["name", "details", "capabilities", "show", "size", "modified_at"],
    }.get(kind, ["id", "name", "type", "created", "meta", "capabilities", "pricing", "architecture", "tags", "aliases",
                 "max_tokens", "context_window", "max_context_length", "quantization", "supported_features",
                 "supportedGenerationMethods", "cost", "limit", "modalities", "reasoning_options", "mode"])  # fmt: skip
    record = data.draw(st.dictionaries(st.sampled_from(fields), json_values, max_size=8))
    payloads: list[Any] = [{"data": [record]}, {"models": [record]}]
    payloads += [{"openai": {"models": {"x": record}}}, {"x": {**record, "litellm_provider": "openai"}}]
    ours = adapter(kind)
    for payload in payloads:
        try:
            answer = ours.parse(payload, next(iter(ours.listings)))
        except UpstreamError as error:
            assert error.reason in ("empty", "wrong_shape", "not_recognised")
        else:
            assert isinstance(answer, Answer)
            assert len(answer.listings) + len(answer.bad) <= answer.total
