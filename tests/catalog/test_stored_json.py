"""catalog/db/fields.py and catalog/db/unreadable.py: no stored JSON, whoever wrote it, breaks a read."""

import json
import logging

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.urls import reverse

from catalog.access.viewers import Viewer
from catalog.api.serializers import item_bytes
from catalog.api.snapshot import snapshot
from catalog.db.fields import StoredJSON
from catalog.editing import custom_models
from catalog.models import AIModel, FieldChange
from catalog.validation import strict_json
from providers.models import Provider, ProviderCopy, ProviderModel
from tests.admin_forms import fields_of

pytestmark = pytest.mark.django_db

# As typed. Neither database refuses them, but PostgreSQL returns each as an integer of more than 64 bits.
TOO_BIG = ["1e200", "1.9e19", "-1e200", "9223372036854775808", "1" + "0" * 200]
FIELDS = [
    (model, field.attname)
    for model in (AIModel, ProviderModel, ProviderCopy)
    for field in model._meta.local_concrete_fields
    if isinstance(field, models.JSONField)
]
# As deep as SQLite takes, and deeper than the parser goes.
NESTED = "[" * 990 + "]" * 990
WRITTEN_BEHIND_OUR_BACK = {
    "a large number": '{"x": 1e200, "capabilities": {"x": 1e200}, "prompt": 1e200}',
    "a number of 5000 digits": '{"x": %s}' % ("9" * 5000),
    "deep": NESTED,
    "less deep": '{"x": %s}' % ("[" * 400 + "]" * 400),
    "a number": "5",
    "text": '"text"',
    "null": "null",
    "a list of numbers": "[1, 1e200]",
    "a list of lists": "[[[]]]",
    "an object of lists": '{"prompt": [1], "names": 5, "default": 7, "capabilities": [], "overrides": 5}',
}
if connection.vendor == "sqlite":
    # PostgreSQL refuses it.
    WRITTEN_BEHIND_OUR_BACK["half a character"] = '{"x": "\\ud800", "capabilities": {"x": "\\ud800"}}'


def overwrite(row, field, text):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {row._meta.db_table} SET {field} = %s WHERE id = %s", [text, row.pk])  # noqa: S608


# Where numbers come in.


@pytest.mark.parametrize("number", TOO_BIG)
@pytest.mark.parametrize("body", ['"params": {"a": %s}', '"meta": {"capabilities": {"x": [%s]}}'])
def test_a_custom_model_with_a_number_beyond_64_bits_is_400_and_nothing_is_written(
    api, alice, make_model, body, number
):
    make_model("acme/large")
    text = f'{{"id": "mine", "name": "Mine", "base_model_id": "acme/large", {body % number}}}'
    caller = api.as_(alice)
    answer = caller.post("/api/models/custom", text, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "too_big")
    assert not AIModel.objects.filter(model_id="mine").exists()
    assert caller.get("/api/models/list").status_code == 200


@pytest.mark.parametrize("number", TOO_BIG)
@pytest.mark.parametrize(
    ("field", "text"), [("extras", '{"a": %s}'), ("supported_parameters", '{"default": {"temperature": %s}}')]
)
def test_a_command_refuses_a_number_beyond_64_bits(make_model, field, text, number):
    model = make_model("acme/large")
    with pytest.raises(CommandError, match="64 bits"):
        call_command("edit_model", "acme/large", "--set", f"{field}={text % number}")
    assert getattr(AIModel.objects.get(pk=model.pk), field) == {}


@pytest.mark.parametrize("number", ["1e200", "9223372036854775808", "9" * 5000, "NaN"])
@pytest.mark.parametrize("kind", ["entry", "custom", "flags", "overrides"])
def test_a_form_of_the_admin_refuses_a_number_beyond_64_bits(desk, ops, alice, make_model, kind, number):
    model = make_model("acme/large")
    match kind:
        case "entry":
            row, field, form = model, "extras", "aimodel_form"
        case "custom":
            row, field, form = make_model("mine", owner=alice, base_model=model), "params", "custommodel_form"
        case _:
            provider = Provider.objects.create(slug="acme", name="Acme", kind="compatible")
            row = ProviderModel.objects.create(provider=provider, upstream_id="large", listing="models", model=model)
            field, form = kind, "providermodel_form"
    page = reverse(f"admin:{'catalog' if isinstance(row, AIModel) else 'providers'}_{form[:-5]}_change", args=[row.pk])
    browser = desk(ops)
    data = fields_of(browser.get(page).content.decode(), form)
    text = f'[{{"prompt": "1", "min_prompt_tokens": {number}}}]' if kind == "overrides" else f'{{"a": {number}}}'
    answer = browser.post(page, data | {field: text})
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors.keys() == {field}
    assert not FieldChange.objects.filter(field__in=["extras", "params", "flags", "pricing"]).exists()


