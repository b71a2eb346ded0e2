"""Migrations work backwards and forwards on a database that holds data, and agree with the models."""

import time
from collections.abc import Callable
from datetime import date
from itertools import pairwise

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import QuerySet

from apikeys.models import ApiKey, ExportToken, RequestCount
from catalog.editing.entries import edit
from catalog.editing.history import Author, audit
from catalog.fields import DERIVED_FIELDS, INHERITED_FIELDS, SYNCED_FIELDS
from catalog.models import AIModel, AuditEntry, SentForm
from catalog.pricing import prompt_per_million
from preferences.models import DefaultModel, ModelPreference, Profile
from providers.models import Provider, ProviderCopy, ProviderModel, SyncRun
from tests.worlds import IS_LONG

OURS = ("apikeys", "preferences", "providers", "catalog")


def migrate(app: str, name: str) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([(app, None if name == "zero" else name)])


def to_head() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.fixture
def filled(transactional_db, make_user, make_model) -> None:
    """A row of every kind of ours."""
    alice, group = make_user("alice", groups=["research"]), Group.objects.get(name="research")
    model = make_model("acme/large", tags=["fast"], granted_to=[alice, group])
    custom = make_model("mine", owner=alice, base_model=model)
    edit(model, {"description": "By hand."}, Author.person(alice))
    audit(Author.person(alice), model, "granted", {"grants": [[], ["alice"]]})
    custom_image = apps.get_model("catalog", "ModelImage")
    custom_image.objects.create(model=custom, content_type="image/png", data=b"\x89PNG", digest="0")
    provider = Provider.objects.create(slug="acme", name="Acme", kind="compatible")
    ProviderModel.objects.create(provider=provider, upstream_id="large", listing="language", model=model)
    ProviderCopy.objects.create(provider=provider, listing="language")
    SyncRun.objects.create(provider=provider)
    key = ApiKey.objects.create(key_id="k", user=alice, name="n", hint="h", secret_hash="x", pepper_id="p")
    ExportToken.objects.create(key=key, export_id="e", name="n", hint="h", token_hash="x", pepper_id="p")
    RequestCount.objects.create(key=key, minute_started=0, minute_count=1, day_started=0, day_count=1)
    Profile.objects.create(user=alice, default_model=model)
    ModelPreference.objects.create(user=alice, model=model, is_enabled=False)
    DefaultModel.objects.create(group=group, model=model)
    SentForm.objects.create(key="k", made=str(model.pk), told="acme/large")


def rows() -> dict[str, int]:
    models = [model for app in OURS for model in apps.get_app_config(app).get_models() if not model._meta.proxy]
    return {model._meta.db_table: model._default_manager.count() for model in models}


@pytest.mark.usefixtures("filled")
def test_the_test_data_has_a_row_of_every_kind():
    assert [table for table, count in rows().items() if not count] == []


@pytest.mark.usefixtures("filled")
def test_every_app_goes_to_zero_and_back_with_data(make_model: Callable[..., AIModel]):
    try:
        for app in OURS:
            migrate(app, "zero")
        assert "catalog_aimodel" not in connection.introspection.table_names()
    finally:
        to_head()
    assert set(rows().values()) == {0}
    assert make_model("acme/again").pk


def counts() -> dict[str, int]:
    """Of the tables that are there now."""
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name.startswith(OURS)]
        return {name: cursor.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}  # noqa: S608


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("app", OURS)
def test_each_later_migration_goes_back_one_and_forward_without_losing_a_row(app):
    names = sorted(name for owner, name in MigrationExecutor(connection).loader.graph.nodes if owner == app)
    try:
        for later, earlier in pairwise(reversed(names)):
            migrate(app, later)
            before = counts()
            migrate(app, earlier)
            kept = counts()
            migrate(app, later)
            after = counts()
            # A table that the earlier state did not have comes back empty.
            assert {table: after[table] for table in kept if table in before} == {
                table: count for table, count in before.items() if table in kept
            }, later
    finally:
        to_head()


