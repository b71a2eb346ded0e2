"""catalog/admin/entry_form.py and inputs.py: what can be set, what is refused, and that only a change is written."""

import json
import re
from datetime import UTC, date, datetime

import pytest

from catalog.editing import entries
from catalog.editing.history import Author
from catalog.models import AIModel, FieldChange, Tag
from tests.admin_forms import fields_of

SAID = {"value": "Upstream's words.", "source": "openrouter", "since": "2026-11-01T00:00:00+00:00"}


@pytest.fixture
def model(make_model):
    return make_model(
        "acme/large",
        family="first",
        description="  First line\n\nsecond line\n",
        context_length=8192,
        input_modalities=["text", "image"],
        supports_tools=True,
        supported_parameters={"names": ["temperature", "top_p"], "default": {"temperature": 0}},
        reasoning_levels=[{"effort": "low", "description": "Fast."}, {"effort": "high"}],
        extras={"a": 1, "nested": {"b": [1.5, None, True]}},
        released_at=datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC),
        knowledge_cutoff=date(2026, 1, 1),
        tags=["fast", "Cheap"],
        upstream={"description": SAID},
    )


@pytest.fixture
def open_form(desk, ops):
    """`open_form(model)`: the form's fields as a browser would send them back untouched."""

    def open_(model, by=ops):
        response = desk(by).get(url(model))
        assert response.status_code == 200
        return fields_of(response.content.decode(), "aimodel_form")

    return open_


@pytest.fixture
def save(desk, ops):
    """`save(model, form, name="x")`: the form with these fields changed, also where that takes sight from somebody."""

    def save_(model, form, by=ops, **changed):
        sent = {**form, **changed, "_save": "Save"}
        response = desk(by).post(url(model), sent)
        if response.status_code == 200 and "loss" in response.context:
            response = desk(by).post(url(model), {**sent, "_narrow": "1", "_seal": response.context["seal"]})
        model.refresh_from_db()
        return response

    return save_


@pytest.fixture
def release(desk, ops):
    """`release(model, form, "name")`: the button beside a pinned field, with the form as it stands."""

    def release_(model, form, field):
        response = desk(ops).post(url(model), {**form, "_release": field})
        model.refresh_from_db()
        return response

    return release_


def url(model):
    return f"/admin/catalog/aimodel/{model.pk}/change/"


def errors_of(response):
    assert response.status_code == 200
    return response.context["adminform"].form.errors


def test_a_form_saved_untouched_writes_nothing(model, open_form, save):
    before = AIModel.objects.values().get(pk=model.pk)
    assert save(model, open_form(model)).status_code == 302
    assert AIModel.objects.values().get(pk=model.pk) == before
    assert not FieldChange.objects.exists()


@pytest.mark.parametrize(
    "stored",
    [
        {"name": " Large "},
        {"description": "One\rtwo\r\nthree"},
        {"reasoning_levels": [{"effort": " low", "description": ""}, {"effort": "high", "description": "a  b"}]},
        {"input_modalities": ["smell", "video", "text"], "output_modalities": []},
        {"supported_parameters": {"names": ["a  b"]}},
        {"supported_parameters": {"names": [], "default": {}}},
        {"extras": {"a": True, "b": 1.0, "c": "\u2028"}},
        {"supports_tools": False, "supports_images": None, "context_length": None, "released_at": None},
    ],
    ids=lambda stored: next(iter(stored)),
)
def test_a_stored_value_that_its_input_shows_otherwise_is_no_change(model, open_form, save, stored):
    AIModel.objects.filter(pk=model.pk).update(**stored)
    before = AIModel.objects.values().get(pk=model.pk)
    assert save(model, open_form(model)).status_code == 302
    assert AIModel.objects.values().get(pk=model.pk) == before


