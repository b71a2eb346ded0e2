"""catalog/pages/models.py and finding.py: find a model."""

import gzip
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group

from catalog.api.snapshot import snapshot
from catalog.models import AIModel
from preferences.models import ModelPreference
from tests.feeds import day

pytestmark = pytest.mark.django_db

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{% if user %}{{ request }}",
    "\u202egnirts\u202c",
    "</title><img src=x>",
]
PRICED = {"pricing": {"prompt": "0.000001", "completion": "0.000002"}, "prompt_price": 1.0}
FREE = {"pricing": {"prompt": "0", "completion": "0"}, "prompt_price": 0.0}


def ids(answer):
    return [row["id"] for row in answer.context["rows"]]


@pytest.fixture
def some(make_model):
    make_model("acme/large", context_length=200_000, supports_tools=True, supports_images=True, **PRICED)
    make_model("acme/small", context_length=8_000, supports_tools=True, **FREE)
    make_model("zeta/embed", supports_embeddings=True, input_modalities=["text"], output_modalities=["embeddings"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["acme/large", "acme/small", "zeta/embed"]),
        ("q=LARGE+acme", ["acme/large"]),
        ("author=zeta", ["zeta/embed"]),
        ("capability=tools", ["acme/large", "acme/small"]),
        ("capability=tools&capability=vision", ["acme/large"]),
        ("min_context=128000", ["acme/large"]),
        ("free=1", ["acme/small"]),
        ("output=embeddings", ["zeta/embed"]),
        ("sort=price", ["acme/small", "acme/large", "zeta/embed"]),
        ("sort=-price", ["acme/large", "acme/small", "zeta/embed"]),
        ("sort=context", ["acme/small", "acme/large", "zeta/embed"]),
        ("sort=-context", ["acme/large", "acme/small", "zeta/embed"]),
        ("min_context=x&page=0&sort=odd&free=2&nonsense=1", ["acme/large", "acme/small", "zeta/embed"]),
    ],
)
def test_it_finds_what_the_address_says_and_what_is_unknown_comes_last(visit, some, query, found):
    assert ids(visit().get(f"/models?{query}")) == found


def test_counts_tell_what_another_choice_would_show(visit, some):
    page = visit().get("/models?author=acme&capability=vision").context
    authors = {option.value: option.count for option in page["choices"][0].options}
    assert authors == {"acme": 1}
    assert {option.value: option.count for option in page["capabilities"]} == {"chat": 1, "vision": 1, "tools": 1}
    everything = visit().get("/models?author=acme").context
    assert {option.value: option.count for option in everything["choices"][0].options} == {"acme": 2, "zeta": 1}


def test_it_shows_what_the_rule_shows_and_nothing_else(visit, alice, bob, make_model):
    make_model("acme/secret", granted_to=alice)
    make_model("acme/hidden", hidden=True)
    make_model("acme/off", active=False)
    assert [ids(visit(who).get("/models")) for who in (alice, bob, None)] == [["acme/secret"], [], []]
    assert b"acme" not in visit(bob).get("/models?capability=chat").content


def test_what_nobody_offers_now_is_shown_where_asked_for(visit, alice, make_model):
    make_model("acme/here")
    make_model("acme/gone", is_available=False)
    page = visit(alice).get("/models")
    assert (ids(page), page.context["found"].retired) == (["acme/here"], 1)
    assert ids(visit(alice).get("/models?retired=1")) == ["acme/gone", "acme/here"]
    assert ids(visit().get("/models?retired=1")) == ["acme/here"]


def test_a_variant_stands_under_its_base_and_by_itself_without_it(visit, make_model):
    make_model("acme/m")
    make_model("acme/m:free", **FREE)
    (row,) = visit().get("/models").context["rows"]
    assert [variant["id"] for variant in row["variants"]] == ["acme/m:free"]
    assert ids(visit().get("/models?free=1")) == ["acme/m:free"]


def test_what_nobody_offers_now_is_one_step_away(visit, alice, make_model):
    make_model("acme/gone", is_available=False)
    (way,) = visit(alice).get("/models?q=gone").context["ways_out"]
    assert (way.label, way.count) == ("Show also what nobody offers now", 1)
    assert ids(visit(alice).get(f"/models{way.address}")) == ["acme/gone"]


def test_an_empty_result_says_which_filter_to_drop_and_what_that_shows(visit, some):
    page = visit().get("/models?author=zeta&capability=tools").context
    assert [(way.label, way.count) for way in page["ways_out"]] == [("Drop Author: zeta", 2), ("Drop tools", 1)]
    assert ids(visit().get(f"/models{page['ways_out'][1].address}")) == ["zeta/embed"]


