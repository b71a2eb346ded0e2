"""catalog/pages/model.py and past.py: decide on a model."""

import html
import json
import re

import pytest
from django.utils import timezone

from catalog.editing.history import Author, change_row
from catalog.models import AIModel, FieldChange
from catalog.pages.calling import examples
from providers.models import Provider, ProviderModel
from tests.feeds import day, feed, record, saved

pytestmark = pytest.mark.django_db


def verdict(answer):
    return answer.context["verdict"]


def without_varying(content):
    """A page less what differs between any two loads: tokens of forms, the request's id, and the address asked for."""
    text = re.sub(r'(csrfmiddlewaretoken" value="|Request <code>)[^"<]+', "", content.decode())
    return text.replace("acme/secret", "acme/unknown")


def test_it_says_in_one_sentence_whether_this_reader_may_use_it(visit, alice, make_model):
    make_model("acme/m")
    make_model("acme/gone", is_available=False)
    make_model("acme/later", enabled_by_default=False)
    assert verdict(visit(alice).get("/models/acme/m")) == "You may use it."
    assert "no provider offers it now" in verdict(visit(alice).get("/models/acme/gone"))
    assert "once you switch it on" in verdict(visit(alice).get("/models/acme/later"))
    assert "Sign in to see" in verdict(visit().get("/models/acme/m"))


def test_it_says_that_a_model_is_the_readers_default(visit, alice, make_model):
    make_model("acme/m")
    answer = visit(alice).post("/me/models", {"default": "acme/m", "next": "/models/acme/m"})
    assert answer["Location"] == "/models/acme/m"
    assert verdict(visit(alice).get("/models/acme/m")) == "You may use it, and it is your default model."


def test_an_inactive_custom_model_tells_its_owner_what_to_do(visit, alice, bob, make_model):
    make_model("mine", owner=alice, base_model=make_model("acme/m"), active=False)
    assert "switched off for everyone" in verdict(visit(alice).get("/models/mine"))
    assert visit(bob).get("/models/mine").status_code == 404


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_model_out_of_sight_is_the_same_page_as_one_that_nobody_has(visit, alice, make_model, signed_in):
    make_model("acme/secret", restricted=True)
    browser = visit(alice if signed_in else None)
    secret, unknown = (browser.get(f"/models/acme/{name}") for name in ("secret", "unknown"))
    assert secret.status_code == unknown.status_code == 404
    assert without_varying(secret.content) == without_varying(unknown.content)
    assert b"There is no model with this id, or you may not see it. Ask your staff." in secret.content
    assert (b"alice" in secret.content) is signed_in


@pytest.mark.parametrize("model_id", ["~acme/latest", "acme/x:free@2", "acme/ü%41?#&'\"<", "plain"])
def test_every_id_has_a_page_that_its_link_in_the_list_leads_to(visit, make_model, model_id):
    make_model(model_id)
    (link,) = re.findall(r'<th scope="row">\s*<a href="([^"]+)"', visit().get("/models").content.decode())
    page = visit().get(html.unescape(link))
    assert page.context["model"]["id"] == model_id


def test_each_price_has_its_source_and_its_past_as_a_line_and_a_table(visit, sync_file, tmp_path):
    for prompt in ("0.000004", "0.000002"):
        sync_file(saved(tmp_path, feed([record("acme/m", prompt=prompt)])))
    page = visit().get("/models/acme/m")
    assert dict(page.context["prices"])["Input per million"] == "$2.00"
    # All prices of an entry are from one source: it is said once below them.
    assert f'<p class="soft">OpenRouter, since {timezone.now():%-d %b %Y}</p>' in page.content.decode()
    now, before = page.context["steps"]
    assert (now.prompt, now.change, before.prompt) == ("$2.00", "input \N{MINUS SIGN}50 %", "$4.00")
    assert page.context["chart"].prompt.count(",") == 4
    assert b"<polyline" in page.content
    first, last = page.context["chart"].first, page.context["chart"].last
    assert (first, last > now.since) == (before.since, True)
    edges = page.content.decode().partition('<p class="edges">')[2].partition("</p>")[0]
    assert re.findall(r">([^<]+)</time>", edges) == [f"{at:%-d %b %Y}" for at in (first, last)]


