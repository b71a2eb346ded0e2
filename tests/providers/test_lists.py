"""providers/lists/lists.py and items.py: the shapes of the provider lists, and whose sight they follow."""

from datetime import timedelta

import pytest
from django.utils import timezone

from providers.lists import authors, cache, items, upstream
from providers.models import ProviderCopy

GPT = items.item(
    "openai/gpt-4o-mini",
    "openai/gpt-4o-mini",
    name="OpenAI: GPT-4o Mini",
    facts={"context_length": 128000},
    pricing={"prompt": "0.00000015", "completion": "0.0000006", "image": "0.1"},
)
QWEN = items.item(
    "qwen2.5:1.5b",
    "ollama/qwen2.5:1.5b",
    facts={"context_length": 32768},
    pricing={},
    parameter_size="1.5B",
    quantization="Q4_K_M",
    family="qwen2",
    size=986_061_892,
)
PATHS = {
    "openrouter": "/api/models/openrouter",
    "embeddings": "/api/models/openrouter/embeddings",
    "ollama": "/api/models/ollama",
    "openai": "/api/models/openai",
}


@pytest.fixture
def stored(make_provider, monkeypatch):
    """`stored("ollama", [QWEN])`: what upstream listed last, as if a moment ago; every upstream is then unreachable."""

    def unreadable(provider, listing):
        def fetch():
            raise cache.Unreadable("The connection was refused.")

        return fetch

    monkeypatch.setattr(upstream, "source", unreadable)

    def store(name, rows):
        listed = items.LISTS[name]
        cache.store(make_provider(listed.provider), listed.listing, rows)

    return store


@pytest.fixture
def data(api, alice):
    """`data("ollama")`: what alice gets."""

    def get(name, caller=None):
        response = (caller or api.as_(alice)).get(PATHS[name])
        assert response.status_code == 200
        body = response.json()
        assert body["success"] is True
        return body["data"]

    return get


def test_a_language_model_has_the_shape_that_frontends_know(stored, data):
    stored("openrouter", [GPT])
    found = data("openrouter")
    assert abs(found.pop("as_of") - timezone.now().timestamp()) < 60
    assert found == {
        "models": [
            {
                "id": "openai/gpt-4o-mini",
                "name": "GPT-4o Mini",
                "provider": "OpenAI",
                "context": 128000,
                "pricing": {"prompt": "0.00000015", "completion": "0.0000006"},
            }
        ],
        "source": "api",
        "total": 1,
    }


def test_a_local_model_has_the_shape_that_frontends_know(stored, data):
    stored("ollama", [QWEN])
    found = data("ollama")
    assert (found["source"], found["total"]) == ("ollama", 1)
    assert found["models"] == [
        {
            "id": "qwen2.5:1.5b",
            "name": "qwen2.5:1.5b",
            "parameter_size": "1.5B",
            "quantization": "Q4_K_M",
            "family": "qwen2",
            "size_mb": 986,
        }
    ]


def test_an_embedding_model_takes_its_dimensions_from_the_catalog(stored, data, make_model):
    make_model("openai/text-embedding-3-small", embedding_dimensions=1536)
    facts = {"context_length": 8192}
    record = items.item(*["openai/text-embedding-3-small"] * 2, facts=facts, pricing={"prompt": "0.00000002"})
    stored("embeddings", [{**record, "name": "Text Embedding 3 Small"}])
    assert data("embeddings")["models"] == [
        {
            "id": "openai/text-embedding-3-small",
            "name": "Text Embedding 3 Small",
            "provider": "OpenAI",
            "dimensions": 1536,
            "context": 8192,
            "cost_per_million": "$0.02",
        }
    ]


def test_a_bare_id_of_openai_takes_the_rest_from_the_catalog(stored, data, make_model):
    make_model("openai/gpt-4o", name="GPT-4o", context_length=128000, pricing={"prompt": "0.0000025"})
    stored("openai", [items.item("gpt-4o", "openai/gpt-4o", facts={}, pricing={})])
    assert data("openai")["models"] == [
        {"id": "gpt-4o", "name": "GPT-4o", "provider": "OpenAI", "context": 128000, "pricing": {"prompt": "0.0000025"}}
    ]


@pytest.mark.parametrize(
    ("model_id", "name", "shown"),
    [
        ("openai/gpt-4o", "OpenAI: GPT-4o", ("OpenAI", "GPT-4o")),
        ("x-ai/grok-4.3", "SpaceXAI: Grok 4.3", ("SpaceXAI", "Grok 4.3")),
        ("anthropic/claude-opus-5", "Claude Opus 5", ("Anthropic", "Claude Opus 5")),
        ("google/gemma-4", "Google: Gemma 4 26B A4B ", ("Google", "Gemma 4 26B A4B")),
        ("baai/bge-m3", "", ("BAAI", "baai/bge-m3")),
        ("~openai/gpt-latest", "OpenAI: GPT: newest", ("OpenAI", "GPT: newest")),
        ("some-lab/x", "x", ("Some Lab", "x")),
    ],
)
def test_the_author_is_named_once(model_id, name, shown):
    record = items.item(model_id, model_id, name=name, facts={}, pricing={})
    assert (record["provider"], record["name"]) == shown


