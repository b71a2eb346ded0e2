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
# The namespaces of providers whose own spelling is not OpenRouter's: a model may be in the catalog under either.
_NAMESPACES = {"mistral": "mistral"}


def our_author(theirs: str) -> str:
    return AUTHORS.get(theirs.lower(), theirs.lower())


def our_ids(author: str, name: str) -> list[str]:
    """The catalog ids a model may have: OpenRouter's spelling first, then its own provider's namespace."""
    ids = [f"{our_author(author)}/{name}"]
    if author in _NAMESPACES:
        ids.append(f"{_NAMESPACES[author]}/{name}")
    return ids
