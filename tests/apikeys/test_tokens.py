"""The text of a key, before any database."""

import hashlib

import pytest
from django.core.exceptions import ImproperlyConfigured

from apikeys import tokens


def test_a_key_that_was_made_is_read_back():
    made = tokens.make()
    read = tokens.parse(made.text)
    assert read == made
    assert made.text.startswith(f"mdx_{made.key_id}")
    assert len({tokens.make().text for _ in range(50)}) == 50


def test_a_new_secret_keeps_the_key_id():
    made = tokens.make()
    again = tokens.make(made.key_id)
    assert again.key_id == made.key_id
    assert again.text != made.text


def test_any_changed_character_fails_the_checksum():
    text = tokens.make().text
    for position in range(4, len(text)):
        changed = text[:position] + ("a" if text[position] != "a" else "b") + text[position + 1 :]
        assert tokens.parse(changed) is None
        if text[position].swapcase() != text[position]:
            assert tokens.parse(text[:position] + text[position].swapcase() + text[position + 1 :]) is None


@pytest.mark.parametrize("text", ["", "mdx_", "mdx_" + "a" * 61, "mdx_" + "٣" * 61, "sk-" + "a" * 62, "x" * 100_000])
def test_what_is_no_key_is_none(text):
    assert tokens.parse(text) is None
    assert tokens.parse(text + "\n") is None


def test_the_hash_is_keyed_and_the_hint_short():
    token = tokens.make()
    assert hashlib.sha256(token.text.encode()).hexdigest() not in token.digests().values()
    assert token.hint == f"{token.text[:8]}...{token.text[-4:]}"
    assert token.text not in repr(token)


def test_each_pepper_has_a_hash_and_the_first_is_the_newest(settings):
    settings.API_KEY_PEPPERS = {"p2": "b" * 32, "p1": "a" * 32}
    digests = tokens.make().digests()
    assert tokens.newest_pepper() == "p2"
    assert list(digests) == ["p2", "p1"]
    assert digests["p1"] != digests["p2"]


@pytest.mark.parametrize("peppers", [{}, {"p1": ""}, {"p2": "b" * 32, "p1": ""}])
def test_an_empty_pepper_never_hashes_anything(settings, peppers):
    settings.API_KEY_PEPPERS = peppers
    with pytest.raises(ImproperlyConfigured):
        tokens.make().digests()
