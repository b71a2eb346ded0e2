"""Every server that speaks OpenAI's dialect: vLLM, llama.cpp, LM Studio, Groq, Together, xAI, DeepSeek and their like.

Each adds fields of its own to `{"data": [{"id": ...}]}`; the fields are told apart by name, not by server.
"""

import re
from decimal import Decimal
from typing import Any

from providers.adapters import values
from providers.adapters.base import Adapter, Draft, Rejected, mapping
from providers.adapters.openai import EMBEDDING_ID
from providers.adapters.values import Unusable
from providers.http import UpstreamError

_CONTEXT = ("max_model_len", "context_window", "loaded_context_length", "max_context_length", "context_length")
_MAX_OUTPUT = ("max_completion_tokens", "max_tokens", "max_output_length")
_TYPE_EMBEDDING = frozenset({"embedding", "embeddings"})
_TYPE_CHAT = frozenset({"llm", "vlm", "chat", "language", "code"})
_SMALL_EMBEDDER = re.compile(r"(?:^|/)(?:bge|gte|e5|all-minilm|nomic-embed)[-_]", re.IGNORECASE)


class Compatible(Adapter):
    kind = "compatible"
    slug = "compatible"

    def records(self, payload: Any) -> list[Any]:
        if isinstance(payload, list):
            # Together sends the bare list.
            return payload
        models = payload.get("models") if isinstance(payload, dict) and "data" not in payload else None
        if isinstance(models, list):
            # LM Studio's own API; llama.cpp sends such a list too, full of empty texts, beside the real one.
            if models and not any("key" in mapping(item) for item in models):
                raise UpstreamError("not_recognised", "This is not an answer in OpenAI's dialect.")
            return models
        return super().records(payload)

    def upstream_id(self, record: dict[str, Any]) -> str:
        try:
            return values.model_id(record.get("id", record.get("key")))
        except Unusable as error:
            raise Rejected(f"id {error}") from None

    def read(self, record: dict[str, Any], draft: Draft, listing: str) -> bool | None:
        if record.get("active") is False:
            return False  # Groq lists what it no longer serves.
        draft.text("name", record.get("display_name") or record.get("name"), values.MAX_NAME)
        draft.text("description", record.get("description"), values.MAX_DESCRIPTION)
        draft.put("released_at", record.get("created"), values.moment, "created")
        meta = mapping(record.get("meta"))
        context = meta.get("n_ctx") or meta.get("n_ctx_train")
        _first(draft, "context_length", {**record, "n_ctx": context}, ("n_ctx", *_CONTEXT))
        _first(draft, "max_output_tokens", record, _MAX_OUTPUT)
        _kind(record, draft)
        if draft.facts.get("supports_embeddings"):
            draft.put("embedding_dimensions", meta.get("n_embd"), values.whole)
        _capabilities(record, draft)
        _prices(record, draft)
        _extras(record, meta, draft)
        return None


def _first(draft: Draft, fact: str, record: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if record.get(name) is not None:
            draft.put(fact, record[name], values.whole, name)
            return


def _kind(record: dict[str, Any], draft: Draft) -> None:
    architecture = mapping(record.get("architecture"))
    given = record.get("input_modalities", architecture.get("input_modalities"))
    produced = record.get("output_modalities", architecture.get("output_modalities"))
    draft.modalities(given, produced)
    word = str(record.get("type"))
    if word in _TYPE_EMBEDDING:
        draft.embedding()
    elif word in _TYPE_CHAT:
        draft.chat()
    elif "output_modalities" not in draft.facts and (
        EMBEDDING_ID.search(draft.upstream_id) or _SMALL_EMBEDDER.search(draft.upstream_id)
    ):
        draft.embedding()


def _capabilities(record: dict[str, Any], draft: Draft) -> None:
    capabilities = mapping(record.get("capabilities"))
    if "vision" in capabilities and "input_modalities" not in draft.facts:
        draft.chat(images=capabilities["vision"] is True)
    draft.flag("supports_tools", capabilities.get("trained_for_tool_use"))
    features = draft.clean("supported_features", record.get("supported_features"), values.words)
    if features is not None:
        draft.facts["supports_tools"] = "tools" in features
        draft.facts["supports_reasoning"] = "reasoning" in features
        draft.facts["supports_structured_output"] = bool({"json_schema", "structured_outputs"} & set(features))


def _prices(record: dict[str, Any], draft: Draft) -> None:
    pricing = mapping(record.get("pricing"))
    # Together writes numbers per million tokens, and zeros for what is paid by the hour.
    hourly = pricing.get("hourly") not in (None, 0)
    for key, theirs in (("prompt", "input"), ("completion", "output")):
        amount = pricing.get(theirs)
        if isinstance(amount, (int, Decimal)) and not (hourly and amount == 0):
            draft.price(key, amount, per_million=True)
        elif isinstance(pricing.get(key), str):
            # Text under OpenRouter's names is per token; text under other names could be either, and is unknown.
            draft.price(key, pricing[key])


def _extras(record: dict[str, Any], meta: dict[str, Any], draft: Draft) -> None:
    quantization = record.get("quantization")
    draft.extra("quantization", mapping(quantization).get("name") or quantization or meta.get("ftype"))
    draft.extra("parameter_size", record.get("params_string") or meta.get("n_params"))
    draft.extra("size_bytes", record.get("size_bytes") or meta.get("size"))
    aliases = record.get("aliases")
    draft.extra(
        "aliases", [item for item in aliases if item != draft.upstream_id] if isinstance(aliases, list) else None
    )
    draft.extra("owned_by", record.get("owned_by") or record.get("organization") or record.get("publisher"))
    draft.extra("license", record.get("license"))
    draft.extra("parent", record.get("parent"))
