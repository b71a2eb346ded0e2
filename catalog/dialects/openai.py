"""An AI model as OpenAI's clients read it, with what other clients of that dialect look for beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.models import AIModel

# Of a custom model, which no author made.
OWNED_BY_A_USER = "user"


def openai_item(model: AIModel) -> dict[str, Any]:
    """The row of `/v1/models`. At the top what is unknown is absent, in `metadata` it is null.

    At the top stand OpenAI's own fields and the names by which Open WebUI, LibreChat, vLLM's and OpenRouter's clients
    look for limits and prices. An unknown price is never "0".
    """
    born = model.released_at or model.created_at
    description = model.description or None
    pricing = model.pricing or None
    known = {
        "description": description,
        "context_length": model.context_length,
        "context_window": model.context_length,
        "max_model_len": model.context_length,
        "max_output_tokens": model.max_output_tokens,
        "pricing": pricing,
        "architecture": _architecture(model),
        "supported_parameters": model.supported_parameters.get("names"),
        "top_provider": _top_provider(model),
        "shutdown_date": model.retires_at.isoformat() if model.retires_at else None,
    }
    return {
        "id": model.model_id,
        "object": "model",
        "created": int(born.timestamp()),
        "owned_by": model.author or OWNED_BY_A_USER,
        "name": model.name,
        **{field: value for field, value in known.items() if value},
        "capabilities": model.capabilities,
        "metadata": {
            "display_name": model.name,
            "description": description,
            "context_window": model.context_length,
            "max_output_tokens": model.max_output_tokens,
            "input_modalities": model.input_modalities,
            "output_modalities": model.output_modalities,
            "supported_reasoning_levels": [
                {"effort": level["effort"], "description": level.get("description", "")}
                for level in model.reasoning_levels
            ],
            "default_reasoning_level": model.default_reasoning_level or None,
            "supports_reasoning_summaries": model.supports_reasoning_summaries,
            "support_verbosity": model.supports_verbosity,
            "default_verbosity": model.default_verbosity or None,
            "prefer_websockets": model.prefer_websockets,
            "supports_parallel_tool_calls": model.supports_parallel_tool_calls,
            "supported_in_api": model.supported_in_api,
            "minimal_client_version": model.minimal_client_version or None,
            "priority": model.priority,
            "capabilities": model.capabilities,
            "pricing": pricing,
        },
    }


def _architecture(model: AIModel) -> dict[str, Any]:
    into, out = model.input_modalities, model.output_modalities
    known = {
        "modality": f"{'+'.join(into)}->{'+'.join(out)}" if into and out else None,
        "input_modalities": into,
        "output_modalities": out,
        "tokenizer": model.tokenizer,
        "instruct_type": model.instruct_type,
    }
    return {field: value for field, value in known.items() if value}


def _top_provider(model: AIModel) -> dict[str, Any]:
    known = {
        "context_length": model.context_length,
        "max_completion_tokens": model.max_output_tokens,
        "is_moderated": model.is_moderated,
    }
    return {field: value for field, value in known.items() if value is not None}
