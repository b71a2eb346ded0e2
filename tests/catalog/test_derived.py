"""catalog/derived.py and catalog/signals.py: fields that follow from others do so after every way of writing."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.fields import DERIVED_FIELDS, INHERITED_FIELDS
from catalog.models import AIModel

pytestmark = pytest.mark.django_db


def derived(model_id: str) -> dict:
    return AIModel.objects.values(*DERIVED_FIELDS).get(model_id=model_id)


def save(model, **values):
    for name, value in values.items():
        setattr(model, name, value)
    model.save()


def save_some(model, **values):
    for name, value in values.items():
        setattr(model, name, value)
    model.save(update_fields=list(values))


def update(model, **values):
    AIModel.objects.filter(pk=model.pk).update(**values)


def update_many(model, **values):
    for name, value in values.items():
        setattr(model, name, value)
    AIModel.objects.bulk_update([model], list(values))


WRITES = [save, save_some, update, update_many]


def test_a_new_row_is_found_by_its_id_name_and_family(make_model):
    make_model("acme/Large", name="Größe", family="Big Ones", input_modalities=["text"], offered_by=["openrouter"])
    row = derived("acme/Large")
    assert row["author"] == "acme"
    assert row["search_text"].split("\n") == ["acme/large", "grosse", "big ones"]
    assert row["name_key"] == "grosse"
    assert row["facets"].split("\n\n")[1:] == ["input:text", "by:openrouter", "family:big ones\n"]


def test_a_bulk_creation_derives_too():
    AIModel.objects.bulk_create([AIModel(model_id="acme/a", name="Ärmel")])
    assert derived("acme/a")["name_key"] == "armel"


@pytest.mark.parametrize("write", WRITES)
def test_a_new_name_is_what_lists_sort_and_search_by(make_model, write):
    write(make_model("acme/large"), name="Ένα")
    row = derived("acme/large")
    assert (row["name_key"], row["search_text"]) == ("ενα", "acme/large\nενα\n")


@pytest.mark.parametrize("write", WRITES)
def test_a_custom_model_follows_its_base_model_through_every_level(make_model, alice, write):
    base = make_model("acme/large", context_length=10)
    middle = make_model("middle", base_model=base, owner=alice)
    make_model("top", base_model=middle, owner=alice)
    write(base, context_length=20, supports_tools=True, pricing={"prompt": "0.000001"})
    for name in ("middle", "top"):
        row = AIModel.objects.get(model_id=name)
        assert (row.context_length, row.supports_tools, row.pricing) == (20, True, {"prompt": "0.000001"})
        assert "\ncapability:tools\n" in row.facets


def test_what_is_inherited_is_all_of_the_base_models_facts(make_model, alice):
    base = make_model("acme/large", context_length=10, family="big", supports_tools=True, output_modalities=["text"])
    custom = make_model("mine", base_model=base, owner=alice)
    assert [getattr(custom, name) for name in INHERITED_FIELDS if name != "task"] == [
        getattr(base, name) for name in INHERITED_FIELDS if name != "task"
    ]
    # Where no source says it, the base model's name decides, which the custom model does not have.
    assert (base.task, custom.task) == ("", "chat")


def test_a_base_model_that_goes_leaves_its_custom_models_unavailable(make_model, alice):
    base = make_model("acme/large", is_available=True)
    make_model("mine", base_model=base, owner=alice)
    assert AIModel.objects.get(model_id="mine").is_available
    base.delete()
    custom = AIModel.objects.get(model_id="mine")
    assert (custom.base_model, custom.is_available) == (None, False)
    assert "acme/large" not in custom.search_text


def test_a_delegated_custom_model_is_not_found_by_its_base_models_id(make_model, alice):
    base = make_model("acme/secret")
    custom = make_model("mine", base_model=base, owner=alice)
    assert "acme/secret" in derived("mine")["search_text"]
    custom.delegated = True
    custom.save()
    assert "acme/secret" not in derived("mine")["search_text"]


def test_a_custom_model_is_found_by_its_owners_name_until_they_go(make_model, alice):
    make_model("mine", base_model=make_model("acme/large"), owner=alice)
    assert "alice adams" in derived("mine")["search_text"]
    alice.last_name = "Zander"
    alice.save()
    assert "alice zander" in derived("mine")["search_text"]
    alice.delete()
    assert "alice" not in derived("mine")["search_text"]


def test_a_sign_in_of_an_owner_reads_no_model(make_model, alice):
    make_model("mine", base_model=make_model("acme/large"), owner=alice)
    with CaptureQueriesContext(connection) as queries:
        alice.save(update_fields=["last_login"])
    assert len(queries) == 1


def test_a_write_that_nothing_follows_from_reads_no_model(make_model):
    model = make_model("acme/large")
    with CaptureQueriesContext(connection) as queries:
        AIModel.objects.filter(pk=model.pk).update(priority=5)
    # The keys for the journal, the rows, the version, and its entry.
    assert [query["sql"].split()[0] for query in queries] == ["SELECT", "UPDATE", "UPDATE", "INSERT"]
