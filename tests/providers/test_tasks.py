"""catalog/capabilities.py: what each upstream's models are for, from its own words or from their names."""

import json
from collections import Counter
from typing import Any

import pytest

from catalog.capabilities import TASKS, task_of_facts
from catalog.models import AIModel
from tests.answers import DATA, parsed
from tests.feeds import record

NO_TEXT = (
    "whisper", "tts", "sora", "image", "moderation", "realtime", "transcribe", "davinci", "babbage",
)  # fmt: skip


def task(kind: str, payload: Any, upstream_id: str) -> str:
    """What a catalog entry would be of which only this answer is known."""
    found = parsed(kind, payload)[upstream_id]
    model = AIModel(model_id=found.model_id, **{k: v for k, v in found.facts.items() if k not in ("extras", "name")})
    return next((word for word in model.capabilities if word in TASKS), "")


@pytest.fixture
def openai(make_provider, sync_feed) -> None:
    sync_feed(DATA / "openai/models_2026-08-22_reconstructed.json", provider=make_provider("openai"))


@pytest.mark.usefixtures("openai")
def test_of_openais_list_only_what_converses_is_chat(api, alice):
    items = api.as_(alice).get("/api/models").json()["catalog"]
    words = {item["id"].removeprefix("openai/"): item["capabilities"][0] for item in items}
    silent = {name for name in words if any(part in name for part in NO_TEXT)}
    assert len(silent) == 35
    assert {words[name] for name in silent} == {
        "transcription", "speech", "video_generation", "image_generation", "moderation", "realtime", "completion",
    }  # fmt: skip
    assert Counter(words.values())["chat"] == 79
    assert (words["whisper-1"], words["tts-1"], words["sora-2"]) == ("transcription", "speech", "video_generation")
    assert (words["gpt-image-1"], words["gpt-realtime-whisper"]) == ("image_generation", "realtime")
    assert (words["omni-moderation-latest"], words["davinci-002"]) == ("moderation", "completion")


@pytest.mark.usefixtures("openai")
def test_lists_and_pickers_know_chat_models_by_the_same_word(api, alice):
    caller = api.as_(alice)
    chat = {item["id"] for item in caller.get("/api/models").json()["models"] if "chat" in item["capabilities"]}
    assert {row["slug"] for row in caller.get("/api/models?format=cli").json()} == chat
    assert caller.get("/api/models/list?capability=chat").json()["total"] == len(chat) == 79
    found = caller.get("/api/models/list?capability=transcription&page_size=200").json()["items"]
    assert {"openai/whisper-1", "openai/gpt-4o-transcribe"} <= {item["id"] for item in found}


# `chat` and `audio` of a model by its name alone are what OpenRouter says of the same one.
@pytest.mark.parametrize("file", ["models_2025-07-16.json", "models_2026-08-22_reconstructed.json"])
def test_openais_own_list_and_openrouters_say_the_same_of_a_model(file):
    theirs = {}
    for path in sorted((DATA / "openrouter").glob("models_2026-*.json")):
        theirs |= parsed("openrouter", json.loads(path.read_bytes()))
    ours = parsed("openai", json.loads((DATA / "openai" / file).read_bytes()))
    both = {name: theirs[f"openai/{name}"] for name in ours if f"openai/{name}" in theirs}
    says = {
        name: [task_of_facts(name, ours[name].facts), bool(ours[name].facts.get("supports_audio"))] for name in both
    }
    assert says == {
        name: [task_of_facts(name, found.facts), found.facts["supports_audio"]] for name, found in both.items()
    }
    assert len(both) > 20


def test_a_dated_model_that_is_spoken_to_converses(api, make_provider, sync_feed):
    names = ["gpt-4o-audio-preview-2025-06-03", "gpt-audio-mini", "gpt-audio-1.5", "gpt-4o-mini-tts", "gpt-realtime"]
    sync_feed({"data": [{"id": name} for name in names]}, provider=make_provider("openai"))
    words = {item["id"]: item["capabilities"] for item in api.get("/api/models").json()["models"]}
    assert [words[f"openai/{name}"] for name in names] == [*[["chat", "audio"]] * 3, ["speech"], ["realtime"]]


@pytest.mark.usefixtures("openai")
@pytest.mark.parametrize("order", [("modelsdev", "litellm"), ("litellm", "modelsdev")])
def test_sources_of_facts_make_no_chat_model_of_what_is_none(api, alice, make_provider, sync_feed, order):
    files = {"modelsdev": "modelsdev/api_2026-07-02.json", "litellm": "litellm/model_prices_1.109.1.json"}
    for kind in order:
        sync_feed(DATA / files[kind], provider=make_provider(kind, precedence=200))
    rows = [row["slug"] for row in api.as_(alice).get("/api/models?format=cli").json()]
    assert not [slug for slug in rows if any(part in slug for part in NO_TEXT)]
    assert {"openai/gpt-5", "openai/gpt-4o"} <= set(rows)


