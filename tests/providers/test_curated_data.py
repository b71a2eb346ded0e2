"""providers/reading/curated.py: the curated lists are data in the project, read without database and network."""

import json
import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

CURATED = Path(__file__).resolve().parents[2] / "providers" / "reading"
COUNTS = {"language_models": 23, "embedding_models": 21}
FACTS = {
    "name",
    "family",
    "description",
    "context_length",
    "max_output_tokens",
    "embedding_dimensions",
    "input_modalities",
    "output_modalities",
    "tokenizer",
    "supports_images",
    "supports_audio",
    "supports_video",
    "supports_tools",
    "supports_reasoning",
    "supports_structured_output",
    "supports_embeddings",
    "supports_instruct",
    "supported_parameters",
    "released_at",
    "knowledge_cutoff",
}
PRICES = {"prompt", "completion", "internal_reasoning", "input_cache_read", "input_cache_write", "audio"}
MODEL_ID = re.compile(r"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9._-]*")
PLAIN_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")


def load(stem):
    return json.loads((CURATED / f"{stem}.json").read_text(encoding="utf-8"))


LISTS = {stem: load(stem)["models"] for stem in COUNTS}
MODELS = [model for models in LISTS.values() for model in models]
each_model = pytest.mark.parametrize("model", MODELS, ids=[m["model_id"] for m in MODELS])
each_embedding = pytest.mark.parametrize(
    "model", LISTS["embedding_models"], ids=[m["model_id"] for m in LISTS["embedding_models"]]
)
each_language_model = pytest.mark.parametrize(
    "model", LISTS["language_models"], ids=[m["model_id"] for m in LISTS["language_models"]]
)


def by_id(model_id):
    return next(m for m in MODELS if m["model_id"] == model_id)


@pytest.mark.parametrize("stem", COUNTS)
def test_count_and_date(stem):
    data = load(stem)
    assert set(data) == {"as_of", "models"}
    date.fromisoformat(data["as_of"])
    assert len(data["models"]) == COUNTS[stem]


def test_embeddings_come_from_eight_authors():
    assert len({m["model_id"].split("/")[0] for m in LISTS["embedding_models"]}) == 8


@pytest.mark.parametrize("field", ["name", "description"])
def test_names_and_descriptions_are_unique(field):
    values = [m["facts"][field].casefold() for m in MODELS]
    assert len(values) == len(set(values))


def test_ids_are_unique():
    ids = [m["model_id"] for m in MODELS]
    assert len(ids) == len(set(ids))


@each_model
def test_shape(model):
    assert set(model) == {"model_id", "facts", "pricing"}
    assert MODEL_ID.fullmatch(model["model_id"])
    assert set(model["facts"]) <= FACTS
    assert all(value is not None for value in model["facts"].values())
    assert model["facts"]["name"].strip() == model["facts"]["name"] != ""
    assert ": " not in model["facts"]["name"]


@each_model
def test_description_is_one_short_sentence(model):
    description = model["facts"]["description"]
    assert description == description.strip()
    assert 0 < len(description) <= 200
    assert description.endswith(".")
    assert "\n" not in description
    assert ". " not in description


@each_model
def test_numbers_and_flags(model):
    facts = model["facts"]
    for field in ("context_length", "max_output_tokens", "embedding_dimensions"):
        if field in facts:
            assert type(facts[field]) is int
            assert facts[field] > 0
    for field, value in facts.items():
        if field.startswith("supports_"):
            assert type(value) is bool
    assert facts["context_length"] >= facts.get("max_output_tokens", 0)


@each_model
def test_media_flags_follow_the_modalities(model):
    facts = model["facts"]
    assert "text" in facts["input_modalities"]
    for flag, modality in (("supports_images", "image"), ("supports_audio", "audio"), ("supports_video", "video")):
        assert facts[flag] is (modality in facts["input_modalities"])
    assert facts["supports_embeddings"] is ("embeddings" in facts["output_modalities"])


@each_model
def test_dates(model):
    facts = model["facts"]
    if "released_at" in facts:
        assert datetime.fromisoformat(facts["released_at"]).tzinfo is not None
    if "knowledge_cutoff" in facts:
        date.fromisoformat(facts["knowledge_cutoff"])


@each_model
def test_prices_are_plain_decimals(model):
    assert {"prompt", "completion"} <= set(model["pricing"]) <= PRICES
    for value in model["pricing"].values():
        assert isinstance(value, str)
        assert PLAIN_DECIMAL.fullmatch(value)
        # A price per token, not per million tokens.
        assert 0 <= Decimal(value) < Decimal("0.001")
    assert Decimal(model["pricing"]["prompt"]) > 0


@each_embedding
def test_embedding_facts(model):
    facts = model["facts"]
    assert facts["embedding_dimensions"] > 0
    assert facts["context_length"] > 0
    assert facts["output_modalities"] == ["embeddings"]
    assert facts["supports_embeddings"] is True


@each_language_model
def test_language_model_facts(model):
    facts = model["facts"]
    assert facts["context_length"] > 0
    assert "embedding_dimensions" not in facts
    assert facts["output_modalities"] == ["text"]
    assert Decimal(model["pricing"]["completion"]) > 0
    parameters = facts["supported_parameters"]
    assert set(parameters) == {"names", "default"}
    assert parameters["names"] == sorted(set(parameters["names"]))
    assert set(parameters["default"]) <= set(parameters["names"])
    assert facts["supports_tools"] is ("tools" in parameters["names"])
    assert facts["supports_reasoning"] is ("reasoning" in parameters["names"])
    assert facts["supports_structured_output"] is ("structured_outputs" in parameters["names"])


@pytest.mark.parametrize(
    ("model_id", "name", "dimensions", "context", "prompt_per_million"),
    [
        ("openai/text-embedding-3-small", "OpenAI Text Embedding 3 Small", 1536, 8192, "0.02"),
        ("baai/bge-m3", "BGE-M3 (Multilingual)", 1024, 8192, "0.01"),
    ],
)
def test_documented_embeddings(model_id, name, dimensions, context, prompt_per_million):
    model = by_id(model_id)
    assert model["facts"]["name"] == name
    assert model["facts"]["embedding_dimensions"] == dimensions
    assert model["facts"]["context_length"] == context
    assert Decimal(model["pricing"]["prompt"]) * 1_000_000 == Decimal(prompt_per_million)


def test_documented_language_model():
    model = by_id("openai/gpt-4o-mini")
    assert model["facts"]["name"] == "GPT-4o Mini"
    assert model["facts"]["context_length"] == 128000
    assert model["pricing"]["prompt"] == "0.00000015"
    assert model["pricing"]["completion"] == "0.0000006"
