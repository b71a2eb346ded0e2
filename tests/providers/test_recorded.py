"""providers/reading/reader.py: every recorded answer is read whole, and the lists answer what a sync has read."""

import json

import pytest

from providers.models import ProviderCopy
from providers.reading.reader import Reader
from providers.sync import run as sync
from tests.answers import DATA, RECORDED

ENRICHERS = [
    ("modelsdev", "modelsdev/api_2026-07-02.json"),
    ("litellm", "litellm/model_prices_1.109.1.json"),
    ("litellm", "litellm/openai_rows_1.109.1.json"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "name"), [*((kind, name) for kind, name, *_ in RECORDED), *ENRICHERS])
def test_a_recorded_answer_has_no_failed_record(make_provider, kind, name):
    parsed = Reader(make_provider(kind)).from_file(DATA / name)
    assert (parsed.bad, bool(parsed.records)) == ([], True)


@pytest.mark.django_db(transaction=True)
def test_what_a_sync_has_read_is_answered_without_asking_again(api, alice, upstream, make_provider, settings):
    settings.OPENROUTER_BASE_URL, settings.OPENROUTER_API_KEY = upstream.url, "sk-or-v1-x"
    for path, name in (("/models", "models_2026-08-22"), ("/embeddings/models", "embeddings_models_2026-03-14")):
        upstream.serve(path, json.loads((DATA / "openrouter" / f"{name}.json").read_text()))
    assert sync.sync(make_provider("openrouter")).state == "ok"
    asked = len(upstream.requests)
    language = api.as_(alice).get("/api/models/openrouter").json()["data"]
    embeddings = api.as_(alice).get("/api/models/openrouter/embeddings").json()["data"]
    assert (language["source"], language["total"], embeddings["source"], embeddings["total"]) == ("api", 421, "api", 22)
    assert len(upstream.requests) == asked
    by_id = {model["id"]: model for model in language["models"]}
    # A router has no price; a free variant costs nothing, and says so exactly.
    assert "pricing" not in by_id["openrouter/auto"]
    assert {m["pricing"]["prompt"] for m in by_id.values() if m["id"].endswith(":free")} == {"0"}
    assert all(model["dimensions"] is None or model["dimensions"] > 0 for model in embeddings["models"])


@pytest.mark.django_db
def test_an_answer_from_a_file_is_not_what_upstream_lists_now(make_provider):
    path = DATA / "openrouter" / "embeddings_models_2026-03-14.json"
    assert sync.sync(make_provider("openrouter"), path=path).state == "ok"
    assert not ProviderCopy.objects.exists()
