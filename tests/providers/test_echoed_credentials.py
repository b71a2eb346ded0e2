"""providers/client/echoed_credentials.py: a credential that an upstream sends back is taken out wherever it is."""

import json

import pytest

from providers.client.echoed_credentials import MASK, masked, may_hold
from providers.client.http import strict_loads

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


@pytest.mark.parametrize(
    "sent",
    ["/y/sk%2Dor-v1-0123456789/", "/y/%73k-or-v1-012345678%39", "/sk%252dor%2dv1%2D0123456789", SECRET.upper()],
)
def test_a_secret_is_masked_however_much_of_it_is_encoded_and_in_the_case_of_a_host_name(sent):
    assert may_hold(json.dumps(sent).encode(), SECRET)
    assert "0123" not in masked({"a": sent}, SECRET)["a"]
    assert MASK in masked(sent, SECRET)


@pytest.mark.parametrize("sent", ["1234567890", "1.23456789e9", "1234567890.0"])
def test_a_secret_of_digits_is_masked_as_a_number_too(sent):
    data = f'{{"a": [{sent}, 1234567891, true], "b": {sent}}}'.encode()
    assert may_hold(data, "1234567890")
    assert masked(strict_loads(data), "1234567890") == {"a": [MASK, 1234567891, True], "b": MASK}


@pytest.mark.parametrize("secret", ["", "ollama", "none"])
def test_a_word_that_stands_in_for_a_credential_is_no_secret(secret):
    assert masked({"ollama": ["none", ""]}, secret) == {"ollama": ["none", ""]}


@pytest.mark.parametrize("escape", [lambda text: text, lambda text: f"\\u0073{text[1:]}"])
def test_an_answer_that_may_hold_the_secret_is_looked_through(escape):
    data = f'{{"a": "{escape(SECRET)}"}}'.encode()
    assert json.loads(data) == {"a": SECRET}
    assert may_hold(data, SECRET)
    assert not may_hold(b'{"a": "other"}', SECRET)