def test_where_no_single_filter_is_in_the_way_it_says_which_one_to_keep(visit, some):
    page = visit().get("/models?author=zeta&capability=vision&free=1").context
    assert [(way.label, way.count) for way in page["ways_out"]] == [
        ("Keep only Author: zeta", 1),
        ("Keep only vision", 1),
        ("Keep only Free", 1),
    ]


@pytest.mark.parametrize(
    "query",
    ["", "q=acme", "author=acme", "capability=tools", "min_context=8000", "output=embeddings", "retired=1"]
    + [f"sort={sort}" for sort in ("name", "price", "-price", "-context", "context", "-added")],
)
def test_the_same_as_json_is_the_same(visit, api, alice, some, make_model, query):
    make_model("acme/gone", is_available=False)
    make_model("mine", owner=alice, base_model=AIModel.objects.get(model_id="acme/large"), active=False)
    page = visit(alice).get(f"/models?{query}")
    items = api.as_(alice).get(page.context["json"]).json()["items"]
    assert [item["id"] for item in items] == ids(page)


def test_there_is_no_link_to_json_that_is_not_the_same(visit, alice, some):
    assert visit(alice).get("/models?free=1").context["json"] == ""
    assert visit(alice).get("/models?capability=tools&capability=vision").context["json"] == ""
    assert visit().get("/models").context["json"] == ""


def test_the_address_keeps_what_is_chosen_and_drops_what_is_empty(visit, some):
    page = visit().get("/models?q=a&author=&capability=tools&min_context=&sort=price&page=")
    assert page["HX-Replace-Url"] == "/models?q=a&capability=tools&sort=price"
    chips = [parse_qs(urlsplit(chip.address).query) for chip in page.context["chips"]]
    assert chips == [{"capability": ["tools"], "sort": ["price"]}, {"q": ["a"], "sort": ["price"]}]


def test_a_model_is_switched_off_and_on_by_a_form_that_leads_back(visit, alice, make_model):
    model = make_model("acme/m")
    for word, is_enabled in (("off", False), ("on", True)):
        answer = visit(alice).post("/me/models", {word: "acme/m", "next": "/models?q=m"})
        assert (answer.status_code, answer["Location"]) == (303, "/models?q=m")
        assert ModelPreference.objects.get(user=alice, model=model).is_enabled is is_enabled
    assert visit(alice).get("/models").context["rows"][0]["is_on"] is True


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil", ""]
)
def test_the_form_leads_to_no_other_site(visit, alice, make_model, elsewhere):
    make_model("acme/m")
    answer = visit(alice).post("/me/models", {"off": "acme/m", "next": elsewhere})
    assert answer["Location"] == "/me/models"


def test_what_is_out_of_sight_cannot_be_switched(visit, alice, make_model):
    make_model("acme/secret", restricted=True)
    assert visit(alice).post("/me/models", {"on": "acme/secret"}).status_code == 404


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_private_catalog_is_for_those_who_sign_in(visit, alice, settings, make_model, signed_in):
    settings.PUBLIC_CATALOG = False
    make_model("acme/m")
    answers = [visit(alice if signed_in else None).get(path) for path in ("/models?q=m", "/models/acme/m", "/compare")]
    assert [answer.status_code for answer in answers] == [200 if signed_in else 302] * 3
    if not signed_in:
        assert answers[0]["Location"] == "/accounts/login?next=/models%3Fq%3Dm"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_of_the_catalog_is_shown_as_text(visit, alice, make_model, text):
    make_model("acme/" + "x" * 250, name=text[:255], description=text, recommended=True, recommendation_note=text[:255])
    for path in ("/models", "/models/acme/" + "x" * 250, "/compare?id=acme/" + "x" * 250):
        page = visit(alice).get(path).content.decode()
        assert "<script>alert" not in page
        assert "<img" not in page.replace('<img src="/static/catalog/logo.svg"', "")


def test_the_real_catalog_costs_five_statements_and_forty_kilobytes(
    visit, alice, sync_file, django_assert_max_num_queries
):
    alice.groups.add(Group.objects.create(name="research"))
    sync_file(day("2026-08-22"))
    browser = visit(alice)
    snapshot.clear()
    with django_assert_max_num_queries(5):
        answer = browser.get("/models", headers={"Accept-Encoding": "gzip"})
    assert answer.context["found"].total > 380
    assert answer["Content-Encoding"] == "gzip"
    assert len(answer.content) < 40_000
    assert len(answer.context["rows"]) == 50
    assert b"Page 1 of" in gzip.decompress(answer.content)
