"""The fields of an AI model by whose word they are: sources, people, base models, or other fields."""

# The fields that sources describe. A person's change of one pins it; a sync writes those that are not pinned.
SYNCED_FIELDS: tuple[str, ...] = (
    "name",
    "family",
    "description",
    "task",
    "context_length",
    "max_output_tokens",
    "embedding_dimensions",
    "input_modalities",
    "output_modalities",
    "tokenizer",
    "instruct_type",
    "supports_images",
    "supports_audio",
    "supports_video",
    "supports_tools",
    "supports_browser",
    "supports_reasoning",
    "supports_instruct",
    "supports_embeddings",
    "supports_structured_output",
    "supports_parallel_tool_calls",
    "supports_reasoning_summaries",
    "supports_verbosity",
    "default_verbosity",
    "reasoning_levels",
    "default_reasoning_level",
    "prefer_websockets",
    "minimal_client_version",
    "supported_parameters",
    "is_moderated",
    "extras",
    "released_at",
    "deprecated_at",
    "retires_at",
    "knowledge_cutoff",
    "alias_of",
    "successor",
)

# The fields that only people set; a sync never writes them.
DECIDED_FIELDS: tuple[str, ...] = (
    "active",
    "hidden",
    "experimental",
    "requires_feature_flag",
    "restricted",
    "enabled_by_default",
    "priority",
    "recommended",
    "recommendation_note",
    "supported_in_api",
    "always_available",
    "notes",
)

# What sources say of a catalog entry and a custom model says itself, or, as who succeeds it, does not.
_OF_EACH_MODEL = frozenset({"name", "description", "extras", "released_at", "successor"})

# What a custom model has from its base model. `alias_of` too, so that it is judged with what its base model stands for,
# unless staff delegated it. Also a delegated one, whose readers need not see the base model: what it can do, holds and
# costs, and its family, are facts of what staff gave them to use. Only the id of the base model is not told.
INHERITED_FIELDS: tuple[str, ...] = (
    *(field for field in SYNCED_FIELDS if field not in _OF_EACH_MODEL),
    "pricing",
    "prompt_price",
    "offered_by",
    "is_available",
    "supported_in_api",
)

# What catalog/derived.py sets, and the fields that this and what is inherited follow from.
DERIVED_FIELDS: tuple[str, ...] = ("author", "search_text", "name_key", "facets")
DERIVED_FROM = frozenset(
    {"model_id", "name", "owner", "owner_id", "base_model", "base_model_id", "delegated", *INHERITED_FIELDS}
)
