"""OpenRouter: https://openrouter.ai/api/v1, spec at its `openapi/openapi.yaml`. Prices are strings, USD per token."""

import re
from decimal import Decimal
from typing import Any, ClassVar

from catalog.pricing import CONDITIONS, KINDS, OF_TEXT
from providers.adapters import values
from providers.adapters.base import Adapter
from providers.adapters.builder import ListingBuilder, Rejected, mapping
from providers.adapters.values import Unusable
from providers.client.http import UpstreamClient, UpstreamError

_OURS = frozenset({"architecture", "pricing", "top_provider", "canonical_slug", "context_length"})
# What stands among the prices and is none of another unit.
_NO_UNIT = frozenset({*OF_TEXT, "overrides", "discount"})
_DIMENSIONS = re.compile(r"\b([1-9][0-9]{1,4})-dimension")


class OpenRouter(Adapter):
    kind = "openrouter"
    title = "OpenRouter"
    default_base_url = "https://openrouter.ai/api/v1"
    # /models lists only what answers in text; embedding models have a list of their own.
    listings: ClassVar[dict[str, str]] = {"language": "/models", "embeddings": "/embeddings/models"}

    def next_page(self, page: Any, url: str) -> str | None:
        # Sent since mid-2026, relative to the host, and null as long as nobody asks for pages.
        following = mapping(mapping(page).get("links")).get("next")
        return following if isinstance(following, str) and following else None

    def catalog_id(self, upstream_id: str) -> str:
        if not all(upstream_id.partition("/")):
            raise Rejected("id has no author before a slash")
        return upstream_id

    def looks_like_ours(self, record: dict[str, Any]) -> bool:
        return bool(_OURS & record.keys()) or not {"owned_by", "object", "digest", "type"} & record.keys()

    def check_kind(self, records: list[Any], listing: str) -> None:
        super().check_kind(records, listing)
        if listing and _listing_of(records) not in (None, listing):
            raise UpstreamError.of_answer("not_recognised", f"is not OpenRouter's list of {listing} models.")

    def recognise(self, payload: Any) -> str | None:
        found = super().recognise(payload)
        return found and (_listing_of(self.records(payload)) or "language")

    def probe(self, client: UpstreamClient, credential: str | None = None) -> str:
        """With a credential, `/key` is asked: `/models` is public and would not notice a bad one."""
        if not credential:
            return super().probe(client)
        answer = mapping(mapping(self.get(client, self.url("/key"), credential)).get("data"))
        if not answer:
            raise UpstreamError("wrong_shape", f"{self.url('/key')} did not describe the key, as OpenRouter does.")
        left = answer.get("limit_remaining")
        known = isinstance(left, (int, float, Decimal)) and not isinstance(left, bool)
        return (
            f"The key works; {left} USD of its limit is left." if known else "The key works; it has no spending limit."
        )

    def read(self, record: dict[str, Any], draft: ListingBuilder, listing: str) -> None:
        draft.text("name", record.get("name"), values.MAX_NAME)
        draft.text("description", record.get("description"), values.MAX_DESCRIPTION)
        architecture, top = mapping(record.get("architecture")), mapping(record.get("top_provider"))
        draft.modalities(architecture.get("input_modalities"), architecture.get("output_modalities"))
        draft.text("tokenizer", architecture.get("tokenizer"))
        draft.text("instruct_type", architecture.get("instruct_type"))
        _context(record, top, draft)
        draft.flag("is_moderated", top.get("is_moderated"))
        draft.put("released_at", record.get("created"), values.moment, "created")
        draft.put("retires_at", record.get("expiration_date"), values.retirement, "expiration_date")
        draft.put("knowledge_cutoff", record.get("knowledge_cutoff"), values.day)
        _prices(record, draft)
        if draft.facts.get("supports_embeddings"):
            _dimensions(draft)
        else:
            # The list of embedding models has parameters of chat models here.
            _parameters(record, draft)
        _extras(record, draft)


def _listing_of(records: list[Any]) -> str | None:
    """The listing that most records belong to; None where none states its outputs."""
    makes = [
        "embeddings" in produced
        for record in records
        if isinstance(produced := mapping(mapping(record).get("architecture")).get("output_modalities"), list)
    ]
    if not makes:
        return None
    return "embeddings" if sum(makes) * 2 > len(makes) else "language"


