"""Mistral: https://api.mistral.ai/v1/models. No prices; aliases are listed as models of their own."""

from typing import Any

from catalog.capabilities import COMPLETION, MODERATION, OTHER, SPEECH, TRANSCRIPTION, task_of_name
from providers.adapters import values
from providers.adapters.base import Adapter
from providers.adapters.builder import ListingBuilder, mapping

_FLAGS = (("supports_tools", "function_calling"), ("supports_reasoning", "reasoning"), ("supports_images", "vision"))

# What one that does not chat is for, by the first of these that it has.
_TASKS = (
    ("moderation", MODERATION),
    ("audio_transcription", TRANSCRIPTION),
    ("audio_speech", SPEECH),
    ("completion_fim", COMPLETION),
)


class Mistral(Adapter):
    kind = "mistral"
    title = "Mistral's API"
    default_base_url = "https://api.mistral.ai/v1"

    def looks_like_ours(self, record: dict[str, Any]) -> bool:
        return "capabilities" in record or not {"architecture", "pricing", "owned_by", "type", "digest"} & record.keys()

    def read(self, record: dict[str, Any], draft: ListingBuilder, listing: str) -> None:
        name = record.get("name")
        # Where there is no display name, `name` repeats the id, which is not worth taking for one.
        draft.text("name", None if name == draft.upstream_id else name, values.MAX_NAME)
        draft.text("description", record.get("description"), values.MAX_DESCRIPTION)
        draft.put("released_at", record.get("created"), values.moment, "created")
        draft.put("context_length", record.get("max_context_length"), values.whole, "max_context_length")
        draft.put("retires_at", record.get("deprecation"), values.retirement, "deprecation")
        capabilities = mapping(record.get("capabilities"))
        chats = capabilities.get("completion_chat")
        if chats is False:
            draft.is_for(_task(capabilities, draft.upstream_id))
        elif chats is True:
            vision = capabilities.get("vision")
            draft.chat(images=vision if isinstance(vision, bool) else None)
            for fact, capability in _FLAGS:
                draft.flag(fact, capabilities.get(capability))
        draft.aliases(record.get("aliases"))
        draft.put(
            "successor",
            record.get("deprecation_replacement_model") or None,
            lambda value: values.model_id(f"{self.namespace}/{values.model_id(value)}"),
            "deprecation_replacement_model",
        )
        draft.extra("type", record.get("type"))


def _task(capabilities: dict[str, Any], upstream_id: str) -> str:
    # No capability marks a model that embeds: only its name does.
    stated = next((task for name, task in _TASKS if capabilities.get(name) is True), None)
    return stated or task_of_name(upstream_id) or OTHER