@pytest.mark.parametrize("text", ["9223372036854775807", "-9223372036854775808", "9.2e18", '"1e200"', "5e-324"])
def test_what_fits_64_bits_or_is_text_is_taken(text):
    assert strict_json.parse(text) == json.loads(text)


def test_the_same_numbers_are_answered_from_both_databases(api, alice, make_model):
    make_model("acme/large")
    sent = "[1, 1.0, 1.5, -0.0, 1e15, 1e16, 1.5e17, 9.2e18, 1e-7, 5e-324, 0.1, true, 9223372036854775807]"
    body = f'{{"id": "mine", "name": "Mine", "base_model_id": "acme/large", "params": {{"a": {sent}}}}}'
    caller = api.as_(alice)
    answer = caller.post("/api/models/custom", body, content_type="application/json")
    numbers = [1, 1.0, 1.5, 0.0, 1e15, 10**16, 150000000000000000, 9200000000000000000, 1e-7, 5e-324, 0.1, True]
    expected = [repr(number) for number in [*numbers, 9223372036854775807]]
    assert answer.status_code == 201, answer.content
    for found in (answer, caller.get("/api/models/mine")):
        assert [repr(number) for number in found.json()["params"]["a"]] == expected


# What was written by other means.


@pytest.fixture
def rows(make_model, alice):
    """For each JSON column a row to damage in it, and sound neighbours; `mine` is built on a sound one."""
    provider = Provider.objects.create(slug="openai", name="OpenAI", kind="openai")
    sound = make_model("openai/sound", pricing={"prompt": "1"}, tags=["fast"], reasoning_levels=[{"effort": "low"}])
    make_model("mine", owner=alice, base_model=sound)
    ProviderModel.objects.create(provider=provider, upstream_id="sound", listing="models", model=sound)
    found = {}
    for model, field in FIELDS:
        if model is AIModel:
            found[model, field] = make_model(f"openai/{field}", tags=["fast"])
        elif model is ProviderModel:
            found[model, field] = model.objects.create(
                provider=provider, upstream_id=field, listing="models", model=make_model(f"openai/offer-{field}")
            )
    shown = {"provider": "OpenAI", "context": 1, "dimensions": None, "pricing": {}}
    items = [{"id": name, "model_id": f"openai/{name}", "name": name, **shown} for name in ("sound", "pricing")]
    found[ProviderCopy, "items"] = ProviderCopy.objects.create(provider=provider, listing="models", items=items)
    return found


def damage(rows, text):
    for (_, field), row in rows.items():
        overwrite(row, field, text)
    snapshot.clear()


@pytest.fixture
def caller(api, alice, ops, make_key):
    return api.with_key(make_key(alice).token)


LISTS = ["/api/models", "/api/models?format=cli", "/api/models/list", "/v1/models"]
OTHERS = [
    "/api/models/list?query=sound",
    "/api/models/list?tag=fast&order_by=price",
    "/api/models/tags",
    "/api/models/openai/sound",
    "/api/models/custom/mine",
    "/v1/models/openai%2Fsound",
    "/api/models/openai",
    "/api/models/openrouter",
    "/api/settings",
]
DESK = [
    "/admin/",
    "/admin/catalog/aimodel/",
    "/admin/catalog/custommodel/",
    "/admin/catalog/fieldchange/",
    "/admin/providers/providermodel/",
    "/admin/providers/providermodel/conflicts",
    "/admin/providers/syncrun/",
]


@pytest.mark.parametrize("text", WRITTEN_BEHIND_OUR_BACK.values(), ids=WRITTEN_BEHIND_OUR_BACK)
def test_no_stored_value_breaks_an_answer_that_others_get(caller, rows, text):
    damage(rows, text)
    for path in (*LISTS, *OTHERS):
        answer = caller.get(path)
        assert answer.status_code == 200, (path, answer.content)
        assert path not in LISTS or b"openai/sound" in answer.content, path
    for model, field in FIELDS:
        for path in (f"/api/models/openai/{field}", f"/v1/models/openai%2F{field}"):
            assert model is not AIModel or caller.get(path).status_code in (200, 404), path


