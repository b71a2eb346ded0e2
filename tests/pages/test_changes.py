"""catalog/pages/changes.py: what changed, by day and by who changed it, and the same as a feed."""

from datetime import timedelta
from xml.etree import ElementTree

import pytest
from django.utils import timezone

from catalog.editing.history import Author, change_row
from catalog.models import FieldChange
from preferences.models import ModelPreference
from providers.models import Provider

pytestmark = pytest.mark.django_db
BY_SYNC = Author.sync(7, "openrouter, confirmed by ops")
BY_STAFF = Author.person(None, "a secret name")


@pytest.fixture
def change():
    def write(model, field, old=None, new=None, author=BY_SYNC, days=0):
        row = change_row(author, model.model_id, field, old, new, model=model)
        row.changed_at = timezone.now() - timedelta(days=days)
        FieldChange.objects.bulk_create([row])

    return write


def lines(page):
    return [
        (act.by, [(line.model_id, line.text) for line in act.lines]) for _, acts in page.context["days"] for act in acts
    ]


def test_what_is_gone_or_dearer_comes_first_and_people_are_not_named(visit, alice, make_model, change):
    Provider.objects.create(slug="openrouter", name="OpenRouter", kind="openrouter")
    model, other = make_model("acme/x"), make_model("acme/y")
    change(model, "name", "X", "Better X", BY_STAFF)
    change(model, "created", None, "acme/x")
    change(model, "pricing", {"prompt": "0.000001"}, {"prompt": "0.0000015"})
    change(model, "pricing", {"prompt": "0.000002"}, {"prompt": "0.000001"})
    change(other, "is_available", True, False)
    page = visit(alice).get("/changes")
    assert lines(page) == [
        (
            "As OpenRouter lists it",
            [
                ("acme/y", "It is no longer offered."),
                ("acme/x", "Input per million: $1.50, it was $1.00 (+50 %)."),
                ("acme/x", "It is new."),
                ("acme/x", "Input per million: $1.00, it was $2.00 (\N{MINUS SIGN}50 %)."),
            ],
        ),
        ("By your staff", [("acme/x", "Name: Better X (it was X).")]),
    ]
    assert b"secret name" not in page.content
    assert b"ops" not in page.content


def test_of_a_day_the_act_with_the_weightiest_change_comes_first(visit, alice, make_model, change):
    model = make_model("acme/x")
    change(model, "is_available", True, False)
    change(model, "family", "a", "b", Author.sync(8, "modelsdev"))
    change(model, "name", "X", "Better X", BY_STAFF)
    assert [by for by, _ in lines(visit(alice).get("/changes"))] == [
        "As openrouter lists it",
        "By your staff",
        "As modelsdev lists it",
    ]


@pytest.mark.parametrize(
    ("field", "old", "new", "mark"),
    [
        ("is_available", True, False, "gone"),
        ("pricing", {"prompt": "0.000001"}, {"prompt": "0.000002"}, "dearer"),
        ("pricing", {"prompt": "0.000002"}, {"prompt": "0.000001"}, ""),
        ("context_length", 8192, 4096, "shorter"),
        ("context_length", 4096, 8192, ""),
        ("max_output_tokens", None, 4096, ""),
        ("supports_tools", True, False, "lost"),
        ("supports_tools", True, None, ""),
        ("retires_at", None, "2027-01-01", "retires"),
        ("name", "X", "Y", ""),
    ],
)
def test_what_is_worse_than_before_is_marked_in_a_word_and_comes_before_what_is_not(
    visit, alice, make_model, change, field, old, new, mark
):
    change(make_model("acme/x"), field, old, new)
    change(make_model("acme/a"), "family", "a", "b")
    change(make_model("acme/z"), "created", None, "acme/z")
    page = visit(alice).get("/changes")
    ((_, (act,)),) = page.context["days"]
    assert {line.model_id: line.mark for line in act.lines} == {"acme/x": mark, "acme/a": "", "acme/z": ""}
    assert (act.lines[0].model_id == "acme/x") is bool(mark)
    assert page.content.decode().count("badge warn") == bool(mark)
    assert f'<span class="badge warn">{mark}</span>' in page.content.decode() or not mark


def test_a_number_that_was_unknown_is_worded_like_any_other(visit, alice, make_model, change):
    change(make_model("acme/x"), "max_output_tokens", None, 128_000)
    assert lines(visit(alice).get("/changes"))[0][1] == [("acme/x", "Longest answer: 128,000 tokens (it was unknown).")]


@pytest.mark.parametrize(
    ("old", "words"), [("", "Family: gpt."), ("g", "Family: gpt (it was g)."), (None, "Family: gpt (it was unknown).")]
)
def test_what_was_empty_before_is_not_worth_a_word(visit, alice, make_model, change, old, words):
    change(make_model("acme/x"), "family", old, "gpt")
    ((_, [(_, text)]),) = lines(visit(alice).get("/changes"))
    assert text == words