@pytest.mark.parametrize(
    ("sent", "field", "value"),
    [
        ({"name": "Large"}, "name", "Large"),
        ({"family": "acme-1"}, "family", "acme-1"),
        ({"family": ""}, "family", ""),
        ({"description": "New.\r\nTwo lines."}, "description", "New.\nTwo lines."),
        ({"description": ""}, "description", ""),
        ({"context_length": "1"}, "context_length", 1),
        ({"context_length": "2147483647"}, "context_length", 2147483647),
        ({"context_length": ""}, "context_length", None),
        ({"active": None}, "active", False),
        ({"experimental": "on"}, "experimental", True),
        ({"notes": "Ours."}, "notes", "Ours."),
        ({"is_moderated": "yes"}, "is_moderated", True),
        ({"is_moderated": "no"}, "is_moderated", False),
        ({"supports_tools": "unknown"}, "supports_tools", None),
        ({"supports_tools": "no"}, "supports_tools", False),
        ({"supports_images": "yes"}, "supports_images", True),
        ({"supports_audio": "yes"}, "supports_audio", True),
        ({"supports_video": "no"}, "supports_video", False),
        ({"supports_browser": "yes"}, "supports_browser", True),
        ({"supports_embeddings": "no"}, "supports_embeddings", False),
        ({"supports_instruct": "yes"}, "supports_instruct", True),
        ({"supports_reasoning": "yes"}, "supports_reasoning", True),
        ({"tokenizer": "GPT"}, "tokenizer", "GPT"),
        ({"instruct_type": "chatml"}, "instruct_type", "chatml"),
        ({"input_modalities_0": ["text"]}, "input_modalities", ["text"]),
        ({"input_modalities_0": [], "input_modalities_1": "smell, touch"}, "input_modalities", ["smell", "touch"]),
        ({"input_modalities_0": []}, "input_modalities", []),
        ({"output_modalities_0": ["embeddings"]}, "output_modalities", ["embeddings"]),
        ({"extras": '{"zero": 0, "empty": "", "none": null}'}, "extras", {"zero": 0, "empty": "", "none": None}),
        ({"extras": ""}, "extras", {}),
        ({"supported_parameters_names": "seed\n", "supported_parameters_default": '{"seed": 0}'},
         "supported_parameters", {"names": ["seed"], "default": {"seed": 0}}),
        ({"supported_parameters_names": "", "supported_parameters_default": ""}, "supported_parameters", {}),
        ({"reasoning_levels_effort": ["none", ""], "reasoning_levels_description": ["Off.", ""]},
         "reasoning_levels", [{"effort": "none", "description": "Off."}]),
        ({"reasoning_levels_effort": [""], "reasoning_levels_description": [""]}, "reasoning_levels", []),
        ({"released_at_0": "", "released_at_1": ""}, "released_at", None),
        ({"knowledge_cutoff": "2026-02-28"}, "knowledge_cutoff", date(2026, 2, 28)),
        ({"priority": "0"}, "priority", 0),
        ({"priority": "-5"}, "priority", -5),
        ({"recommendation_note": "Try it."}, "recommendation_note", "Try it."),
    ],
    ids=str,
)  # fmt: skip
def test_each_field_can_be_set_cleared_stored_empty_and_zero(model, open_form, save, sent, field, value):
    if sent == {"priority": "0"}:
        AIModel.objects.filter(pk=model.pk).update(priority=7)
    response = save(model, {k: v for k, v in {**open_form(model), **sent}.items() if v is not None})
    assert response.status_code == 302, errors_of(response)
    assert getattr(model, field) == value
    assert FieldChange.objects.get().field == field
    assert model.pinned_fields == ([field] if field in entries.SYNCED_FIELDS else [])
    assert model.manually_updated


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        *(({"context_length": text}, "context_length") for text in (
            "-1", "0", "1.5", "true", "128k", "NaN", "1e999", "2147483648", "9" * 20, "9" * 5000)),
        *(({"extras": text}, "extras") for text in (
            "{", "[]", '{"a":NaN}', '{"a":1e999}', r'{"a":"\u0000"}', r'{"a":"\ud800"}', r'{"\ud800":1}',
            '{"a":1,"a":2}',
            '{"a":' * 100_000, '{"a":' * 101 + "1" + "}" * 101, json.dumps({str(n): n for n in range(1001)}),
            '{"a": ' + "9" * 5000 + "}", '"text"', "null")),
        ({"name": ""}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"family": "x" * 129}, "family"),
        ({"description": "x" * 20_001}, "description"),
        ({"supports_tools": "perhaps"}, "supports_tools"),
        ({"input_modalities_1": "x" * 65}, "input_modalities"),
        ({"input_modalities_0": ["smell"]}, "input_modalities"),
        ({"supported_parameters_default": "[1]"}, "supported_parameters"),
        ({"supported_parameters_default": "{"}, "supported_parameters"),
        ({"reasoning_levels_effort": [""], "reasoning_levels_description": ["Nameless."]}, "reasoning_levels"),
        ({"requires_feature_flag": "no_such_flag"}, "requires_feature_flag"),
        ({"tags": "x" * 65}, "tags"),
        ({"priority": "2147483648"}, "priority"),
        ({"retires_at": "2026-02-30"}, "retires_at"),
        ({"retires_at": "\u0662\u0660\u0662\u0666-02-28"}, "retires_at"),
        ({"released_at_1": "0\u0663:00"}, "released_at"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_a_wrong_value_is_refused_at_its_field_and_nothing_is_written(model, open_form, save, sent, field):
    before = AIModel.objects.values().get(pk=model.pk)
    response = save(model, {**open_form(model), **sent})
    assert list(errors_of(response)) == [field]
    assert AIModel.objects.values().get(pk=model.pk) == before


def test_extras_of_32_levels_are_stored(model, open_form, save):
    assert save(model, open_form(model), extras='{"a":' * 32 + "1" + "}" * 32).status_code == 302


def test_json_that_python_takes_for_equal_is_still_a_change(model, open_form, save):
    save(model, open_form(model), extras=json.dumps({"a": True, "nested": {"b": [1.5, None, True]}}))
    assert model.extras["a"] is True
    assert model.pinned_fields == ["extras"]


def test_tags_are_words_and_kept_in_history(model, open_form, save):
    Tag.named(["Vision"])
    save(model, open_form(model), tags="fast\r\nvision\r\n")
    assert sorted(tag.name for tag in model.tags.all()) == ["Vision", "fast"]
    change = FieldChange.objects.get()
    assert (change.field, change.old, change.new) == ("tags", ["Cheap", "fast"], ["Vision", "fast"])


def test_a_form_opened_before_a_sync_and_saved_after_it_overwrites_nothing(model, open_form, save):
    form = open_form(model)
    AIModel.objects.filter(pk=model.pk).update(context_length=16384, description="From the sync.")
    save(model, form, name="Ours")
    assert (model.name, model.context_length, model.description) == ("Ours", 16384, "From the sync.")
    assert model.pinned_fields == ["name"]


def test_what_a_person_typed_while_a_sync_ran_stands_and_is_pinned(model, open_form, save):
    form = open_form(model)
    AIModel.objects.filter(pk=model.pk).update(description="From the sync.")
    save(model, form, description="Typed meanwhile.")
    assert (model.description, model.pinned_fields) == ("Typed meanwhile.", ["description"])


def test_of_two_staff_editing_different_fields_both_are_kept_and_the_second_is_told(
    desk, model, open_form, save, make_user, ops
):
    second = make_user("sam", is_staff=True, is_superuser=True)
    first_form, second_form = open_form(model), open_form(model, by=second)
    save(model, first_form, family="by-ops")
    save(model, second_form, by=second, name="By Sam")
    assert (model.family, model.name) == ("by-ops", "By Sam")
    page = desk(second).get(url(model)).content.decode()
    assert "family" in page


def test_of_two_staff_editing_one_field_the_second_is_shown_the_other_value_before_it_is_replaced(
    model, open_form, save, make_user
):
    second = make_user("sam", is_staff=True, is_superuser=True)
    first_form, second_form = open_form(model), open_form(model, by=second)
    save(model, first_form, name="By ops")
    refused = save(model, second_form, by=second, name="By Sam")
    assert "ops set this to" in str(errors_of(refused)["name"])
    assert "By ops" in str(errors_of(refused)["name"])
    assert model.name == "By ops"
    again = fields_of(refused.content.decode(), "aimodel_form")
    assert again["name"] == "By Sam"
    assert save(model, again, by=second).status_code == 302
    assert model.name == "By Sam"
    assert [(row.old, row.new) for row in FieldChange.objects.order_by("pk")][-1] == ("By ops", "By Sam")


def test_a_pinned_field_shows_both_values_and_is_released_by_one_click(desk, ops, model, open_form, save, release):
    save(model, open_form(model), description="Ours.")
    page = desk(ops).get(url(model)).content.decode()
    assert "Pinned by hand: description." in page
    assert "Upstream&#x27;s words." in page
    assert 'value="description" class="release"' in page
    assert release(model, open_form(model), "description").status_code == 302
    assert (model.description, model.pinned_fields) == (SAID["value"], [])


def test_a_release_leads_back_to_its_field_and_says_the_value_that_it_took(desk, ops, model, open_form, save, release):
    save(model, open_form(model), description="Ours.")
    answer = release(model, open_form(model), "description")
    assert answer["Location"] == f"{url(model)}#from-description"
    save(model, open_form(model), description="Ours again.")
    stale = {**open_form(model), "_seal": "of another page"}
    assert release(model, stale, "description")["Location"] == url(model)
    release(model, open_form(model), "description")
    page = desk(ops).get(url(model)).content.decode()
    assert "Handed back to sync: description (now Upstream&#x27;s words.)." in page
    assert 'id="from-description"' in page


def test_each_section_is_reached_by_one_click_and_who_may_use_it_stands_in_one(desk, ops, model, alice):
    model.grants.create(principal_type="user", user=alice, permission="read")
    page = desk(ops).get(url(model)).content.decode()
    menu = page.partition('<nav class="sections"')[2].partition("</nav>")[0]
    places = re.findall(r'href="#([^"]*)">([^<]*)<', menu)
    assert [name for _, name in places][:3] == ["Who may use it", "We decide", "What it is"]
    assert all(f'id="{place}"' in page for place, _ in places)
    section = page.partition(">Who may use it</h2>")[2].partition("</fieldset>")[0]
    for name in ("active", "hidden", "requires_feature_flag", "restricted"):
        assert f'name="{name}"' in section
    assert "<li>alice" in section
    assert "grants" not in page.partition(">We decide</h2>")[2].partition("</fieldset>")[0].lower()


def test_releasing_the_whole_entry_clears_its_mark_and_freeze(model, open_form, save, release):
    save(model, open_form(model), description="Ours.", frozen="on")
    assert model.frozen
    release(model, open_form(model), "*")
    assert (model.pinned_fields, model.manually_updated, model.frozen) == ([], False, False)


def test_a_field_that_is_not_pinned_cannot_be_released(model, open_form, release):
    release(model, open_form(model), "name")
    assert not FieldChange.objects.exists()


def test_releasing_throws_no_unsaved_edit_away(model, open_form, save, release):
    save(model, open_form(model), description="Ours.")
    refused = release(model, {**open_form(model), "name": "Typed and not saved", "family": "new"}, "description")
    assert "changes that are not saved yet (name, family)" in str(errors_of(refused))
    assert fields_of(refused.content.decode(), "aimodel_form")["name"] == "Typed and not saved"
    assert (model.description, model.pinned_fields, model.name) == ("Ours.", ["description"], "large")


@pytest.mark.parametrize("field", ["description", "*"])
def test_a_release_takes_what_the_page_showed_and_nothing_newer(desk, ops, model, open_form, save, release, field):
    save(model, open_form(model), description="Ours.")
    form = open_form(model)
    said = {**SAID, "value": "Something else by now."}
    AIModel.objects.filter(pk=model.pk).update(upstream={"description": said})
    release(model, form, field)
    assert (model.description, model.pinned_fields) == ("Ours.", ["description"])
    assert "would not do what you were shown" in desk(ops).get(url(model)).content.decode()
    release(model, open_form(model), field)
    assert (model.description, model.pinned_fields) == ("Something else by now.", [])


def test_the_return_key_saves_and_does_not_release(desk, ops, model, open_form, save):
    save(model, open_form(model), description="Ours.")
    page = desk(ops).get(url(model)).content.decode()
    assert page.index('name="_save"') < page.index('name="_release"')


def test_each_synced_field_tells_its_source_and_age(desk, ops, model):
    assert "From openrouter, since 2026-11-01" in desk(ops).get(url(model)).content.decode()


def test_an_entry_added_by_hand_is_pinned_where_it_says_something(desk, ops):
    form = fields_of(desk(ops).get("/admin/catalog/aimodel/add/").content.decode(), "aimodel_form")
    sent = {**form, "model_id": "acme/new", "name": "New", "supports_tools": "yes", "tags": "fast", "_save": "Save"}
    assert desk(ops).post("/admin/catalog/aimodel/add/", sent).status_code == 302
    made = AIModel.objects.get(model_id="acme/new")
    assert made.pinned_fields == ["name", "supports_tools"]
    assert (made.author, made.manually_updated, made.is_available) == ("acme", True, False)
    assert FieldChange.objects.filter(field="created", actor="ops").exists()


@pytest.mark.parametrize("model_id", ["a b", "a\u200bb", "", "x" * 256, "acme/large"])
def test_an_id_that_is_none_or_taken_is_refused(desk, ops, model, model_id):
    form = fields_of(desk(ops).get("/admin/catalog/aimodel/add/").content.decode(), "aimodel_form")
    sent = {**form, "model_id": model_id, "name": "New"}
    response = desk(ops).post("/admin/catalog/aimodel/add/", sent)
    assert list(errors_of(response)) == ["model_id"]


def test_a_catalog_entry_cannot_be_deleted(desk, ops, model):
    assert desk(ops).get(f"/admin/catalog/aimodel/{model.pk}/delete/").status_code == 403
    assert desk(ops).post(f"/admin/catalog/aimodel/{model.pk}/delete/", {"post": "yes"}).status_code == 403


def test_only_an_existing_flag_can_be_required_and_a_required_one_is_kept(desk, ops, model, open_form, save, hold_flag):
    flag = hold_flag("beta")
    save(model, open_form(model), requires_feature_flag="beta")
    assert model.requires_feature_flag == "beta"
    page = desk(ops).post(f"/admin/waffle/flag/{flag.pk}/delete/", {"post": "yes"})
    assert "acme/large" in page.content.decode()
    flag.refresh_from_db()
    form = fields_of(desk(ops).get(f"/admin/waffle/flag/{flag.pk}/change/").content.decode(), "flag_form")
    refused = desk(ops).post(f"/admin/waffle/flag/{flag.pk}/change/", {**form, "name": "alpha"})
    assert list(errors_of(refused)) == ["name"]


def test_always_available_holds_at_once(model, open_form, save):
    AIModel.objects.filter(pk=model.pk).update(is_available=False)
    save(model, open_form(model), always_available="on")
    assert model.is_available
    save(model, {k: v for k, v in open_form(model).items() if k != "always_available"})
    assert not model.is_available


@pytest.mark.parametrize(
    "opened",
    [
        '{"at": "x"}',
        '{"at": Infinity, "values": {}}',
        '{"at": 1, "values": []}',
        *(
            json.dumps({"at": 1, "values": {name: value}})
            for name in ("tags", "input_modalities", "reasoning_levels", "supported_parameters", "extras", "priority")
            for value in (5, [5], {"a": 5}, [[]])
        ),
    ],
)
def test_a_damaged_form_is_refused_or_harmless(model, open_form, save, opened):
    response = save(model, {**open_form(model), "opened": opened})
    assert response.status_code == 302 or "damaged" in str(errors_of(response))


def test_edits_by_others_in_between_are_not_taken_for_ones_own(model, open_form, save):
    form = open_form(model)
    entries.edit(model, {"family": "by-command"}, Author.person(None, "command line"))
    save(model, form, name="Ours")
    assert FieldChange.objects.filter(actor="ops").values_list("field", flat=True).get() == "name"


@pytest.mark.parametrize(("model_id", "told"), [("acme/large:free", "of acme/large: Free of charge"), ("acme/x", "")])
def test_an_entrys_page_says_what_variant_it_is(desk, ops, make_model, model_id, told):
    page = desk(ops).get(url(make_model(model_id))).content.decode()
    assert told in page
    assert ("The form “" in page) is bool(told)