def test_what_openrouter_says_makes_text_is_chat_whatever_its_name(api, sync_feed):
    sync_feed({"data": [record("openai/gpt-audio"), record("google/gemini-3-pro-image"), record("acme/live-voice")]})
    words = {item["id"]: item["capabilities"][0] for item in api.get("/api/models").json()["models"]}
    assert words == {
        "openai/gpt-audio": "chat", "google/gemini-3-pro-image": "chat", "acme/live-voice": "realtime",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("produces", "word"),
    [
        ("embeddings", "embeddings"), ("image", "image_generation"), ("video", "video_generation"), ("audio", "speech"),
        ("speech", "speech"), ("transcription", "transcription"), ("rerank", "rerank"), ("decisions", ""), ("text", "chat"),
    ],
)  # fmt: skip
def test_what_a_model_makes_says_what_it_is_for(produces, word):
    assert task("compatible", {"data": [{"id": "m", "output_modalities": [produces]}]}, "m") == word


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("hunyuan-video", "video_generation"), ("ltx-video", "video_generation"), ("THUDM/CogVideoX-5b", "video_generation"),
        ("wan2.1-t2v", "video_generation"), ("kling-v1", "video_generation"), ("amazon.nova-reel-v1:0", "video_generation"),
        ("amazon.nova-canvas-v1:0", "image_generation"), ("stability.sd3-large-v1:0", "image_generation"),
        ("midjourney", "image_generation"), ("recraft-v3", "image_generation"), ("ideogram-v2", "image_generation"),
        ("amazon.nova-sonic-v1:0", "realtime"), ("nvidia/parakeet-tdt-0.6b-v2", "transcription"),
        ("fishaudio/fish-speech-1.5", "speech"), ("speech-02-hd", "speech"), ("hexgrad/Kokoro-82M", "speech"),
        ("canopylabs/orpheus-v1-english", "speech"), ("voyage-3", "embeddings"), ("openai/clip-vit-large", "embeddings"),
        ("luma.ray-v2:0", "video_generation"), ("us.stability.stable-diffusion-xl-v1", "image_generation"),
        ("luma/ray-flash-2", "video_generation"), ("gen4_turbo", "video_generation"), ("us.meta.llama3-2-11b-instruct-v1:0", "chat"),
        ("llava-next-video", "chat"), ("amazon.nova-pro-v1:0", "chat"), ("deepseek-ocr", "chat"), ("clipper-7b", "chat"),
    ],
)  # fmt: skip
def test_a_bare_name_gives_it_away(name, word):
    assert task("compatible", {"data": [{"id": name}]}, name) == word


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("realtime", "google/gemini-2.5-flash-native-audio-preview-09-2025"),
        ("rerank", "Salesforce/Llama-Rank-V1"),
        ("embeddings", "WhereIsAI/UAE-Large-V1 google/siglip-so400m splade-v3 text-search-ada-doc-001"),
        ("transcription", "elevenlabs/scribe_v1 deepgram/nova-2 deepgram/nova-3-general"),
        ("speech", "suno-v4 aura-asteria-en aura-2-thalia-en ResembleAI/chatterbox gpt-5-speech"),
        ("video_generation", "gpt-5-video"),
        ("completion", "ada curie text-ada-001 text-curie-001 gpt-4-instruct gpt-3.5-turbo-instruct-0914"),
        ("", "aqa pipecat-ai/smart-turn-v2 real-esrgan philz1337x/clarity-upscaler"),
        ("chat", "transcript-summarizer-7b nova-2 amazon/nova-2-lite ada-7b aura-7b gpt-oss-20b-instruct llama-ranked"),
        ("video_generation", "tencent/HunyuanVideo hunyuan-video-1.5 Wan-AI/Wan2.2-TI2V-5B Wan2.1-I2V-14B T2V-01-Director "
         "stable-video-diffusion-img2vid seedance-1-0-pro doubao-seedance-2-0 minimax/hailuo-02 mochi-1-preview pika-2.2 "
         "CogVideoX-5b Lightricks/LTX-Video wan2.6-r2v"),
        ("image_generation", "Kwai-Kolors/Kolors HiDream-I1-Full doubao-seedream-4-0 stabilityai/sd-turbo PixArt-Sigma "
         "kandinsky-3 nano-banana-pro gemini-nano-banana-2.1 gemini-2.5-flash-image dalle-3 dall-e-2 wan2.5-t2i-preview"),
        ("speech", "coqui/XTTS-v2 IndexTeam/IndexTTS-2 indextts-2 CosyVoice2-0.5B openaudio-s1 myshell/MeloTTS-English "
         "microsoft/VibeVoice-1.5B eleven_multilingual_v2 suno/bark bark-small kokoro musicgen-large lyria-002"),
        ("transcription", "qwen3-asr-flash SenseVoiceSmall nvidia/canary-1b-v2 nvidia/canary-qwen-2.5b canary-180m-flash "
         "facebook/wav2vec2-base-960h paraformer-v2"),
        ("moderation", "VirtueAI/VirtueGuard-Text-Lite allenai/wildguard Llama-Guard-3-8B shieldgemma-9b"),
        ("embeddings", "all-mpnet-base-v2 all-minilm togethercomputer/m2-bert-80M-8k-retrieval jina-clip-v2 "
         "jina-colbert-v2 colbertv2.0 thenlper/gte-large intfloat/e5-mistral-7b-instruct"),
        ("", "mistral-ocr-latest"),
        ("chat", "qwen/qwen3-vl-8b mistral/pixtral-12b minimax/minimax-m2 minimax/minimax-01 google/gemini-2.5-flash "
         "gemini-canary canary wanda-7b swan-large taiwan-llm openai/gpt-4o x-ai/grok-4 moonshotai/kimi-k2 z-ai/glm-4.6v "
         "mistralai/voxtral-small bytedance/seed-1.6 tencent/hunyuan-a13b-instruct baidu/ernie-4.5-vl deepseek-ocr "
         "barkeep-7b pikachu-7b lyrian-8b colossal-7b guardrails-llm nvidia/nemotron-nano elevenlm-7b google/gemma-3n-e4b-it "
         "openbmb/minicpm-o microsoft/phi-4-multimodal-instruct nousresearch/hermes-4-70b"),
    ],
)  # fmt: skip
def test_the_names_of_families_are_known_and_those_of_chat_models_are_none_of_them(word, names):
    assert {name: task("compatible", {"data": [{"id": name}]}, name) for name in names.split()} == dict.fromkeys(
        names.split(), word
    )


