"""providers/adapters: answers of upstreams become typed facts, and one bad record costs one record."""

import copy
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.adapters import ADAPTERS, Answer
from providers.client.http import UpstreamError
from tests.answers import RECORDED, adapter, one, openrouter, parsed, reason_of, recorded


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
    ["free", "", "NaN", "Infinity", "1e999", "1e-30", "1,5", "0x1", "١", True, {}, [], "1_0", 10**400, "9" * 50],
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


@pytest.mark.parametrize("sent", [-5, "128k", 1.5, 2**31, 2**63, 10**400, True, {}, []])
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


@pytest.mark.parametrize("sent", ["2026-W05-1", "\u0662\u0660\u0662\u0666-01-31", "20260131T000000Z"])
def test_a_time_that_is_no_date_of_the_calendar_is_reported(sent: str) -> None:
    found = one(created=sent)
    assert ("released_at" in found.facts, found.problems) == (False, ("created is not a time",))


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
