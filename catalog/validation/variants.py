"""What the marks in a model id say: `qwen/qwen3-8b:free`, `openai/gpt-5:batch`, `~openai/gpt-latest`."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.validation.model_ids import ALIAS_MARK, author_of

# Suffix -> what it means, for people.
SUFFIXES = {
    "free": "Free of charge, with lower limits.",
    "batch": "Answered later, at a lower price.",
    "thinking": "Reasons before it answers.",
    "extended": "With a longer context.",
    "exacto": "Only from hosts that are good at calling tools.",
    "beta": "Not yet stable.",
    "nitro": "From the fastest host.",
    "floor": "From the cheapest host.",
    "online": "With results from the web.",
}
ALIAS = "latest"
ALIAS_MEANS = "Follows the newest of its family: what it stands for changes without notice."
# After the colon these name a size or a quantization, not a variant.
_TAGGED_AUTHORS = frozenset({"ollama"})


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of a model: `base` is the id of the ordinary one, which need not be listed."""

    word: str
    means: str
    base: str


def variant_of(model_id: str) -> Variant | None:
    """What the id's mark says, or None for an ordinary model. Whether a model is free, its price says."""
    if model_id.startswith(ALIAS_MARK):
        return Variant(ALIAS, ALIAS_MEANS, "")
    base, colon, suffix = model_id.rpartition(":")
    if colon and suffix in SUFFIXES and author_of(model_id) not in _TAGGED_AUTHORS:
        return Variant(suffix, SUFFIXES[suffix], base)
    return None
