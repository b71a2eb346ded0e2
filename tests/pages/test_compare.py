"""catalog/pages/compare.py: two to four models side by side."""

import pytest

pytestmark = pytest.mark.django_db

CHEAP = {"pricing": {"prompt": "0.000001", "completion": "0.000002"}, "context_length": 8192}
DEAR = {"pricing": {"prompt": "0.000004", "completion": "0.000016"}, "context_length": 8192}


@pytest.fixture
def two(make_model):
    make_model("acme/cheap", supports_tools=True, **CHEAP)
    make_model("acme/dear", supports_tools=True, supports_images=True, **DEAR)


def rows(answer, kind="differing"):
    return {row.label: [(cell.text, cell.mark) for cell in row.cells] for row in answer.context[kind]}


def test_differences_are_marked_with_words_and_equal_rows_are_folded(visit, two):
    page = visit().get("/compare?id=acme/cheap&id=acme/dear")
    assert rows(page)["Input per million"] == [("$1.00", "cheapest"), ("$4.00", "dearest")]
    assert rows(page)["Can do"][1] == ("chat, vision, tools", "only this one: vision")
    assert rows(page, "equal")["Context"] == [("8,192 tokens", ""), ("8,192 tokens", "")]


@pytest.mark.parametrize(
    ("use", "cost"),
    [
        ("", ["$2.00", "$12.00"]),
        ("&calls=1&in=1000000&out=0", ["$1.00", "$4.00"]),
        ("&calls=10,000&in=100&out=10", ["$1.20", "$5.60"]),
        ("&calls=0", ["$0.00", "$0.00"]),
    ],
)
def test_it_works_out_what_a_use_would_cost(visit, two, use, cost):
    page = visit().get(f"/compare?id=acme/cheap&id=acme/dear{use}")
    assert [cell.text for cell in page.context["cost"].cells] == cost


@pytest.mark.parametrize("wrong", ["x", "-1", "1.5", "9" * 30, "٣", "99999999999"])
def test_a_number_that_is_none_is_named_and_the_usual_one_taken(visit, two, wrong):
    page = visit().get("/compare", {"id": ["acme/cheap", "acme/dear"], "calls": wrong})
    assert page.status_code == 200
    assert page.context["use"][0][2:] == (1_000, "A whole number from 0 to 1,000,000,000.")


def test_an_unknown_price_makes_an_unknown_cost_and_never_a_free_one(visit, two, make_model):
    make_model("acme/unpriced")
    page = visit().get("/compare?id=acme/cheap&id=acme/unpriced")
    assert [cell.text for cell in page.context["cost"].cells] == ["$2.00", ""]
    assert page.context["cost"].cells[0].mark == ""


def test_what_is_out_of_sight_is_as_unknown_as_what_nobody_has(visit, two, make_model):
    make_model("acme/secret", restricted=True)
    page = visit().get("/compare?id=acme/cheap&id=acme/secret&id=acme/nobody&id=acme/cheap")
    assert page.context["missing"] == ["acme/secret", "acme/nobody"]
    assert [model["id"] for model in page.context["models"]] == ["acme/cheap"]


def test_four_fit_and_a_fifth_is_said_to_be_left_out(visit, make_model):
    for number in range(5):
        make_model(f"acme/{number}")
    page = visit().get("/compare", {"id": [f"acme/{number}" for number in range(5)]})
    assert len(page.context["models"]) == 4
    assert "1 more was left out" in page.content.decode()
    assert page.context["models"][0]["without"] == "?id=acme%2F1&id=acme%2F2&id=acme%2F3"


@pytest.mark.parametrize("query", ["", "id=", "id=acme/cheap", "id=%20"])
def test_with_fewer_than_two_it_asks_for_more(visit, two, query):
    page = visit().get(f"/compare?{query}")
    assert page.context["cost"] is None
    assert "Choose two to four models" in page.content.decode()


def test_the_one_that_is_chosen_stands_in_the_form(visit, two):
    page = visit().get("/compare?id=acme/cheap").content.decode()
    assert page.count('name="id"') == 1
    assert '<input type="checkbox" name="id" value="acme/cheap" id="pick-acme/cheap" checked>' in page


def test_others_are_searched_for_and_ticked_as_far_as_four_fit(visit, two, make_model):
    page = visit().get("/compare?id=acme/cheap&find=acme").content.decode()
    assert '<input type="checkbox" name="id" value="acme/dear" id="pick-acme/dear">' in page
    ids = ["acme/cheap", "acme/dear", *(make_model(f"acme/{n}").model_id for n in range(2))]
    assert 'name="find"' not in visit().get("/compare", {"id": ids}).content.decode()


@pytest.mark.parametrize(("tokens", "cost"), [(199_999, "$0.20"), (200_000, "$0.40")])
def test_long_prompts_cost_what_their_size_decides(visit, two, make_model, tokens, cost):
    overrides = [{"min_prompt_tokens": 200_000, "prompt": "0.000002"}]
    make_model("acme/tiers", pricing={**CHEAP["pricing"], "overrides": overrides})
    page = visit().get(f"/compare?id=acme/tiers&id=acme/dear&calls=1&in={tokens}&out=0")
    assert page.context["cost"].cells[0].text == cost


def test_what_a_model_takes_keeps_its_noun(visit, two, make_model):
    make_model("acme/hears", input_modalities=["text", "audio"], supports_audio=True)
    page = visit().get("/compare?id=acme/cheap&id=acme/hears")
    assert rows(page)["Takes"][1] == ("text, audio", "")
    assert rows(page)["Can do"][1][0] == "chat, audio"


@pytest.mark.parametrize(("calls", "words"), [("", "of 1,000 calls"), ("&calls=1", "of one call")])
def test_the_cost_says_of_how_many_calls(visit, two, calls, words):
    assert words in visit().get(f"/compare?id=acme/cheap&id=acme/dear{calls}").content.decode()
