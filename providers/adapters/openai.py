"""OpenAI itself: https://api.openai.com/v1. Its list names models and hardly describes them."""

import re
from typing import Any

from catalog.capabilities import CHAT, EMBEDDINGS
from providers.adapters import values
from providers.adapters.base import Adapter
from providers.adapters.builder import ListingBuilder

_OTHERS = frozenset({"architecture", "pricing", "canonical_slug", "max_model_len", "meta", "context_length"})
# Of what converses: that it is spoken to as well.
_HEARS = re.compile(r"(?<![a-z])audio(?![a-z])")


class OpenAI(Adapter):
    kind = "openai"
    title = "OpenAI's API"
    default_base_url = "https://api.openai.com/v1"

    def looks_like_ours(self, record: dict[str, Any]) -> bool:
        return not _OTHERS & record.keys() and "digest" not in record

    def read(self, record: dict[str, Any], draft: ListingBuilder, listing: str) -> None:
        # No name, context, price or modality is sent, so none is claimed: others' facts must not be blanked.
        draft.put("released_at", record.get("created"), values.moment, "created")
        draft.put("retires_at", record.get("shutdown_date"), values.retirement, "shutdown_date")
        # The names show what a model is for (catalog/capabilities.py); only this much is worth a field.
        if draft.task == EMBEDDINGS:
            draft.embedding()
        elif draft.task == CHAT and _HEARS.search(draft.upstream_id):
            draft.facts["supports_audio"] = True
        draft.extra("owned_by", record.get("owned_by"))
