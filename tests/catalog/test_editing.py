"""catalog/editing/entries.py and bulk.py: changes of AI models by hand, with their pins and their history."""

import threading
from contextlib import suppress

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection

from catalog.editing.entries import edit, release
from catalog.editing.history import Author
from catalog.models import AIModel, CatalogVersion, FieldChange

pytestmark = pytest.mark.django_db


def test_of_the_values_sent_only_those_that_differ_are_pinned_and_told(make_model, ops):
    model = make_model("acme/large", name="Large", context_length=4096)
    changed = edit(model, {"name": "Large", "context_length": 8192, "hidden": True}, Author.person(ops))
    assert changed == ["context_length", "hidden"]
    assert (model.pinned_fields, model.manually_updated) == (["context_length"], True)
    rows = FieldChange.objects.filter(model=model).order_by("field").values_list("field", "old", "new", "actor")
    assert list(rows) == [("context_length", 4096, 8192, "ops"), ("hidden", False, True, "ops")]


def test_the_same_values_again_write_nothing(make_model, ops):
    model = make_model("acme/large", name="Large")
    before, version = model.updated_at, CatalogVersion.objects.current()
    assert edit(model, {"name": "Large"}, Author.person(ops)) == []
    assert (model.updated_at, model.manually_updated, model.pinned_fields) == (before, False, [])
    assert (CatalogVersion.objects.current(), FieldChange.objects.count()) == (version, 0)


def test_a_wrong_value_leaves_the_row_as_it_was(make_model, ops):
    model = make_model("acme/large", context_length=4096)
    with pytest.raises(ValidationError) as refused:
        edit(model, {"context_length": -1, "hidden": True}, Author.person(ops))
    assert "context_length" in refused.value.message_dict
    model.refresh_from_db()
    assert (model.context_length, model.hidden, model.pinned_fields) == (4096, False, [])


def test_released_fields_take_what_upstream_says_and_the_others_stay_pinned(make_model, ops):
    said = {"context_length": {"value": 1000, "source": "openrouter", "since": "2026-11-01T00:00:00+00:00"}}
    model = make_model("acme/large", context_length=1000, upstream=said)
    edit(model, {"context_length": 2000, "family": "ours"}, Author.person(ops))
    assert release(model, ["context_length"], Author.person(ops)) == ["context_length"]
    assert (model.context_length, model.pinned_fields, model.family) == (1000, ["family"], "ours")
    with pytest.raises(ValidationError, match="Not pinned"):
        release(model, ["context_length"], Author.person(ops))


# Who waits for SQLite's write lock waits a second at most, which a slow machine is over.
@pytest.mark.alone
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by", ["api", "admin"])
def test_of_two_models_that_are_built_on_each_other_at_once_one_is_refused(api, make_model, alice, monkeypatch, by):
    base = make_model("acme/base")
    models = [make_model(name, owner=alice, base_model=base) for name in ("one", "two")]
    check, both_checked, outcomes = AIModel._check_chain, threading.Barrier(2), []

    def slowly(model):
        check(model)
        with suppress(threading.BrokenBarrierError):
            both_checked.wait(0.2)

    def build(model, other, caller):
        try:
            if by == "api":
                answer = caller.patch(f"/api/models/custom/{model.model_id}", {"base_model_id": other.model_id})
                outcomes.append("base_model_id" in answer.json().get("errors", {}) or answer.status_code)
            else:
                edit(model, {"base_model": other}, Author.person(alice))
                outcomes.append(200)
        except ValidationError as refusal:
            outcomes.append("base_model" in refusal.message_dict)
        finally:
            connection.close()

    monkeypatch.setattr(AIModel, "_check_chain", slowly)
    pairs = [(*models, api.as_(alice)), (*reversed(models), api.as_(alice))]
    threads = [threading.Thread(target=build, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == [True, 200]
    assert AIModel.objects.filter(base_model=base).count() == 1


@pytest.mark.parametrize("sent", ["2026-02-28T12:00:00Z", "2026-02-28 12:00", "2026-02-28+01:00"])
def test_a_date_with_a_time_or_a_zone_is_refused_in_our_words(make_model, sent):
    make_model("acme/large")
    with pytest.raises(CommandError, match="without a time or zone: write it as"):
        call_command("edit_model", "acme/large", "--set", f"retires_at={sent}")