def _context(record: dict[str, Any], top: dict[str, Any], draft: ListingBuilder) -> None:
    # The model's own figure can be four times what its best provider serves, so the smaller one is the truth.
    own = draft.clean("context_length", record.get("context_length"), values.whole)
    best = draft.clean("top_provider.context_length", top.get("context_length"), values.whole)
    if known := [number for number in (own, best) if number]:
        draft.facts["context_length"] = min(known)
    draft.put("max_output_tokens", top.get("max_completion_tokens"), values.whole, "max_completion_tokens")


def _prices(record: dict[str, Any], draft: ListingBuilder) -> None:
    sent = record.get("pricing")
    if sent is not None and not isinstance(sent, dict):
        draft.problems.append("pricing is not an object")
    pricing = mapping(sent)
    for key in KINDS:
        draft.price(key, pricing.get(key))
    unread = [key for key in pricing if key not in _NO_UNIT | draft.pricing.keys()]
    if not all(values.is_nothing(pricing[key]) for key in unread):
        draft.paid_otherwise()
    overrides = pricing.get("overrides")
    if isinstance(overrides, list):
        found = [_override(item, draft) for item in overrides]
        # A condition that cannot be read makes its price meaningless, so such an entry is left out.
        if usable := [item for item in found if item]:
            draft.pricing["overrides"] = usable
    elif overrides is not None:
        draft.problems.append("price overrides is not a list")


def _override(entry: Any, draft: ListingBuilder) -> dict[str, Any] | None:
    sent = {key: value for key, value in mapping(entry).items() if value is not None}
    conditions = {key: sent[key] for key in CONDITIONS if key in sent}
    try:
        prices = {key: values.price(sent[key]) for key in KINDS if key in sent} if conditions else {}
        cleaned = values.json_value(conditions)
    except Unusable:
        prices = {}
    known = {key: amount for key, amount in prices.items() if amount is not None}
    if not known:
        draft.problems.append("price overrides holds an entry that cannot be read")
        return None
    return {**cleaned, **known}


def _parameters(record: dict[str, Any], draft: ListingBuilder) -> None:
    names = draft.clean("supported_parameters", record.get("supported_parameters"), values.words)
    if names is not None:
        default = draft.clean("default_parameters", record.get("default_parameters"), _defaults)
        draft.facts["supported_parameters"] = {"names": sorted(names), "default": default or {}}
        draft.facts["supports_tools"] = "tools" in names
        draft.facts["supports_reasoning"] = "reasoning" in names
        draft.facts["supports_structured_output"] = "structured_outputs" in names
        draft.facts["supports_parallel_tool_calls"] = "parallel_tool_calls" in names
        draft.facts["supports_verbosity"] = "verbosity" in names
        draft.facts["supports_browser"] = "web_search_options" in names
    reasoning = mapping(record.get("reasoning"))
    if reasoning:
        draft.facts["supports_reasoning"] = True
        draft.reasoning(reasoning.get("supported_efforts"), reasoning.get("default_effort"))


def _defaults(value: Any) -> dict[str, Any]:
    """Default parameters less those that are null."""
    if value is not None and not isinstance(value, dict):
        raise Unusable("is not an object")
    return {key: item for key, item in values.json_value(value or {}).items() if item is not None}


def _dimensions(draft: ListingBuilder) -> None:
    # There is no field for it; most descriptions name it, and one that names two sizes is ambiguous.
    found = set(_DIMENSIONS.findall(draft.facts.get("description", "")))
    if len(found) == 1:
        draft.facts["embedding_dimensions"] = int(found.pop())


def _extras(record: dict[str, Any], draft: ListingBuilder) -> None:
    draft.extra("canonical_slug", record.get("canonical_slug"))
    draft.extra("hugging_face_id", record.get("hugging_face_id"))
    draft.extra("variant", draft.upstream_id.partition(":")[2])
    draft.extra("supported_voices", record.get("supported_voices"))
    draft.extra("per_request_limits", record.get("per_request_limits"))
    # "-1" marks a router, whose price is that of the model it picks: not free, and not unknown by mistake.
    if str(mapping(record.get("pricing")).get("prompt")) == "-1":
        draft.extras["variable_price"] = True
    target = record.get("alias_target")
    if target is not None and mapping(target).get("slug") != draft.upstream_id:
        draft.put("alias_of", mapping(target).get("slug"), values.model_id, "alias_target")
