"""providers/adapters/enricher.py, modelsdev.py, litellm.py: they add facts; they create, retire and blank nothing."""

import json
from decimal import Decimal

import pytest
from django.core.management import call_command

from catalog.models import AIModel
from providers.models import ProviderModel
from providers.reports import coverage
from providers.reports.conflicts import conflicts
from providers.sync import run as sync

pytestmark = pytest.mark.django_db
MODELSDEV = {
    "openai": {
        "models": {
            "gpt-4o": {
                "name": "GPT-4o",
                "limit": {"context": 128000, "output": 16384},
                "modalities": {"input": ["text", "image"], "output": ["text"]},
                "cost": {"input": 2.5, "output": 10},
            },
            "unknown-to-us": {"name": "Unknown", "limit": {"context": 1}},
        }
    }
}
LITELLM = {
    "gpt-4o": {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_input_tokens": 100000,
        "input_cost_per_token": 2.5e-06,
        "output_cost_per_token": 1e-05,
    }
}
OPENAI = {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "created": 1715367049, "owned_by": "system"}]}
PRECEDENCE = {"openrouter": 50, "openai": 60, "modelsdev": 200, "litellm": 210}


@pytest.fixture
def listed(make_provider, tmp_path):
    """`listed("openai", OPENAI)`: a sync of this answer, or of a recorded one by its name."""

    def run(slug, answer, state="ok"):
        provider = make_provider(slug, precedence=PRECEDENCE[slug])
        path = tmp_path / "answer.json"
        path.write_text(json.dumps(answer))
        outcome = sync.sync(provider, path=path, allow_shrink=True)
        assert outcome.state == state, outcome
        return outcome

    return run


@pytest.fixture
def recorded(make_provider, project_dir):
    def run(slug, name):
        provider = make_provider(slug, precedence=PRECEDENCE[slug])
        return sync.sync(provider, path=project_dir / "tests" / "data" / name)

    return run


def gpt():
    return AIModel.objects.get(model_id="openai/gpt-4o")


def test_an_enricher_fills_what_the_vendor_leaves_out(listed):
    listed("openai", OPENAI)
    listed("modelsdev", MODELSDEV)
    found = gpt()
    assert (found.name, found.context_length, found.input_modalities) == ("GPT-4o", 128000, ["text", "image"])
    assert found.pricing == {"prompt": "0.0000025", "completion": "0.00001"}
    assert (found.upstream["context_length"]["source"], found.upstream["pricing"]["source"]) == ("modelsdev",) * 2


def test_an_enricher_creates_nothing_and_makes_nothing_available(listed):
    listed("modelsdev", MODELSDEV)
    assert not AIModel.objects.exists()
    AIModel.objects.create(model_id="openai/gpt-4o", name="x")
    listed("modelsdev", MODELSDEV)
    assert (AIModel.objects.count(), gpt().is_available, gpt().offered_by) == (1, False, [])


def test_the_enricher_with_the_better_precedence_is_believed(listed):
    listed("openai", OPENAI)
    listed("litellm", LITELLM)
    assert gpt().context_length == 100000
    listed("modelsdev", MODELSDEV)
    assert gpt().context_length == 128000


def test_a_provider_is_believed_before_any_enricher(listed):
    listed("modelsdev", MODELSDEV)
    model = {
        "id": "openai/gpt-4o",
        "name": "OpenAI: GPT-4o",
        "context_length": 64000,
        "pricing": {"prompt": "0.000003"},
    }
    listed("openrouter", {"data": [{**model, "architecture": {"output_modalities": ["text"]}}]})
    listed("modelsdev", MODELSDEV)
    assert (gpt().context_length, gpt().pricing) == (64000, {"prompt": "0.000003"})
    # What the provider does not say is still filled.
    assert gpt().max_output_tokens == 16384


def test_a_source_that_vanishes_leaves_what_it_said_marked_stale(listed):
    listed("openai", OPENAI)
    listed("modelsdev", MODELSDEV)
    other = {"openai": {"models": {"gpt-3": MODELSDEV["openai"]["models"]["gpt-4o"]}}}
    listed("modelsdev", other)
    found = gpt()
    assert (found.context_length, found.pricing["prompt"], found.is_available) == (128000, "0.0000025", True)
    assert (found.upstream["context_length"]["stale"], found.upstream["pricing"]["stale"]) == (True, True)
    assert "stale" not in found.upstream["released_at"]
    listed("modelsdev", MODELSDEV)
    assert "stale" not in gpt().upstream["context_length"]
    assert "stale" not in gpt().upstream["pricing"]


def test_a_source_that_falls_silent_blanks_nothing(listed):
    listed("openai", OPENAI)
    listed("modelsdev", MODELSDEV)
    priced = {"name": "GPT-4o", "limit": {}, "cost": {"input": 2.5}}
    listed("modelsdev", {"openai": {"models": {"gpt-4o": priced}}})
    found = gpt()
    assert (found.context_length, found.input_modalities) == (128000, ["text", "image"])


def test_nothing_stands_in_for_the_price_of_a_router(listed):
    router = {"id": "openai/gpt-4o", "name": "Router", "context_length": 1000, "pricing": {"prompt": "-1"}}
    listed("openrouter", {"data": [{**router, "architecture": {"output_modalities": ["text"]}}]})
    listed("modelsdev", MODELSDEV)
    assert gpt().pricing == {}


