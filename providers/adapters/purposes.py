"""The words by which upstreams say what a model is for, in one table: Hugging Face's pipeline tags, LiteLLM's modes,
Vercel's and Together's types, vLLM's tasks.
"""

from typing import Any

from catalog.capabilities import (
    CHAT,
    COMPLETION,
    EMBEDDINGS,
    IMAGE_GENERATION,
    MODERATION,
    OTHER,
    REALTIME,
    RERANK,
    SPEECH,
    TRANSCRIPTION,
    VIDEO_GENERATION,
)

_WORDS = {
    CHAT: "chat chat_completion chat_completions conversational responses",
    COMPLETION: "completion",
    EMBEDDINGS: "embedding embeddings embed text_embedding feature_extraction sentence_similarity",
    IMAGE_GENERATION: "image image_generation image_edit text_to_image image_to_image unconditional_image_generation",
    VIDEO_GENERATION: "video video_generation text_to_video image_to_video video_to_video",
    SPEECH: "audio speech audio_speech text_to_speech tts text_to_audio text_to_music",
    TRANSCRIPTION: "transcribe transcription audio_transcription automatic_speech_recognition speech_to_text asr",
    MODERATION: "moderation",
    RERANK: "rerank reranking reranker text_ranking score",
    REALTIME: "realtime",
    OTHER: "ocr search vector_store",
}
_TASKS = {word: task for task, listed in _WORDS.items() for word in listed.split()}
# They write text, which need not be in conversations.
_LANGUAGE = frozenset(
    {"llm", "vlm", "language", "code", "generate", "text_generation", "text2text_generation", "image_text_to_text",
     "video_text_to_text", "audio_text_to_text", "any_to_any"}
)  # fmt: skip
_SILENT = frozenset(("", "auto", "unknown"))


def _plain(word: Any) -> str:
    return word.lower().replace("-", "_").replace(" ", "_") if isinstance(word, str) else ""


def task_of(word: Any) -> str | None:
    """The task that the word names, one of `capabilities.TASKS` or OTHER; None where it names none that we know."""
    return _TASKS.get(_plain(word))


def is_language(word: Any) -> bool:
    """Whether the word is one of models that write text."""
    return _plain(word) in _LANGUAGE


def is_foreign(word: Any) -> bool:
    """Whether the word, of a field that states a purpose, names one that we do not know."""
    return _plain(word) not in _SILENT | _LANGUAGE | _TASKS.keys()