def test_a_price_that_nobody_knows_is_a_dash_that_is_read_as_unknown(visit, make_model):
    make_model("acme/m")
    page = visit().get("/models/acme/m")
    assert {text for _, text in page.context["prices"]} == {""}
    assert b'<span class="unseen">unknown</span>' in page.content
    assert b"$0" not in page.content


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({"min_prompt_tokens": 200_000}, "Prompts of 200,000 tokens or more"),
        ({"utc_start": 1000, "utc_end": 30}, "From 10:00 to 00:30 UTC"),
        ({"utc_end": 900, "utc_days": ["saturday", "sunday"]}, "From 00:00 to 09:00 UTC, on Saturday, Sunday"),
    ],
)
def test_a_price_under_a_condition_stands_below_the_others(visit, make_model, conditions, words):
    overrides = [{**conditions, "completion": "0.000015", "prompt": "0.0000025"}]
    make_model("acme/m", pricing={"prompt": "0.00000125", "overrides": overrides})
    page = visit().get("/models/acme/m")
    assert page.context["tiers"] == [(words, [("Input per million", "$2.50"), ("Output per million", "$15.00")])]
    assert f"<h3>{words}</h3>" in page.content.decode()


def test_what_is_not_paid_by_the_token_is_told_as_people_buy_it(visit, make_model):
    overrides = [{"min_prompt_tokens": 8, "image": "0.00516"}]
    prices = {"prompt": "0.00000125", "image": "0.00000125", "web_search": "0.014", "overrides": overrides}
    make_model("acme/m", pricing=prices)
    told = visit().get("/models/acme/m").context
    assert told["prices"][2:] == [("Per image", "as a token of input"), ("Per thousand web searches", "$14.00")]
    assert told["tiers"][0][1] == [("Per thousand images", "$5.16")]


@pytest.mark.parametrize("entry", [{"min_prompt_tokens": [1], "prompt": "0.1"}, {"utc_days": 7, "prompt": "0.1"}])
def test_a_condition_that_cannot_be_read_is_left_out(visit, make_model, entry):
    make_model("acme/m", pricing={"prompt": "0.1", "overrides": [entry]})
    assert visit().get("/models/acme/m").context["tiers"] == []


def test_changes_are_sentences_and_name_no_person_and_no_note_of_staff(visit, ops, sync_file, tmp_path):
    sync_file(saved(tmp_path, feed([record("acme/m", context_length=4096)])))
    model = AIModel.objects.get(model_id="acme/m")

    def change(field, new):
        row = change_row(Author.person(ops), model.model_id, field, None, new, model=model)
        FieldChange.objects.bulk_create([row])

    change("notes", "staff only")
    change("grants", [{"principal_id": "7"}])
    sync_file(saved(tmp_path, feed([record("acme/m", context_length=8192)])))
    change("name", "Renamed")
    page = visit().get(f"/models/{model.model_id}")
    sentences = [(change.text, change.by) for change in page.context["changes"]]
    assert sentences[0] == ("Name: Renamed (it was unknown).", "by your staff")
    assert ("Context grew from 4,096 to 8,192 tokens.", "as OpenRouter lists it") in sentences
    assert sentences[-1][0] == "It came into the catalog."
    assert b"staff only" not in page.content
    assert b"ops" not in page.content


def test_a_change_that_somebody_confirmed_names_the_provider_and_not_who_confirmed_it(visit, make_model):
    model = make_model("acme/m")
    author = Author.sync(7, "openrouter, confirmed by alice")
    FieldChange.objects.bulk_create([change_row(author, "acme/m", "name", "a", "b", model=model)])
    page = visit().get("/models/acme/m")
    assert page.context["changes"][0].by == "as openrouter lists it"
    assert b"alice" not in page.content


def test_a_price_from_before_the_entry_was_shown_is_neither_drawn_nor_told(visit, sync_file, tmp_path):
    for price in ("0.000007", "0.000004", "0.000002"):
        sync_file(saved(tmp_path, feed([record("acme/m", prompt=price)])))
        if price == "0.000004":
            row = AIModel.objects.get(model_id="acme/m")
            FieldChange.objects.bulk_create([change_row(Author.curated(), "acme/m", "hidden", True, False, model=row)])
    page = visit().get("/models/acme/m")
    assert [step.prompt for step in page.context["steps"]] == ["$2.00", "$4.00"]
    assert b"$7.00" not in page.content


