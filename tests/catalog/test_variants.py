"""What the marks in a model id say."""

import pytest

from catalog.variants import is_free, variant_of


@pytest.mark.parametrize(
    ("model_id", "word", "base"),
    [
        ("qwen/qwen3-8b:free", "free", "qwen/qwen3-8b"),
        ("openai/gpt-5:batch", "batch", "openai/gpt-5"),
        ("~openai/gpt-latest", "latest", ""),
    ],
)
def test_a_mark_is_read_for_what_it_is(model_id, word, base):
    found = variant_of(model_id)
    assert (found.word, found.base, found.means.endswith(".")) == (word, base, True)


@pytest.mark.parametrize("model_id", ["openai/gpt-4o", "ollama/qwen2.5:1.5b", "ollama/x:free", "acme/m:v2", "free"])
def test_an_ordinary_id_has_no_mark(model_id):
    assert variant_of(model_id) is None


@pytest.mark.parametrize(
    ("pricing", "free"),
    [
        ({"prompt": "0", "completion": "0"}, True),
        ({"prompt": "0.0", "completion": "0"}, True),
        ({"prompt": "0"}, False),
        ({}, False),
        ({"prompt": "0", "completion": "0.000001"}, False),
    ],
    ids=str,
)
def test_only_a_known_price_of_nothing_is_free(pricing, free):
    assert is_free(pricing) is free