def test_the_way_back_ends_the_keys_of_groups_and_keeps_those_of_users(
    transactional_db, api, alice, make_key, make_export
):
    of_group, of_alice = make_key(Group.objects.create(name="research")), make_key(alice)
    make_export(of_group.key)
    try:
        migrate("apikeys", "0003_exports")
    finally:
        to_head()
    assert [key.user for key in ApiKey.objects.all()] == [alice]
    assert not ExportToken.objects.exists()
    found = {
        name: api.with_key(key.token).get("/v1/models") for name, key in (("group", of_group), ("alice", of_alice))
    }
    assert {name: answer.status_code for name, answer in found.items()} == {"group": 401, "alice": 200}
    assert AuditEntry.objects.filter(subject_id=str(of_group.key.pk), action="create").exists()


@pytest.fixture
def before_tasks(transactional_db, make_user):
    """The models of the state before 0006_task, with the words and prices that were derived then."""
    migrate("catalog", "0005_custom_index")
    rows = MigrationExecutor(connection).loader.project_state([("catalog", "0005_custom_index")]).apps
    model = rows.get_model("catalog", "AIModel")
    owner = rows.get_model("auth", "User").objects.get(pk=make_user("alice").pk)

    def make(model_id, **fields):
        fields = {"name": model_id, "facets": "\ncapability:chat\n\nby:acme\n", "offered_by": ["acme"], **fields}
        return model.objects.create(model_id=model_id, **fields)

    whisper = make("openai/whisper-1")
    ears = make("ears", kind="custom", owner=owner, base_model=whisper)
    make("better-ears", kind="custom", owner=owner, base_model=ears)
    make("tts-of-nobody", kind="custom", owner=owner)
    words = "\ncapability:chat\n\ncapability:tools\n\nby:acme\n"
    make("acme/large", supports_tools=True, facets=words)
    make("acme/by-request", pricing={"prompt": "0", "completion": "0", "request": "0.01"}, prompt_price=0.0)
    yield model
    to_head()


def derived_values() -> dict[str, tuple[str, str, float | None]]:
    return {row.model_id: (row.task, row.facets, row.prompt_price) for row in AIModel.objects.all()}


def test_stored_models_get_the_words_and_prices_of_models_saved_anew(before_tasks):
    to_head()
    migrated = derived_values()
    for row in AIModel.objects.order_by("pk"):
        row.prompt_price = prompt_per_million(row.pricing)
        row.save()
    assert derived_values() == migrated
    assert {model_id: row.capabilities for model_id, row in AIModel.objects.in_bulk(field_name="model_id").items()} == {
        "openai/whisper-1": ["transcription"],
        "ears": ["transcription"],
        "better-ears": ["transcription"],
        "tts-of-nobody": ["chat"],
        "acme/large": ["chat", "tools"],
        "acme/by-request": ["chat"],
    }
    assert migrated["acme/by-request"][2] is None


def test_what_the_rules_came_to_know_later_is_derived_again(transactional_db, make_model):
    make_model("acme/pika-2.2")
    make_model("acme/m", pricing={"prompt": "0", "completion": "0", "image_output": "0.1"})
    QuerySet(AIModel).update(facets="\ncapability:chat\n", prompt_price=0)
    try:
        migrate("catalog", "0010_journal")
    finally:
        to_head()
    found = derived_values()
    assert ("capability:video_generation" in found["acme/pika-2.2"][1], found["acme/m"][2]) == (True, None)


def test_going_back_before_tasks_brings_the_former_words_and_prices(before_tasks):
    to_head()
    migrate("catalog", "0005_custom_index")
    facets = dict(before_tasks.objects.values_list("model_id", "facets"))
    assert facets["openai/whisper-1"] == facets["better-ears"] == "\ncapability:chat\n\nby:acme\n"
    assert facets["acme/large"] == "\ncapability:chat\n\ncapability:tools\n\nby:acme\n"
    assert before_tasks.objects.get(model_id="acme/by-request").prompt_price == 0


def blank(field):
    """What an earlier release left in a column that it did not write."""
    return None if field.null else field.get_default()