@pytest.mark.parametrize(
    ("name", "said", "word"),
    [
        ("gemini-2.5-flash-image", {"output_modalities": ["text", "image"]}, "chat"),
        ("pika-2.2", {"output_modalities": ["text"]}, "chat"),
        ("nano-banana", {"type": "chat"}, "chat"),
        ("kolors", {"output_modalities": ["video"]}, "video_generation"),
    ],
)
def test_what_a_source_says_comes_before_the_name(name, said, word):
    assert task("compatible", {"data": [{"id": name, **said}]}, name) == word


@pytest.mark.parametrize(
    ("methods", "name", "word"),
    [
        (["generateContent", "countTokens"], "gemini-2.5-pro", "chat"),
        (["generateContent", "bidiGenerateContent"], "gemini-2.0-flash", "chat"),
        (["generateContent", "countTokens"], "gemini-2.5-flash-preview-tts", "speech"),
        (["embedContent", "countTextTokens"], "gemini-embedding-001", "embeddings"),
        (["predict"], "imagen-4.0-generate-001", "image_generation"),
        (["predict"], "lyria-002", "speech"),
        (["predictLongRunning"], "veo-3.0-generate-001", "video_generation"),
        (["bidiGenerateContent"], "gemini-2.5-flash-native-audio", "realtime"),
        (["generateAnswer"], "aqa", ""),
        (None, "imagen-3.0", "image_generation"),
    ],
)
def test_google_says_it_by_methods(methods, name, word):
    record = {"name": f"models/{name}"} | ({} if methods is None else {"supportedGenerationMethods": methods})
    assert task("google", {"models": [record]}, name) == word


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("chat", "chat"), ("image", "image_generation"), ("transcribe", "transcription"), ("rerank", "rerank"),
        ("moderation", "moderation"), ("embedding", "embeddings"), ("audio", "speech"), ("video", "video_generation"),
        ("llm", "chat"), ("vlm", "chat"), ("unheard-of", "chat"),
    ],
)  # fmt: skip
def test_servers_of_openais_dialect_say_it_by_type(kind, word):
    assert task("compatible", [{"id": "org/m", "type": kind}], "org/m") == word


