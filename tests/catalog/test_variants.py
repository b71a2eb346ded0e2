"""What the marks in a model id say."""

import pytest

from catalog.validation.variants import variant_of


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
