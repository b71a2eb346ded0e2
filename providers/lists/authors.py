"""How authors are called, for people."""

# Those whose name is not their id in title case.
NAMES = {
    "ai21": "AI21",
    "aion-labs": "AionLabs",
    "allenai": "AllenAI",
    "arcee-ai": "Arcee AI",
    "baai": "BAAI",
    "bytedance": "ByteDance",
    "bytedance-seed": "ByteDance Seed",
    "deepseek": "DeepSeek",
    "ibm-granite": "IBM Granite",
    "intfloat": "Intfloat",
    "meta-llama": "Meta",
    "minimax": "MiniMax",
    "mistralai": "Mistral",
    "moonshotai": "MoonshotAI",
    "nousresearch": "NousResearch",
    "nvidia": "NVIDIA",
    "openai": "OpenAI",
    "openrouter": "OpenRouter",
    "sentence-transformers": "Sentence Transformers",
    "stepfun": "StepFun",
    "thenlper": "Thenlper",
    "tngtech": "TNG",
    "voyageai": "Voyage AI",
    "x-ai": "xAI",
    "z-ai": "Z.ai",
}


def display_name(author: str) -> str:
    """`openai` -> OpenAI; one that is not in the table in title case."""
    return NAMES.get(author) or author.replace("-", " ").replace("_", " ").title()


def split_name(name: str) -> tuple[str, str]:
    """("OpenAI", "GPT-4o Mini") for "OpenAI: GPT-4o Mini"; ("", name) where upstream names no author before it."""
    author, colon, rest = name.strip().partition(": ")
    return (author.strip(), rest.strip()) if colon and author.strip() and rest.strip() else ("", name.strip())
