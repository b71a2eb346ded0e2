"""providers/reading/namespaces.py: which ids each kind of provider may write, and which curated entries it decides on."""

import pytest

from providers.adapters import ADAPTERS
from providers.adapters.enricher import Enricher
from providers.models import Provider
from providers.reading.namespaces import ENRICHERS, Namespace, covers, owns_namespace


def test_the_kinds_that_only_describe_are_those_whose_adapters_say_so():
    assert {kind for kind, adapter in ADAPTERS.items() if issubclass(adapter, Enricher)} == ENRICHERS


@pytest.mark.parametrize(
    ("kind", "slug", "model_id", "problem"),
    [
        ("openrouter", "openrouter", "openai/gpt-4o", None),
        ("openrouter", "openrouter", "gpt-4o", "author/name"),
        ("openrouter", "openrouter", "/gpt-4o", "author/name"),
        ("openrouter", "openrouter", "box/m", "belong to the provider box"),
        ("openrouter", "openrouter", "~box/m", "belong to the provider box"),
        ("openrouter", "openrouter", "\u0430cme/m", "beyond ASCII"),
        ("openai", "openai", "openai/gpt-4o", None),
        ("openai", "openai", "openai/gpt-4\u043e", "beyond ASCII"),
        ("openai", "openai", "mistral/large", "begin with openai/"),
        ("compatible", "box", "box/gpt-4o", None),
        ("compatible", "box", "box/\u8c46\u5305", None),
        ("compatible", "box", "box/", "begin with box/"),
        ("compatible", "box", "openai/gpt-4o", "begin with box/"),
        ("modelsdev", "modelsdev", "openai/gpt-4o", None),
    ],
)
def test_a_provider_writes_only_in_its_namespace(kind, slug, model_id, problem):
    found = Namespace(Provider(kind=kind, slug=slug), {"box"}).problem_of(model_id)
    assert found is None if problem is None else problem in found


@pytest.mark.parametrize(("kind", "leaves_out"), [("modelsdev", True), ("openrouter", False), ("compatible", False)])
def test_what_an_enricher_lists_under_a_private_slug_is_left_out_without_a_problem(kind, leaves_out):
    assert Namespace(Provider(kind=kind, slug="x"), {"box"}).leaves_out("box/m") is leaves_out


@pytest.mark.parametrize(
    ("kind", "slug", "owns"),
    [
        ("openrouter", "openrouter", False),
        ("litellm", "litellm", False),
        ("openai", "openai", False),
        ("openai", "proxy", True),
        ("ollama", "ollama", True),
        ("compatible", "box", True),
    ],
)
def test_a_slug_is_the_providers_own_unless_vendors_share_it(kind, slug, owns):
    assert owns_namespace(kind, slug) is owns


@pytest.mark.parametrize(
    ("kind", "slug", "listing", "is_embedding", "decides"),
    [
        ("openrouter", "openrouter", "language", False, True),
        ("openrouter", "openrouter", "language", True, False),
        ("openrouter", "openrouter", "embeddings", True, True),
        ("openrouter", "openrouter", "embeddings", False, False),
        ("openai", "openai", "models", False, True),
        ("openai", "openai", "models", True, True),
        ("mistral", "mistral", "models", False, False),
        ("litellm", "litellm", "models", False, False),
    ],
)
def test_a_listing_decides_on_the_curated_entries_of_its_namespace_and_kind(kind, slug, listing, is_embedding, decides):
    assert covers(kind, slug, listing, "openai/m", is_embedding) is decides
