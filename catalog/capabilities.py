"""What a model is for: the words of `capabilities`, and the rule by names for what no source says.

A model has one task, and beside it abilities. Sources state the task where they know it (`AIModel.task`), or only the
modalities; where they state neither, the name decides. OpenAI's own list, for one, has nothing but names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

CHAT = "chat"
COMPLETION = "completion"
EMBEDDINGS = "embeddings"
IMAGE_GENERATION = "image_generation"
VIDEO_GENERATION = "video_generation"
SPEECH = "speech"
TRANSCRIPTION = "transcription"
MODERATION = "moderation"
RERANK = "rerank"
REALTIME = "realtime"
TASKS = (
    CHAT, COMPLETION, EMBEDDINGS, IMAGE_GENERATION, VIDEO_GENERATION, SPEECH, TRANSCRIPTION, MODERATION, RERANK,
    REALTIME,
)  # fmt: skip
# A task that has no word of its own, such as reading scanned pages. It is no chat model, and no capability is named.
OTHER = "other"
# Tasks that are paid by the image, the second or the request. A token price of zero says nothing about these.
NOT_PAID_BY_TOKEN = frozenset({IMAGE_GENERATION, VIDEO_GENERATION, SPEECH, TRANSCRIPTION, RERANK})

ABILITIES = (
    ("vision", "supports_images"),
    ("audio", "supports_audio"),
    ("video", "supports_video"),
    ("tools", "supports_tools"),
    ("reasoning", "supports_reasoning"),
    ("structured_output", "supports_structured_output"),
    ("browser", "supports_browser"),
)
CAPABILITIES = (*TASKS, *(word for word, _ in ABILITIES))

# Looked for in the last part of the id, in this order. A word ends where the letters do: `tts-1` is a voice, `mutts` is
# none. Ollama's 234 library names and OpenAI's 119 recorded ids are told apart by these without a mistake.
_NAMES = tuple(
    (task, re.compile(pattern, re.IGNORECASE))
    for task, pattern in (
        (REALTIME, r"(?<![a-z])(?:realtime|live)(?![a-z])|nova-sonic|^gemini-.*native-audio"),
        (RERANK, r"rerank|^llama-rank(?![a-z])"),
        (
            EMBEDDINGS,
            r"embed|minilm|colbert|-mpnet-|(?:^|[-_])(?:bge|gte|e5)[-_]|^(?:paraphrase|voyage|clip-vit|jina-clip)-"
            r"|^m2-bert-.*-retrieval|^(?:uae-large|siglip|splade|text-search-|text-similarity-|code-search-)",
        ),
        (
            TRANSCRIPTION,
            r"whisper|transcri(?!pt-)|^scribe_v|sensevoice|wav2vec|(?<![a-z])(?:parakeet|asr|paraformer|moonshine)(?![a-z])"
            r"|^canary-(?:[0-9.]+[bm]|qwen)(?![a-z])",
        ),
        (
            SPEECH,
            r"(?<![a-z])(?:x|index|melo|chat|style)?tts(?![a-z])|^gpt-(?:.+-)?speech(?![a-z])|fish-speech|^speech-"
            r"|cosyvoice|vibevoice|^(?:kokoro|orpheus|bark|openaudio|musicgen|lyria|chatterbox)(?![a-z])|^eleven_"
            r"|^suno-|^aura(?:-[0-9])?-[a-z]+-[a-z]{2}$",
        ),
        (MODERATION, r"moderation|(?<![a-z])(?:virtue|wild)?guard(?:ian)?(?![a-z])|^shieldgemma|content-safety"),
        (
            VIDEO_GENERATION,
            r"^(?:sora|veo|kling|mochi|pika|pixverse|vidu|dream-machine)(?![a-z])|^ray-?(?:v?[0-9]|flash)|^gen[34]a?_"
            r"|^video-0|(?:hunyuan-?|ltx-?|cog)video|stable-video-diffusion|nova-reel|^gpt-(?:.+-)?video(?![a-z])"
            r"|(?<![a-z])(?:seedance|hailuo)(?![a-z])|(?<![a-z0-9])(?:t2v|i2v|ti2v)(?![a-z])|^wan-?[0-9](?!.*(?:t2i|image))",
        ),
        (
            IMAGE_GENERATION,
            r"(?<![a-z])(?:image|t2i)(?![a-z])"
            r"|^(?:dall-?e|imagen|flux|stable-diffusion|sdxl|sd-turbo|midjourney|recraft|ideogram)(?![a-z])"
            r"|(?<![a-z])(?:cogview|kolors|hidream|seedream|pixart|kandinsky|nano-banana)(?![a-z])|nova-canvas|(?:^|\.)sd3(?![a-z])",
        ),
        # They read scanned pages, answer from given texts, tell when a speaker has ended, enlarge pictures.
        (OTHER, r"^(?:mistral-ocr|aqa|smart-turn|real-?esrgan)(?![a-z])|upscaler"),
        (
            COMPLETION,
            r"(?<![a-z])(?:davinci|curie|babbage)(?![a-z])|^(?:text-)?ada(?:-[0-9]+)?$|^gpt-[0-9.]+(?:-turbo)?-instruct(?![a-z])",
        ),
    )
)
_BEDROCK = re.compile(r"^(?:[a-z]+\.){1,2}(?=[a-z])")
# Amazon's models of that name are for chat.
_OF_DEEPGRAM = re.compile(r"(?:^|/)deepgram/nova(?![a-z])", re.IGNORECASE)
# By the first of these that a model makes, where it makes no text.
_MADE = (
    ("embeddings", EMBEDDINGS),
    ("rerank", RERANK),
    ("transcription", TRANSCRIPTION),
    ("video", VIDEO_GENERATION),
    ("image", IMAGE_GENERATION),
    ("speech", SPEECH),
    ("audio", SPEECH),
)
# These answer in text as well, so that a source which says "text" has not said that they converse.
_IN_TEXT = frozenset({COMPLETION, TRANSCRIPTION, MODERATION, RERANK, REALTIME, OTHER})
# Of these models.dev says that they make text as well, which they do not.
_NEVER_IN_TEXT = re.compile(r"^(?:chat)?gpt-image(?![a-z])", re.IGNORECASE)


def _name_of(model_id: str) -> str:
    """The part after the last slash; of a fine-tune of OpenAI's the base model, as the rest is anybody's choice.

    Bedrock writes the region and the maker before it: `us.amazon.titan-embed-text-v2:0`, `luma.ray-v2:0`.
    """
    name = model_id.rpartition("/")[2]
    return name.split(":")[1] if name.startswith("ft:") else _BEDROCK.sub("", name)


@lru_cache(64)
def task_of_name(model_id: str) -> str | None:
    """The task that the model's name gives away (or OTHER), or None. Each renderer of a model asks for it anew.

    Only what follows the last slash is looked at, but for Deepgram's models, which share a name with others.
    """
    if _OF_DEEPGRAM.search(model_id):
        return TRANSCRIPTION
    name = _name_of(model_id)
    return next((task for task, pattern in _NAMES if pattern.search(name)), None)


def task_of(
    model_id: str,
    *,
    said: str = "",
    takes: Collection[str] = (),
    makes: Collection[str] = (),
    embeds: bool | None = None,
) -> str:
    """One of TASKS, or OTHER. `said` is the task that a source states, `takes` and `makes` are modalities.

    An empty collection is unknown. What is said comes before what is made, and that before what the name gives away.
    """
    if embeds:
        return EMBEDDINGS
    if said:
        return said
    if makes and "text" not in makes:
        return next((task for word, task in _MADE if word in makes), OTHER)
    named = task_of_name(model_id)
    if not makes:
        # `supports_embeddings` of false is a word of its own: what does not embed is not taken for an embedding model.
        return CHAT if named is None or (named == EMBEDDINGS and embeds is False) else named
    if named is not None and (named in _IN_TEXT or _NEVER_IN_TEXT.search(_name_of(model_id))):
        return named
    return TRANSCRIPTION if set(takes) == {"audio"} else CHAT


def task_of_facts(model_id: str, facts: Mapping[str, Any]) -> str:
    """The task by what one source says of a model; what it does not say is absent."""
    return task_of(
        model_id,
        said=facts.get("task", ""),
        takes=facts.get("input_modalities", ()),
        makes=facts.get("output_modalities", ()),
        embeds=facts.get("supports_embeddings"),
    )


def task_of_model(model: Any) -> str:
    """The task of a row. A custom model's own name is anybody's choice and says nothing."""
    return task_of(
        "" if model.kind == "custom" else model.model_id,
        said=model.task,
        takes=model.input_modalities,
        makes=model.output_modalities,
        embeds=model.supports_embeddings,
    )


def words_of(model: Any) -> list[str]:
    """The words of the public API: the task, where it has a word, and the abilities that are known."""
    task = task_of_model(model)
    return [*([] if task == OTHER else [task]), *(word for word, field in ABILITIES if getattr(model, field))]