@pytest.mark.parametrize("text", WRITTEN_BEHIND_OUR_BACK.values(), ids=WRITTEN_BEHIND_OUR_BACK)
def test_the_admin_shows_what_has_to_be_repaired(desk, ops, rows, text):
    damage(rows, text)
    browser = desk(ops)
    browser.raise_request_exception = False
    forms = [
        reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        for row in rows.values()
        if not isinstance(row, ProviderCopy)
    ]
    assert {path: status for path in (*DESK, *forms) if (status := browser.get(path).status_code) != 200} == {}


@pytest.mark.parametrize("field", ["input_modalities", "pricing", "reasoning_levels", "supported_parameters"])
def test_a_row_that_cannot_be_rendered_is_left_out_and_named_in_the_log(caller, rows, caplog, field):
    overwrite(rows[AIModel, field], field, "5")
    snapshot.clear()
    with caplog.at_level(logging.ERROR, "modeldex.catalog"):
        answer = caller.get("/v1/models").json()
    ids = [row["id"] for row in answer["data"]]
    assert "openai/sound" in ids
    assert f"openai/{field}" not in ids
    assert caller.get(f"/v1/models/openai%2F{field}").status_code == 404
    assert caller.get("/api/settings").json()["default_model"] == "mine"
    assert f"openai/{field} is left out" in caplog.text


@pytest.mark.parametrize("known", [False, True])
def test_a_selection_read_after_the_models_leaves_the_same_row_out(api, bob, make_key, caller, rows, known):
    overwrite(rows[AIModel, "pricing"], "pricing", "5")
    snapshot.clear()
    caller.get("/v1/models")
    later = caller if known else api.with_key(make_key(bob).token)
    for path in LISTS:
        assert b"openai/pricing" not in later.get(path).content


def test_one_damaged_row_does_not_stop_the_writes_of_others(rows):
    overwrite(rows[AIModel, "input_modalities"], "input_modalities", "[1]")
    AIModel.objects.update(family="new")
    assert set(AIModel.objects.filter(kind="catalog").values_list("family", flat=True)) == {"new"}


def test_a_policy_that_cannot_be_read_allows_nothing(api, alice, make_model, make_key):
    make_model("acme/large")
    issued = make_key(alice, deny=["acme/small"])
    caller = api.with_key(issued.token)
    assert len(caller.get("/v1/models").json()["data"]) == 1
    for text in ("5", "[5]", '{"a": 1e200}', NESTED):
        overwrite(issued.key, "patterns", text)
        assert caller.get("/v1/models").json()["data"] == []


@pytest.mark.parametrize("method", ["post", "patch", "put"])
def test_what_cannot_be_answered_is_not_written(api, alice, make_model, monkeypatch, method):
    base = make_model("acme/large")
    make_model("mine", owner=alice, base_model=base, name="Before")
    path, body = {
        "post": ("", {"id": "another", "name": "After", "base_model_id": "acme/large"}),
        "patch": ("/mine", {"name": "After"}),
        "put": ("/mine/access", {"access_grants": [{"principal_type": "everyone", "permission": "read"}]}),
    }[method]
    before = list(AIModel.objects.values("model_id", "name", "restricted"))
    monkeypatch.setattr(item_bytes._ITEM, "to_representation", lambda _: {"x": 2**70})
    answer = getattr(api.as_(alice), method)(f"/api/models/custom{path}", body)
    assert answer.status_code == 500
    assert list(AIModel.objects.values("model_id", "name", "restricted")) == before
    assert not FieldChange.objects.exists()


def test_every_json_column_of_ours_reads_alike_on_both_databases():
    columns = [
        field
        for app in ("catalog", "providers", "apikeys", "preferences")
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, models.JSONField)
    ]
    assert {type(field) for field in columns} == {StoredJSON}


def test_a_custom_model_is_held_to_the_same_whoever_makes_it(alice, make_model):
    make_model("acme/large")
    viewer = Viewer(user_id=alice.pk)
    sent = {"id": "mine", "name": "Mine", "base_model_id": "acme/large", "params": {"a": 1e200}}
    with pytest.raises(ValidationError, match="64 bits"):
        custom_models.create(viewer, custom_models.Author.person(alice), sent)
