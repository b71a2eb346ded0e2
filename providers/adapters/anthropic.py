"""Anthropic: https://api.anthropic.com/v1/models. No prices; `max_input_tokens` is its name for the context length."""

from typing import Any
from urllib.parse import quote

from providers.adapters import values
from providers.adapters.base import Adapter
from providers.adapters.builder import ListingBuilder, mapping

VERSION = "2023-06-01"


class Anthropic(Adapter):
    kind = "anthropic"
    title = "Anthropic's API"
    default_base_url = "https://api.anthropic.com/v1"
    credential_style = ("x-api-key", "")

    def headers(self) -> dict[str, str]:
        return {"anthropic-version": VERSION}

    def url(self, path: str) -> str:
        # Without a limit, a page has 20 models.
        return super().url(path) + ("?limit=1000" if path == "/models" else "")

    def next_page(self, page: Any, url: str) -> str | None:
        last = mapping(page).get("last_id")
        if mapping(page).get("has_more") is not True or not isinstance(last, str):
            return None
        return f"{self.url('/models')}&after_id={quote(last, safe='')}"

    def looks_like_ours(self, record: dict[str, Any]) -> bool:
        return "object" not in record and not {"architecture", "pricing", "digest"} & record.keys()

    def read(self, record: dict[str, Any], draft: ListingBuilder, listing: str) -> bool | None:
        if record.get("lifecycle") == "retired":
            return False
        draft.text("name", record.get("display_name"), values.MAX_NAME)
        draft.put("released_at", record.get("created_at"), values.moment, "created_at")
        draft.put("deprecated_at", record.get("deprecated_at"), values.day)
        draft.put("retires_at", record.get("retires_at"), values.retirement)
        draft.put("context_length", record.get("max_input_tokens"), values.whole, "max_input_tokens")
        draft.put("max_output_tokens", record.get("max_tokens"), values.whole, "max_tokens")
        draft.text("family", record.get("line"))
        capabilities = mapping(record.get("capabilities"))
        images = _supported(capabilities, "image_input")
        draft.chat(images=images)
        for fact, name in (
            ("supports_reasoning", "thinking"),
            ("supports_structured_output", "structured_outputs"),
        ):
            if (found := _supported(capabilities, name)) is not None:
                draft.facts[fact] = found
        effort = mapping(capabilities.get("effort"))
        if effort.get("supported") is True:
            draft.reasoning([name for name in effort if mapping(effort[name]).get("supported") is True], None)
        draft.extra("lifecycle", record.get("lifecycle"))
        return None


def _supported(capabilities: dict[str, Any], name: str) -> bool | None:
    found = mapping(capabilities.get(name)).get("supported")
    return found if isinstance(found, bool) else None