@pytest.mark.parametrize(("name", "count"), [("openrouter", 23), ("embeddings", 21), ("openai", 9)])
def test_without_a_key_the_curated_list_is_answered(make_provider, monkeypatch, data, name, count):
    make_provider(items.LISTS[name].provider)
    monkeypatch.setattr(upstream, "source", lambda provider, listing: None)
    found = data(name)
    assert (found["source"], len(found["models"]), "total" in found, "error" in found) == (
        "curated",
        count,
        False,
        False,
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("minutes", "source"),
    [(1, "api"), (50, "api"), (90, "curated_fallback")],
    ids=["fresh", "recent", "too old"],
)
def test_what_was_stored_lately_stands_in_for_an_upstream_that_fails(stored, data, minutes, source):
    stored("openrouter", [GPT])
    ProviderCopy.objects.update(fetched_at=timezone.now() - timedelta(minutes=minutes))
    assert data("openrouter")["source"] == source


@pytest.mark.django_db(transaction=True)
def test_what_a_local_server_listed_does_not_stand_in_for_it(stored, data):
    stored("ollama", [QWEN])
    ProviderCopy.objects.update(fetched_at=timezone.now() - timedelta(minutes=6))
    found = data("ollama")
    assert abs(found.pop("as_of") - timezone.now().timestamp()) < 60
    assert found == {"models": [], "source": "ollama_unreachable", "error": "The connection was refused."}


@pytest.mark.parametrize("name", PATHS)
def test_only_those_who_are_signed_in_may_ask(api, db, name):
    assert api.get(PATHS[name]).status_code == 401


@pytest.mark.parametrize("name", PATHS)
def test_an_unknown_parameter_is_refused_by_name(api, alice, name):
    response = api.as_(alice).get(PATHS[name] + "?refresh=1")
    assert (response.status_code, list(response.json()["errors"])) == (400, ["refresh"])


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ({}, True),
        ({"hidden": True}, False),
        ({"active": False}, False),
        ({"restricted": True}, False),
        ({"requires_feature_flag": "beta"}, False),
        ({"is_available": False}, True),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["openrouter", "curated"])
def test_a_model_outside_of_the_callers_sight_is_left_out(stored, data, make_provider, make_model, name, fields, seen):
    make_model("openai/gpt-4o-mini", **fields)
    if name == "openrouter":
        stored("openrouter", [GPT])
    else:
        make_provider("openrouter", is_active=False)
    assert ("openai/gpt-4o-mini" in [model["id"] for model in data("openrouter")["models"]]) is seen


@pytest.mark.parametrize(
    ("patterns", "seen"),
    [(["openai/gpt-4o-mini"], {"openrouter"}), (["ollama/qwen2.5:1.5b"], {"ollama"}), (["qwen2.5:1.5b"], set())],
    ids=str,
)
@pytest.mark.parametrize("known", [True, False], ids=["in the catalog", "not in the catalog"])
def test_a_restricted_key_sees_only_its_models(api, alice, stored, data, make_key, make_model, patterns, seen, known):
    stored("openrouter", [GPT])
    stored("ollama", [QWEN])
    if known:
        make_model("openai/gpt-4o-mini")
        make_model("ollama/qwen2.5:1.5b")
    caller = api.with_key(make_key(alice, allow=patterns).token)
    found = {name: data(name, caller) for name in ("openrouter", "ollama")}
    assert {name for name, answer in found.items() if answer["models"]} == seen
    assert all(answer["total"] == len(answer["models"]) for answer in found.values())


def test_an_answer_that_the_caller_holds_is_not_sent_again(api, alice, stored, make_model):
    stored("openrouter", [GPT])
    model = make_model("openai/gpt-4o-mini")
    caller = api.as_(alice)
    tag = caller.get(PATHS["openrouter"])["ETag"]
    assert caller.get(PATHS["openrouter"], headers={"If-None-Match": tag}).status_code == 304
    model.hidden = True
    model.save()
    assert caller.get(PATHS["openrouter"], headers={"If-None-Match": tag}).json()["data"]["models"] == []


def test_a_long_list_takes_as_few_queries_as_a_short_one(stored, api, alice, django_assert_num_queries):
    counts = []
    caller = api.as_(alice)
    for size in (1, 500):
        stored("openrouter", [{**GPT, "model_id": f"openai/m{n}", "id": f"openai/m{n}"} for n in range(size)])
        with django_assert_num_queries(6) as queries:
            assert caller.get(PATHS["openrouter"]).json()["data"]["total"] == size
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("OpenAI: GPT-4o", "GPT-4o"),
        ("Claude Opus 5", "Claude Opus 5"),
        ("A: B: C", "B: C"),
        (": x", ": x"),
        ("A: ", "A:"),
    ],
)
def test_short_names_lose_their_author_once(name, short):
    assert authors.split_name(name)[1] == short
