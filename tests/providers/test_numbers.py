"""providers/adapters/values.py: numbers of upstreams' that no client could read are not stored."""

import json

import pytest

from catalog.models import AIModel
from providers.models import ProviderModel
from tests.feeds import feed, record

pytestmark = pytest.mark.django_db

OVERRIDE = {"min_prompt_tokens": "N", "prompt": "0.000002"}


@pytest.mark.parametrize("number", ["1e200", "1.9e19", "-1e200", "1.79e308", "1" + "0" * 200])
@pytest.mark.parametrize(
    "fields",
    [
        {"pricing": {"prompt": "0.000001", "completion": "0.000002", "overrides": [OVERRIDE]}},
        {"default_parameters": {"temperature": "N"}},
        {"per_request_limits": {"tokens": ["N"]}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_number_beyond_64_bits_costs_its_record_or_field_only(sync_feed, tmp_path, api, fields, number):
    answer = json.dumps(feed([record("acme/odd", **fields), *feed(30)["data"]])).replace('"N"', number)
    outcome = sync_feed(answer)
    assert outcome.counts["added"] >= 30
    assert any(problem["id"] == "acme/odd" for problem in outcome.problems)
    stored = [
        *ProviderModel.objects.values_list("pricing", "facts"),
        *AIModel.objects.values_list("extras", "upstream"),
    ]
    assert "000000000000000000" not in repr(stored)
    assert "e+" not in repr(stored).lower()
    assert len(api.get("/api/models").json()["models"]) >= 30
