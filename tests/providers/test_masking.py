"""providers/client/masking.py: a credential that an upstream sends back is taken out wherever it is."""

import json

import pytest

from providers.client.masking import MASK, masked, may_hold

SECRET = "sk-or-v1-0123456789"


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (SECRET, MASK),
        (f"Bearer {SECRET}, twice {SECRET}", f"Bearer {MASK}, twice {MASK}"),
        ({"a": [{"b": SECRET}]}, {"a": [{"b": MASK}]}),
        ([[SECRET], 1, None, "other"], [[MASK], 1, None, "other"]),
        ({f"key {SECRET}": {SECRET: 1}}, {f"key {MASK}": {MASK: 1}}),
        ({"a": SECRET[:-1]}, {"a": SECRET[:-1]}),
    ],
)
def test_a_secret_is_masked_in_texts_and_keys_at_any_depth(sent, found):
    assert masked(sent, SECRET) == found


def test_a_secret_that_is_encoded_as_in_an_address_is_masked_too():
    secret, encoded = "sk+or/v1=0123456789", "sk%2Bor%2Fv1%3D0123456789"
    sent = {"description": f"you sent {encoded}", encoded: [encoded]}
    assert may_hold(json.dumps(sent).encode(), secret)
    assert masked(sent, secret) == {"description": f"you sent {MASK}", MASK: [MASK]}


@pytest.mark.parametrize("secret", ["", "ollama", "none"])
def test_a_word_that_stands_in_for_a_credential_is_no_secret(secret):
    assert masked({"ollama": ["none", ""]}, secret) == {"ollama": ["none", ""]}


@pytest.mark.parametrize("escape", [lambda text: text, lambda text: f"\\u0073{text[1:]}"])
def test_an_answer_that_may_hold_the_secret_is_looked_through(escape):
    data = f'{{"a": "{escape(SECRET)}"}}'.encode()
    assert json.loads(data) == {"a": SECRET}
    assert may_hold(data, SECRET)
    assert not may_hold(b'{"a": "other"}', SECRET)