@pytest.mark.parametrize(
    ("record", "word"),
    [
        ({"id": "whisper-large-v3", "active": True}, "transcription"),
        ({"id": "whisper-large-v3", "input_modalities": ["audio"], "output_modalities": ["text"]}, "transcription"),
        ({"id": "playai-tts"}, "speech"),
        ({"id": "meta-llama/llama-guard-4-12b"}, "moderation"),
        ({"id": "accounts/fireworks/models/m", "supports_chat": True, "kind": "HF_BASE_MODEL"}, "chat"),
        ({"id": "accounts/fireworks/models/m", "supports_chat": False, "kind": "HF_BASE_MODEL"}, "completion"),
        ({"id": "accounts/fireworks/models/m", "supports_chat": False, "kind": "FLUMINA_BASE_MODEL"}, "image_generation"),
        ({"id": "accounts/fireworks/models/qwen3-reranker-8b", "supports_chat": False}, "rerank"),
        ({"id": "accounts/fireworks/models/m", "supports_chat": False, "supports_image_input": False}, ""),
        ({"id": "cohere.embed-multilingual-v3"}, "embeddings"),
        ({"id": "amazon.titan-embed-text-v2:0"}, "embeddings"),
        ({"id": "us.cohere.embed-v4:0"}, "embeddings"),
        ({"id": "cohere.rerank-v3-5:0"}, "rerank"),
        ({"id": "black-forest-labs/FLUX.1-schnell"}, "image_generation"),
        ({"id": "image-lab/some-chat-model"}, "chat"),
        ({"id": "qwen2.5-7b-instruct"}, "chat"),
        ({"id": "imagine-7b"}, "chat"),
        ({"id": "ft:gpt-4o-mini:acme:image-teller:9xY"}, "chat"),
        ({"id": "ft:babbage-002:acme::9xY"}, "completion"),
        ({"id": "image-lora", "parent": "/data/models/Qwen3-8B"}, "chat"),
        ({"id": "mine", "parent": "BAAI/bge-m3"}, "embeddings"),
    ],
    ids=json.dumps,
)  # fmt: skip
def test_where_a_server_says_nothing_the_last_part_of_the_id_decides(record, word):
    assert task("compatible", {"data": [record]}, record["id"]) == word


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"type": "text-to-image"}, "image_generation"), ({"task": "automatic-speech-recognition"}, "transcription"),
        ({"mode": "image_generation"}, "image_generation"), ({"mode": "embedding"}, "embeddings"),
        ({"pipeline_tag": "text-generation"}, "chat"), ({"pipeline_tag": "image-text-to-text"}, "chat"),
        ({"task": "generate"}, "chat"), ({"task": "auto"}, "chat"), ({"type": "model", "mode": "rerank"}, "rerank"),
        ({"task": "depth-estimation"}, ""), ({"type": "image-to-3d"}, ""), ({"mode": "unheard-of"}, ""),
        ({"type": "llm", "task": "unheard-of"}, "chat"), ({"mode": "unheard-of", "supports_chat": True}, "chat"),
        ({"type": "base"}, "chat"), ({"mode": 5}, "chat"),
    ],
    ids=str,
)  # fmt: skip
def test_a_purpose_is_read_from_whatever_field_states_it(said, word):
    assert task("compatible", {"data": [{"id": "m", **said}]}, "m") == word


@pytest.mark.parametrize(
    ("capabilities", "word"),
    [
        ({"completion_chat": True}, "chat"),
        ({"completion_chat": True, "audio_transcription": True}, "chat"),
        ({"completion_chat": False, "moderation": True, "classification": True}, "moderation"),
        ({"completion_chat": False, "audio_transcription": True}, "transcription"),
        ({"completion_chat": False, "audio_speech": True}, "speech"),
        ({"completion_chat": False, "completion_fim": True}, "completion"),
        ({"completion_chat": False, "ocr": True}, ""),
    ],
    ids=json.dumps,
)
def test_mistral_says_it_by_capabilities(capabilities, word):
    assert task("mistral", {"data": [{"id": "m", "capabilities": capabilities}]}, "m") == word


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("language", "chat"), ("embedding", "embeddings"), ("image", "image_generation"), ("reranking", "rerank"),
        ("transcription", "transcription"), ("speech", "speech"), ("video", "video_generation"), ("unheard-of", ""),
    ],
)  # fmt: skip
def test_vercel_says_it_by_type(kind, word):
    assert task("vercel", {"data": [{"id": "x/m", "type": kind}]}, "x/m") == word


@pytest.mark.parametrize(
    ("mode", "word"),
    [
        ("chat", "chat"), ("responses", "chat"), ("completion", "completion"), ("embedding", "embeddings"),
        ("image_generation", "image_generation"), ("audio_transcription", "transcription"), ("audio_speech", "speech"),
        ("rerank", "rerank"), ("realtime", "realtime"), ("moderation", "moderation"), ("ocr", ""),
        ("video_generation", "video_generation"),
    ],
)  # fmt: skip
def test_litellm_says_it_by_mode(mode, word):
    payload = {"m": {"litellm_provider": "openai", "mode": mode, "supported_output_modalities": ["text"]}}
    assert task("litellm", payload, "openai/m") == word


@pytest.mark.parametrize(
    ("capabilities", "word"),
    [(["completion", "vision"], "chat"), (["embedding"], "embeddings"), (["image"], "image_generation")],
)
def test_ollama_says_it_by_capabilities(capabilities, word):
    assert task("ollama", {"models": [{"name": "m", "capabilities": capabilities}]}, "m") == word
