"""How the sources spell the authors of models, so that facts from one can be joined to models from another."""

# Our spelling is OpenRouter's, since its ids are taken over as they are.
AUTHORS = {
    "xai": "x-ai",
    "zai": "z-ai",
    "zhipuai": "z-ai",
    "mistral": "mistralai",
    "meta": "meta-llama",
    "llama": "meta-llama",
    "moonshot": "moonshotai",
    "gemini": "google",
    "alibaba": "qwen",
    "dashscope": "qwen",
    "nova": "amazon",
}
# Providers whose own spelling is not OpenRouter's: a model may be in the catalog under either.
_PROVIDERS = frozenset({"mistral"})


def our_ids(author: str, name: str) -> list[str]:
    """The catalog ids a model may have: OpenRouter's spelling first, then its own provider's namespace."""
    ids = [f"{AUTHORS.get(author.lower(), author.lower())}/{name}"]
    if author in _PROVIDERS:
        ids.append(f"{author}/{name}")
    return ids