def test_days_are_apart_and_a_long_act_is_folded(visit, alice, make_model, change):
    models = [make_model(f"acme/m{n}") for n in range(20)]
    for model in models:
        change(model, "created", None, model.model_id)
        change(model, "created", None, model.model_id, days=3)
    page = visit(alice).get("/changes")
    days = page.context["days"]
    assert [len(acts[0].lines) for _, acts in days] == [20, 20]
    assert page.content.count(b"8 more") == 2


def test_only_what_the_reader_sees_and_only_what_they_use(visit, alice, bob, make_model, change):
    shown, secret = make_model("acme/x"), make_model("acme/secret", granted_to=bob)
    used = make_model("acme/used")
    for model in (shown, secret, used):
        change(model, "name", "a", "b")
    ModelPreference.objects.create(user=alice, model=used, is_enabled=True)
    page = visit(alice).get("/changes")
    assert (b"acme/x" in page.content, b"acme/secret" in page.content) == (True, False)
    mine = visit(alice).get("/changes?mine=true")
    assert (b"acme/used" in mine.content, b"acme/x" in mine.content) == (True, False)
    assert b"acme/secret" not in visit(alice).get("/changes.atom").content


@pytest.mark.parametrize("query", ["?before=x", "?before=1-2-3", "?mine=x", "?before=" + "9" * 400])
def test_a_mistyped_address_shows_the_newest(visit, alice, make_model, change, query):
    change(make_model("acme/x"), "name", "a", "b")
    assert b"acme/x" in visit(alice).get(f"/changes{query}").content


def test_older_changes_are_a_page_away(visit, alice, make_model, change, monkeypatch):
    monkeypatch.setattr("catalog.pages.changes.MOST", 2)
    model = make_model("acme/x")
    for n in range(5):
        change(model, "name", str(n), str(n + 1))
    seen, older = [], ""
    while True:
        page = visit(alice).get(f"/changes{older}")
        seen += [text for _, found in lines(page) for _, text in found]
        if not page.context["older"]:
            break
        older = f"?before={page.context['older']}"
    assert len(seen) == len(set(seen)) == 5


def test_the_feed_is_atom_and_escapes_what_it_tells(visit, alice, make_model, change):
    change(make_model("acme/x"), "name", "a", "<script>alert(1)</script>")
    answer = visit(alice).get("/changes.atom")
    assert answer.headers["Content-Type"].startswith("application/atom+xml")
    feed = ElementTree.fromstring(answer.content)  # noqa: S314 - we have just written it.
    entries = feed.findall("{http://www.w3.org/2005/Atom}entry")
    assert [entry.find("{http://www.w3.org/2005/Atom}title").text for entry in entries] == [
        "acme/x: Name: <script>alert(1)</script> (it was a)."
    ]
    assert b"<script>" not in visit(alice).get("/changes").content.replace(b"<script src=", b"")


@pytest.mark.parametrize("path", ["/changes.atom", "/models/acme/x", "/"])
def test_addresses_to_copy_begin_with_the_one_that_the_operator_names(visit, alice, make_model, change, settings, path):
    change(make_model("acme/x"), "name", "a", "b")
    assert b"http://testserver/" in visit(alice).get(path).content
    settings.SITE_URL = "https://models.example.com"
    page = visit(alice).get(path).content
    assert (b"https://models.example.com/" in page, b"testserver" in page) == (True, False)


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        ("pricing", {"prompt": "NaN"}, {"prompt": "0.1"}),
        ("pricing", {"prompt": "0.1"}, {"prompt": "sNaN"}),
        ("pricing", {"prompt": "0"}, {"prompt": "1e99999999"}),
        ("pricing", "free", []),
        ("context_length", "8k", 9000),
        ("context_length", 2**53 + 1, 1e200),
        ("supports_tools", [], {}),
    ],
)
@pytest.mark.parametrize("path", ["/changes", "/changes.atom", "/models/acme/x"])
def test_a_change_that_cannot_be_worded_is_left_out_and_logged(
    visit, alice, make_model, change, caplog, path, field, old, new
):
    model = make_model("acme/x")
    change(model, field, old, new)
    change(model, "name", "a", "told nonetheless")
    assert b"told nonetheless" in visit(alice).get(path).content
    is_read = field != "pricing" or path != "/models/acme/x"
    assert caplog.text.count("A change of acme/x is left out of answers") == int(is_read)


@pytest.mark.parametrize("odd", ["\x1b", "\ufffe", "\uffff", "\x0b"])
def test_the_feed_drops_what_xml_cannot_hold(visit, alice, make_model, change, odd):
    change(make_model("acme/x"), "name", "a", f"b{odd}c")
    feed = ElementTree.fromstring(visit(alice).get("/changes.atom").content)  # noqa: S314 - we have just written it.
    assert "bc" in feed.find("*/{http://www.w3.org/2005/Atom}title").text
    assert visit(alice).get("/changes").status_code == 200


def test_a_page_costs_a_bounded_number_of_statements(visit, alice, make_model, change, django_assert_max_num_queries):
    for n in range(60):
        change(make_model(f"acme/m{n}"), "name", "a", "b")
    caller = visit(alice)
    with django_assert_max_num_queries(6):
        assert caller.get("/changes").status_code == 200
