"""catalog/pages/picking.py: models to pick in a form, found by a search."""

import pytest

from catalog.pages.picking import MOST, Pick

pytestmark = pytest.mark.django_db


def found(answer):
    return [pick.id for pick in answer.context["picks"]]


def test_the_shortest_id_comes_first_and_what_was_picked_before_it(visit, make_model):
    for id_ in ("acme/large:free", "acme/large", "acme/small"):
        make_model(id_)
    page = visit().get("/compare?find=LARGE+acme&id=acme/small")
    assert found(page) == ["acme/small", "acme/large", "acme/large:free"]
    assert [pick.is_picked for pick in page.context["picks"]] == [True, False, False]


def test_a_model_comes_before_custom_models_upon_it(visit, alice, make_model):
    make_model("mine", owner=alice, base_model=make_model("acme/large"))
    assert found(visit(alice).get("/compare?find=large")) == ["acme/large", "mine"]


def test_a_whole_id_picks_its_model(visit, make_model):
    make_model("acme/large", name="Large")
    make_model("acme/large:free")
    page = visit().get("/compare?find=acme/large")
    assert page.context["picks"][0] == Pick("acme/large", "Large", True)
    assert [pick.is_picked for pick in page.context["picks"]] == [True, False]


@pytest.mark.parametrize("id_", ["acme/secret", "acme/nobody"])
@pytest.mark.parametrize("query", ["/compare?find={}", "/compare?id={}", "/compare?id={0}&find={0}"])
def test_what_is_out_of_sight_is_never_suggested(visit, make_model, id_, query):
    make_model("acme/secret", name="Hidden", restricted=True)
    page = visit().get(query.format(id_))
    assert found(page) == []
    assert b"Hidden" not in page.content
    assert b'id="pick-' not in page.content


@pytest.mark.parametrize(
    ("find", "words"),
    [
        ("acme", f"More than {MOST} models have these words: add another word."),
        ("no", "No model that you see has these words."),
    ]
    + [(blank, "") for blank in ("", "%20", "acme/1")],
)
def test_it_says_where_there_are_more_or_none(visit, make_model, find, words):
    for number in range(MOST + 1):
        make_model(f"acme/{number}")
    page = visit().get(f"/compare?find={find}")
    assert page.context["found"] == words
    assert len(found(page)) <= MOST


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/compare?find=acme", None),
        ("/me/settings", {"search": "1", "find": "acme", "settings": "1"}),
        ("/me/models/new", {"search": "1", "find": "acme"}),
        ("/me/keys/new", {"search": "1", "find": "acme"}),
    ],
)
def test_a_search_costs_the_same_in_a_larger_catalog(
    visit, alice, make_model, path, sent, django_assert_max_num_queries
):
    browser, sizes = visit(alice), []
    for size in (20, 60):
        for number in range(size):
            make_model(f"acme/{size}-{number}")
        answer = browser.get(path) if sent is None else browser.post(path, sent)
        assert len(found(answer)) == MOST
        with django_assert_max_num_queries(7):
            answer = browser.get(path) if sent is None else browser.post(path, sent)
        sizes.append(len(answer.content))
    assert sizes[1] - sizes[0] < 200
