"""Recorded answers of upstreams, and the shortest way from one to listings."""

import json
from pathlib import Path
from typing import Any

import pytest

from providers.adapters import ADAPTERS, Adapter, ListedModel
from providers.client.http import UpstreamError, strict_loads

DATA = Path(__file__).parent / "data"
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


def recorded(name: str) -> Any:
    return strict_loads((DATA / name).read_bytes())


def adapter(kind: str, base: str = "http://127.0.0.1/v1") -> Adapter:
    return ADAPTERS[kind](base)


def parsed(kind: str, payload: Any, listing: str | None = None) -> dict[str, ListedModel]:
    # Through JSON, so that numbers arrive as they do from the door.
    payload = strict_loads(json.dumps(payload, default=str).encode())
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


def one(**changes: Any) -> ListedModel:
    return next(iter(parsed("openrouter", {"data": [openrouter(**changes)]}).values()))


def reason_of(kind: str, payload: Any, listing: str | None = None) -> str:
    ours = adapter(kind)
    with pytest.raises(UpstreamError) as caught:
        ours.parse(payload, listing or next(iter(ours.listings)))
    return caught.value.reason
