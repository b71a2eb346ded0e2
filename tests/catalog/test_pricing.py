"""What a price says (catalog/pricing.py)."""

import pytest

from catalog.pricing import is_free


@pytest.mark.parametrize(
    ("pricing", "free"),
    [
        ({"prompt": "0", "completion": "0"}, True),
        ({"prompt": "0.0", "completion": "0"}, True),
        ({"prompt": "0"}, False),
        ({}, False),
        ({"prompt": "0", "completion": "0.000001"}, False),
        ({"prompt": "0", "completion": "0", "image": "0", "request": "0"}, True),
        ({"prompt": "0", "completion": "0", "overrides": [{"utc_start": 100, "prompt": "0.1"}]}, True),
        ({"prompt": "0", "completion": "0", "image": "0.04"}, False),
        ({"prompt": "0", "completion": "0", "request": "0.01"}, False),
        ({"prompt": "0", "completion": "0", "hour": "2.5"}, False),
    ],
    ids=str,
)
def test_only_a_known_price_of_nothing_is_free(pricing, free):
    assert is_free(pricing) is free
