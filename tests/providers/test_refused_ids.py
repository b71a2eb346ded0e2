"""catalog/validation/model_ids.py: ids that cannot be accepted are refused everywhere, and named in the run."""

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from catalog.models import AIModel
from catalog.validation import model_ids
from providers.adapters import ADAPTERS
from providers.adapters.enricher import Enricher
from providers.reading import curated
from tests.answers import adapter
from tests.feeds import record

STAR = "in the policy of a key"


@pytest.fixture
def proxy(make_provider):
    return make_provider("litellmproxy", kind="compatible", base_url="http://127.0.0.1:9/v1")


def test_a_pattern_that_is_listed_as_a_model_is_refused_and_named(api, sync_feed, proxy):
    outcome = sync_feed({"data": [{"id": "*"}, {"id": "openai/*"}, {"id": "gpt-4o"}, {"id": "a"}]}, provider=proxy)
    assert outcome.state == "partial"
    assert {problem["id"]: STAR in problem["reason"] for problem in outcome.problems} == {"*": True, "openai/*": True}
    assert [item["id"] for item in api.get("/api/models").json()["models"]] == ["litellmproxy/a", "litellmproxy/gpt-4o"]


def test_a_proxy_that_lists_mostly_patterns_is_not_held(sync_feed, proxy):
    patterns = [{"id": f"{name}/*"} for name in ("openai", "anthropic", "groq")]
    outcome = sync_feed({"data": [{"id": "*"}, *patterns, {"id": "gpt-4o"}]}, provider=proxy)
    assert (outcome.state, outcome.counts["added"], len(outcome.problems)) == ("partial", 1, 4)
    assert sync_feed({"data": patterns}, provider=proxy).state == "held", "nothing at all is left of it"


def test_a_pattern_that_an_aggregator_lists_is_refused_too(sync_feed):
    outcome = sync_feed({"data": [record("acme/*"), record("acme/one"), record("acme/two")]})
    assert [problem["id"] for problem in outcome.problems] == ["acme/*"]
    assert set(AIModel.objects.values_list("model_id", flat=True)) == {"acme/one", "acme/two"}


@pytest.mark.parametrize(("text", "is_id"), [("acme/one", True), ("*", False), ("acme/*", False), ("a*b", False)])
def test_no_id_has_a_star_and_patterns_may(text, is_id):
    assert (model_ids.problem_of(text) is None) is is_id
    assert model_ids.problem_of_pattern(text) is None


def test_no_entry_is_made_by_hand_with_a_star(client, ops):
    client.force_login(ops)
    page = client.post("/admin/catalog/aimodel/add/", {"model_id": "acme/*", "name": "All"})
    assert STAR in page.context["adminform"].form.errors["model_id"][0]
    assert not AIModel.objects.exists()


def test_no_custom_model_is_made_with_a_star(api, alice, make_model):
    make_model("acme/one")
    body = {"id": "mine*", "name": "Mine", "base_model_id": "acme/one"}
    answer = api.as_(alice).post("/api/models/custom", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["id"])


def test_no_model_stands_for_a_pattern(make_model):
    make_model("acme/one")
    with pytest.raises(CommandError, match=STAR):
        call_command("edit_model", "acme/one", "--set", "alias_of=openai/*")


def test_the_curated_list_has_ids_only(monkeypatch):
    monkeypatch.setattr(curated, "_file", lambda listing: {"models": [{"model_id": "acme/*", "facts": {}}]})
    with pytest.raises(Exception, match=STAR):
        curated.entries.__wrapped__()


def bad_id(kind: str, sent: Any) -> str | None:
    """The id under which a record with this one is reported, beside two that are in order."""
    ours = adapter(kind)
    before = {"google": "models/", "openrouter": "acme/"}.get(kind, "")
    ids = [
        sent if not isinstance(sent, str) else f"{before if kind == 'google' else ''}{sent}",
        f"{before}a",
        f"{before}b",
    ]
    records: list[Any] = [{"id": name, "name": name, "capabilities": {}} for name in ids]
    records = [record | {"type": "language"} if kind == "vercel" else record for record in records]
    [bad] = ours.parse({ours.envelope: records}, next(iter(ours.listings))).bad
    return bad.upstream_id


LISTING_KINDS = [kind for kind, ours in ADAPTERS.items() if not issubclass(ours, Enricher)]


@pytest.mark.parametrize("kind", LISTING_KINDS)
@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ("Go reasoning", "Go reasoning"),
        ("a/*", "a/*"),
        ("a\tb\u202e", "a\\tb\\u202e"),
        ("a\0b\ud800", "a\\x00b\\ud800"),
        ("x" * 10_000, "x" * 200 + " …"),
        ("\x01" * 199, ("\\x01" * 199)[:200] + " …"),
    ],
    ids=["blank", "star", "control characters", "what cannot be stored", "long", "long once escaped"],
)
def test_an_id_that_can_be_read_but_not_accepted_names_its_record(kind, sent, named):
    assert bad_id(kind, sent) == named


@pytest.mark.parametrize("kind", LISTING_KINDS)
@pytest.mark.parametrize("sent", [5, None, "", [], {}])
def test_a_record_without_a_text_for_an_id_has_no_name(kind, sent):
    assert bad_id(kind, sent) is None


@pytest.mark.django_db
def test_the_run_keeps_the_name_of_a_record_that_it_refused(sync_feed, proxy):
    outcome = sync_feed({"data": [{"id": "a"}, {"id": "b"}, {"id": "Go \treasoning"}]}, provider=proxy)
    assert [problem["id"] for problem in outcome.problems] == ["Go \\treasoning"]