def test_the_zeros_of_an_enricher_call_nothing_free(listed):
    listed("openai", OPENAI)
    zeros = {**MODELSDEV["openai"]["models"]["gpt-4o"], "cost": {"input": 0, "output": 0}}
    listed("modelsdev", {"openai": {"models": {"gpt-4o": zeros}}})
    assert gpt().pricing == {}


def test_the_same_facts_twice_change_nothing(listed):
    listed("openai", OPENAI)
    listed("modelsdev", MODELSDEV)
    before = gpt().updated_at
    assert listed("modelsdev", MODELSDEV).counts["unchanged"] == 1
    assert gpt().updated_at == before


def test_sources_that_disagree_are_shown_beside_each_other(listed):
    listed("openai", OPENAI)
    listed("modelsdev", MODELSDEV)
    listed("litellm", LITELLM)
    found = {conflict.field: conflict for conflict in conflicts()}
    assert [(s.source, s.value) for s in found["context_length"].said] == [("modelsdev", 128000), ("litellm", 100000)]
    assert found["context_length"].apart == Decimal("0.21875")
    # 2.5 USD per million and 2.5e-06 USD per token are the same price.
    assert "pricing.prompt" not in found
    assert list(conflicts(threshold=Decimal("0.3"), model_ids=["openai/gpt-4o"])) == [
        found[field] for field in sorted(found) if found[field].apart > Decimal("0.3")
    ]


@pytest.mark.parametrize(("beyond", "shown"), [("", True), ("20", True), ("30", False)])
def test_the_admin_shows_where_sources_disagree(api, ops, listed, beyond, shown):
    listed("openai", OPENAI)
    listed("modelsdev", MODELSDEV)
    listed("litellm", LITELLM)
    page = api.as_(ops).get("/admin/providers/providermodel/conflicts", {"beyond": beyond} if beyond else {})
    assert page.status_code == 200
    assert ("litellm: <strong>100,000</strong>" in page.content.decode()) is shown


@pytest.mark.parametrize("beyond", ["x", "-1", "100", "NaN", "1e999"])
def test_a_bad_threshold_is_said_to_be_one(api, ops, beyond):
    page = api.as_(ops).get("/admin/providers/providermodel/conflicts", {"beyond": beyond})
    assert "Write the threshold" in page.content.decode()


def test_staff_without_the_permission_see_no_disagreements(api, make_user):
    page = api.as_(make_user("carol", is_staff=True)).get("/admin/providers/providermodel/conflicts")
    assert page.status_code == 403


def test_the_zeros_of_an_enricher_are_no_disagreement(listed):
    listed("openai", OPENAI)
    listed("modelsdev", MODELSDEV)
    zeros = {"gpt-4o": {**LITELLM["gpt-4o"], "input_cost_per_token": 0, "output_cost_per_token": 0}}
    listed("litellm", zeros)
    assert not [conflict for conflict in conflicts() if conflict.field.startswith("pricing.")]


def test_the_ids_of_openai_are_known_after_joining(recorded, capsys):
    """At least 95 % of those that a chat or embeddings user would call have a context length and a price."""
    for slug, name in (
        ("openai", "openai/models_2026-08-22_reconstructed.json"),
        ("modelsdev", "modelsdev/api_2026-07-02.json"),
        ("litellm", "litellm/openai_rows_1.109.1.json"),
    ):
        assert recorded(slug, name).state == "ok"
    covered, missing = coverage.callable_at_openai()
    assert covered.models > 70
    assert covered.share >= 0.95, missing
    call_command("catalog_report")
    assert f"Of the {covered.models} ids" in capsys.readouterr().out
    call_command("catalog_report", "--json", "--conflicts")
    assert json.loads(capsys.readouterr().out)["providers"]["openai"]["known"]["context_and_price"] >= covered.models


def test_the_report_says_nothing_of_openai_where_openai_was_not_read(capsys):
    call_command("catalog_report")
    out = capsys.readouterr().out
    assert "available" in out
    assert "OpenAI" not in out


KNOWN_PRICES = {
    # USD per million prompt and completion tokens, from the vendors' own pages.
    "openai/gpt-4o": ("2.5", "10"),
    "openai/gpt-4o-mini": ("0.15", "0.6"),
    "openai/text-embedding-3-small": ("0.02", None),
    "openai/gpt-4.1": ("2", "8"),
}


@pytest.mark.parametrize(
    ("slug", "name"),
    [
        ("openrouter", "openrouter/models_2026-08-22.json"),
        ("modelsdev", "modelsdev/api_2026-07-02.json"),
        ("litellm", "litellm/model_prices_1.109.1.json"),
    ],
)
def test_each_source_is_read_in_its_own_unit(recorded, make_model, slug, name):
    for model_id in KNOWN_PRICES:
        make_model(model_id)
    recorded(slug, name)
    offers = ProviderModel.objects.filter(model__model_id__in=KNOWN_PRICES).select_related("model")
    found = {offer.model.model_id: offer.pricing for offer in offers}
    assert len(found) >= 3
    for model_id, pricing in found.items():
        prompt, completion = KNOWN_PRICES[model_id]
        assert Decimal(pricing["prompt"]) * 10**6 == Decimal(prompt), model_id
        assert completion is None or Decimal(pricing["completion"]) * 10**6 == Decimal(completion), model_id