def test_offers_are_for_those_who_may_see_them(visit, alice, ops, sync_file):
    sync_file(day("2026-08-22"))
    assert visit(alice).get("/models/openai/gpt-4o").context["offers"] == []
    assert visit(alice).get("/models/openai/gpt-4o").context["offered_by"] == ["OpenRouter"]
    ((name, *_),) = visit(ops).get("/models/openai/gpt-4o").context["offers"]
    assert name == "openrouter (openai/gpt-4o)"


def test_only_what_makes_the_model_available_is_an_offer(visit, ops, make_model):
    model = make_model("acme/m")
    for slug, kind, is_on, active in (
        ("on", "openai", True, True),
        ("switched-off", "openai", False, True),
        ("inactive", "openai", True, False),
        ("describing", "modelsdev", True, True),
    ):
        provider = Provider.objects.create(slug=slug, name=slug, kind=kind, is_active=is_on)
        ProviderModel.objects.create(provider=provider, upstream_id="m", listing="l", model=model, active=active)
    assert [name for name, *_ in visit(ops).get("/models/acme/m").context["offers"]] == ["on (m)"]


def test_readers_of_a_shared_model_see_no_parameters_and_no_base_out_of_their_sight(visit, alice, bob, make_model):
    base = make_model("acme/base", granted_to=alice)
    make_model("gift", owner=alice, base_model=base, delegated=True, params={"system": "hush"}, granted_to=bob)
    page = visit(bob).get("/models/gift").content
    assert b"hush" not in page
    assert b"acme/base" not in page
    assert b"acme/base" in visit(alice).get("/models/gift").content


def test_examples_quote_an_id_for_each_language():
    texts = dict((name, text) for name, _, text in examples("http://x", "acme/a'b\"$(id)`"))
    assert texts["curl"].endswith(" http://x/v1/models/acme/a%27b%22%24%28id%29%60")
    assert r'retrieve("acme/a' in texts["Python"]
    assert r"\"$(id)`" in texts["JavaScript"]
    assert """'acme/a'"'"'b"$(id)`'""" in texts["CLI"]


@pytest.mark.parametrize("models", [1, 40])
def test_it_costs_no_more_statements_however_large_the_catalog_is(
    visit, alice, make_model, models, django_assert_max_num_queries
):
    for number in range(models):
        make_model(f"acme/{number}")
    browser = visit(alice)
    browser.get("/models")
    with django_assert_max_num_queries(14):
        browser.get("/models/acme/0")


def test_files_of_tools_hold_the_model_as_the_catalog_knows_it(visit, alice, make_model, settings):
    settings.EXPORT_API_URL = "https://gateway.example/v1"
    make_model("acme/m", context_length=8192, pricing={"prompt": "0.0000025", "completion": "0"}, supports_tools=True)
    found = {name: text for name, _, text in visit(alice).get("/models/acme/m").context["tools"]}
    (zed,) = json.loads(found["Zed"])["language_models"]["openai_compatible"]["Gateway"]["available_models"]
    assert (zed["name"], zed["max_tokens"], zed["capabilities"]["tools"]) == ("acme/m", 8192, True)
    assert json.loads(found["Goose"])["models"] == [{"name": "acme/m", "context_limit": 8192}]
    (pi,) = json.loads(found["Pi"])["providers"]["gateway"]["models"]
    assert (pi["contextWindow"], pi["cost"]) == (8192, {"cacheRead": 0, "cacheWrite": 0, "input": 2.5, "output": 0.0})
    assert found["aider"].endswith("aider --model openai/acme/m")
    assert all("https://gateway.example/v1" in text for text in found.values())


def test_what_is_unknown_is_left_out_of_the_files_of_tools(visit, alice, make_model):
    make_model("acme/m", name="\"</script>'")
    make_model("acme/vectors", supports_embeddings=True)
    found = {name: text for name, _, text in visit(alice).get("/models/acme/m").context["tools"]}
    assert "Zed" not in found
    assert json.loads(found["Goose"])["models"] == [{"name": "acme/m"}]
    (pi,) = json.loads(found["Pi"])["providers"]["gateway"]["models"]
    assert pi == {"id": "acme/m", "name": "\"</script>'", "reasoning": False, "input": ["text"]}
    assert visit(alice).get("/models/acme/vectors").context["tools"] == []