@pytest.fixture
def upgraded(transactional_db, make_user, make_model) -> None:
    """A catalog whose derived fields are all empty, taken to the first migration and from there to the last."""
    alice = make_user("alice", first_name="Alice", last_name="Adams")
    base = make_model(
        "acme/Große", name="Große", family="Größe", input_modalities=["text", "image"], output_modalities=["text"],
        offered_by=["openrouter"], pricing={"prompt": "1"}, prompt_price=1e6, context_length=8192, tokenizer="T",
        max_output_tokens=10, embedding_dimensions=3, instruct_type="i", default_verbosity="low", is_moderated=True,
        reasoning_levels=[{"effort": "low"}], default_reasoning_level="low", minimal_client_version="1",
        supported_parameters={"names": ["tools"]}, retires_at=date(2030, 1, 1), knowledge_cutoff=date(2026, 1, 1),
        prefer_websockets=True, supported_in_api=False, alias_of="acme/other",
        **{name: True for name in SYNCED_FIELDS if name.startswith("supports_")},
    )  # fmt: skip
    make_model("acme/other")
    mine = make_model("mine", owner=alice, base_model=base)
    make_model("upon-mine", owner=alice, base_model=mine, delegated=True)
    make_model("baseless", owner=alice)
    # Not by AIModel's own queryset, which would derive them.
    rows = QuerySet(AIModel)
    rows.filter(kind="custom").update(**{name: blank(AIModel._meta.get_field(name)) for name in INHERITED_FIELDS})
    rows.update(**{name: "" for name in DERIVED_FIELDS})
    try:
        migrate("catalog", "0001_initial")
    finally:
        to_head()


@pytest.mark.usefixtures("upgraded")
def test_a_migrated_row_equals_one_that_is_saved_anew():
    fields = [field.attname for field in AIModel._meta.concrete_fields]
    migrated = {row["model_id"]: row for row in AIModel.objects.values(*fields)}
    for row in AIModel.objects.order_by("kind", "pk"):
        row.save()
    saved = {row["model_id"]: row for row in AIModel.objects.values(*fields)}
    assert migrated == saved
    # Each rule says something of these rows, so that none was compared by two empty values.
    for name in (*DERIVED_FIELDS, *INHERITED_FIELDS):
        # One that staff have delegated is not judged with what its base model is an alias of.
        row = migrated["mine" if name == "alias_of" else "upon-mine"]
        # A column of a later migration was dropped on the way back.
        assert row[name] != blank(AIModel._meta.get_field(name)) or name in ("author", "deprecated_at"), name


@pytest.mark.usefixtures("upgraded")
def test_every_filter_finds_what_was_there_before_the_upgrade(api):
    caller = api.as_(get_user_model().objects.get(username="alice"))
    for query in ("capability=tools", "query=grosse", "input_modality=image", "family=grösse"):
        found = caller.get(f"/api/models/list?{query}").json()["items"]
        assert "acme/Große" in [item["id"] for item in found], query


@pytest.mark.django_db
def test_the_models_need_no_migration_that_is_not_there():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.fixture
def before_the_upgrade(transactional_db):
    """So many models, each with an offer and a change, as the first migrations had them."""
    number = 100_000 if IS_LONG else 10_000
    migrate("catalog", "0001_initial")
    executor = MigrationExecutor(connection)
    old = executor.loader.project_state([node for node in executor.loader.applied_migrations if node[0] in OURS]).apps
    model, offer = old.get_model("catalog", "AIModel"), old.get_model("providers", "ProviderModel")
    provider = old.get_model("providers", "Provider").objects.create(slug="acme", name="Acme", kind="compatible")
    rows = model.objects.bulk_create(
        [
            model(
                model_id=f"author{n % 200}/model-{n}", name=f"Model {n}", is_available=True, offered_by=["acme"],
                pricing={"prompt": "0.000001", "completion": "0"}, supports_tools=True, input_modalities=["text"],
            )
            for n in range(number)
        ],
        batch_size=2000,
    )  # fmt: skip
    offer.objects.bulk_create(
        [offer(provider=provider, upstream_id=row.model_id, listing="language", model=row) for row in rows],
        batch_size=2000,
    )
    change = old.get_model("catalog", "FieldChange")
    change.objects.bulk_create(
        [change(subject=row.model_id, field="name", old="", new=row.name) for row in rows], batch_size=2000
    )
    yield number
    to_head()


@pytest.mark.alone
def test_100000_models_are_upgraded_within_a_minute(before_the_upgrade):
    """With LONG_TESTS=1; else 10,000 within 20 seconds."""
    began = time.monotonic()
    to_head()
    took = time.monotonic() - began
    assert AIModel.objects.filter(facets__contains="capability:tools", prompt_price=1).count() == before_the_upgrade
    assert took < (60 if IS_LONG else 20)
