"""providers/adapters: what upstream leaves out, as nothing, null or 0, is unknown and no fault to be told each hour."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from providers.adapters import ADAPTERS
from tests.answers import RECORDED, adapter, recorded

GATEWAY = {
    "id": "acme/m", "object": "model", "created": 1755815279, "released": 1755815280, "owned_by": "acme", "name": "M",
    "description": "M.", "context_window": 4096, "max_tokens": 512, "type": "language", "tags": ["vision"],
    "pricing": {"input": "0.000001", "output": "0.000002", "input_cache_read": "0.0000001"},
}  # fmt: skip
TOGETHER = {
    "id": "acme/m", "created": 1755815280, "type": "chat", "display_name": "M", "organization": "Acme", "link": "",
    "license": "mit", "context_length": 4096, "metadata": {"context_length": 4096, "pricing": {"input_tokens": 1}},
    "pricing": {"hourly": 0, "input": 0.2, "output": 0.4, "base": 0, "finetune": 0, "currency": "USD"},
    "limits": {"max_input_tokens": 4096, "max_output_tokens": 512}, "modalities": ["text"], "task": "chat",
    "meta": {"n_ctx": 4096, "n_embd": 512}, "cost": {}, "max_model_len": 4096, "extra": {"max_context": None},
    "providers": [{"status": "live", "context_length": 4096, "pricing": {"input": 1, "output": 2}}],
}  # fmt: skip
DEV = {
    "id": "m", "name": "M", "family": "m", "tool_call": True, "reasoning": True, "knowledge": "2026-01", "structured_output": True,
    "release_date": "2026-01-01", "modalities": {"input": ["text"], "output": ["text"]}, "open_weights": False,
    "limit": {"context": 4096, "output": 512}, "cost": {"input": 1, "output": 2, "cache_read": 0.1, "reasoning": 3},
}  # fmt: skip
MAPPED = {
    "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 4096, "max_output_tokens": 512,
    "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "supports_vision": True,
    "deprecation_date": "2027-01-01", "supported_modalities": ["text"], "output_vector_size": 512,
}  # fmt: skip
ID = {"id", "name", "model", "key", "litellm_provider"}


def _records() -> Iterator[Any]:
    """A kind, a listing, a record and the answer that holds it, first."""
    for kind, file, listing, _ in RECORDED:
        ours, payload = adapter(kind), recorded(file)
        records = ours.records(payload)
        for record in records[:2]:
            # The third shows whose answer it is.
            yield kind, listing, record, lambda row, ours=ours, rest=records[2:3]: {ours.envelope: [row, *rest]}
    for kind, record in (("vercel", GATEWAY), ("compatible", TOGETHER)):
        yield kind, "models", record, lambda row: {"data": [row]}
    yield "modelsdev", "models", DEV, lambda row: {"openai": {"models": {"m": row}}}
    yield "litellm", "models", MAPPED, lambda row: {"m": row, "sample_spec": {"litellm_provider": "x"}}


def _less(part: Any, top: bool = True) -> Iterator[Any]:
    """The record with one of its facts, on any level, left out, null or, for a number, 0."""
    for name in part if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ():
        value = part[name]
        # A price under conditions that lacks one, or the price, is rightly told.
        if (top and name in ID) or name == "overrides":
            continue
        for other in _less(value, top=False):
            yield _with(part, name, other)
        if isinstance(part, dict):
            yield _with(part, name, None)
            yield {key: value for key, value in part.items() if key != name}
            if not isinstance(value, bool | str | list | dict | None):
                yield _with(part, name, 0)


def _with(part: Any, name: Any, value: Any) -> Any:
    found = copy.copy(part)
    found[name] = value
    return found


CASES = list(_records())


@pytest.mark.parametrize(
    ("kind", "listing", "record", "answer"), CASES, ids=[f"{n} {c[0]}" for n, c in enumerate(CASES)]
)
def test_a_fact_that_is_left_out_is_no_problem(kind, listing, record, answer):
    ours = adapter(kind)
    whole = ours.parse(answer(record), listing).listings[0]
    for less in _less(record):
        found = ours.parse(answer(less), listing)
        told = set(found.listings[0].problems) - set(whole.problems)
        assert (told, found.bad) == (set(), []), less


def test_every_kind_is_asked():
    assert {case[0] for case in CASES} == set(ADAPTERS)


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        ("mistral", {"id": "m", "deprecation": None, "max_context_length": 4096}),
        ("mistral", {"id": "m", "deprecation_replacement_model": ""}),
        ("compatible", {"id": "m", "type": "image", "context_length": 0, "pricing": {"input": 0, "prompt": 0}}),
        ("compatible", {"id": "m", "price": 0, "cost": {"input": None}, "billing": ""}),
        ("google", {"name": "models/m", "inputTokenLimit": 0, "outputTokenLimit": 0}),
        ("openrouter", {"id": "a/m", "context_length": 0, "pricing": {"prompt": "1", "image": None}}),
    ],
    ids=str,
)
def test_nothing_and_zero_are_unknown_and_not_remarked(kind, record):
    ours = adapter(kind)
    assert [found.problems for found in ours.parse({ours.envelope: [record]}, next(iter(ours.listings))).listings] == [
        ()
    ]


def test_a_length_of_zero_does_not_hide_another():
    (found,) = adapter("compatible").parse({"data": [{"id": "m", "max_model_len": 0, "context_length": 4096}]}).listings
    assert found.facts["context_length"] == 4096


@pytest.mark.parametrize("kind", ["audio", "transcribe", "image", "video"])
def test_a_price_of_characters_seconds_or_pixels_is_no_price_of_tokens(kind):
    pricing = {"input": 65, "output": 0, "hourly": 0, "base": 0, "finetune": 0}
    (found,) = adapter("compatible").parse([{"id": "cartesia/sonic", "type": kind, "pricing": pricing}]).listings
    assert (found.pricing, found.problems) == ({}, ("price input is in a unit that is not known",))
