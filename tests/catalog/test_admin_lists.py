"""catalog/admin/entries.py, bulk.py and filters.py: the list of models, filters, search, actions on many, and how little it asks the database."""

import time

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.editing import bulk, entries
from catalog.editing.history import Author
from catalog.models import AccessGrant, AIModel, FieldChange, Tag
from tests.admin_forms import fields_of

LIST = "/admin/catalog/aimodel/"


@pytest.fixture
def four(make_model, hold_flag):
    hold_flag("beta")
    return [
        make_model("acme/large", context_length=200_000, prompt_price=5.0, offered_by=["acme"], tags=["fast"],
                   input_modalities=["text", "image"], supports_images=True, rich_source=True),
        make_model("acme/small", context_length=8192, prompt_price=0.5, family="Älpler", supports_tools=True),
        make_model("other/embed", supports_embeddings=True, output_modalities=["embeddings"], is_available=False),
        make_model("bare", experimental=True, requires_feature_flag="beta", hidden=True, active=False,
                   pinned_fields=["name"], manually_updated=True),
    ]  # fmt: skip


def ids(response):
    assert response.status_code == 200, response
    return sorted(row.model_id for row in response.context["cl"].result_list)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("offered_by=acme", ["acme/large"]),
        ("offered_by=-", ["acme/small", "bare", "other/embed"]),
        ("author=acme", ["acme/large", "acme/small"]),
        ("author=-", ["bare"]),
        ("author=", ["acme/large", "acme/small", "bare", "other/embed"]),
        ("capability=vision", ["acme/large"]),
        ("capability=chat", ["acme/large", "acme/small", "bare"]),
        ("input=image", ["acme/large"]),
        ("output=embeddings", ["other/embed"]),
        ("input=-", ["acme/small", "bare", "other/embed"]),
        ("status=filled", ["acme/large"]),
        ("status=updated", ["bare"]),
        ("pinned=yes", ["bare"]),
        ("is_available=no", ["other/embed"]),
        ("active=no", ["bare"]),
        ("hidden=yes", ["bare"]),
        ("experimental=yes", ["bare"]),
        ("restricted=yes", []),
        ("flag=any", ["bare"]),
        ("flag=%3Dbeta", ["bare"]),
        ("tag=fast", ["acme/large"]),
        ("tag=-", ["acme/small", "bare", "other/embed"]),
        ("price_min=1", ["acme/large"]),
        ("price_min=0.5&price_max=1", ["acme/small"]),
        ("context_min=8193", ["acme/large"]),
        ("context_max=8192", ["acme/small"]),
        ("context_max=rubbish", []),
        ("price_min=NaN", []),
        ("q=LARGE", ["acme/large"]),
        ("q=alpler", ["acme/small"]),
        ("q=acme+small", ["acme/small"]),
        ("q=%25", []),
        ("author=acme&is_available=yes&q=large", ["acme/large"]),
    ],
)
def test_a_filter_finds_what_it_says(desk, ops, four, query, expected):
    assert ids(desk(ops).get(f"{LIST}?{query}")) == expected


def post(client, action, models=(), query="", **fields):
    chosen = {"_selected_action": [model.pk for model in models], "action": action, "index": "0"}
    return client.post(f"{LIST}{query}", chosen | fields)


def confirm(client, action, models=(), query="", **fields):
    """Previews, then confirms what was shown. Returns the preview and the answer to the confirmation."""
    page = post(client, action, models, query, _asked="1", **fields)
    shown = page.context["preview"]
    answer = post(client, action, models, query, _asked="1", _confirmed=shown.seal, **fields)
    return shown, answer


def test_an_action_first_shows_what_it_would_do_and_who_would_lose_sight(desk, ops, four, alice, make_key):
    make_key(alice)
    page = post(desk(ops), "deactivate", four)
    assert AIModel.objects.filter(active=True).count() == 3
    assert not FieldChange.objects.exists()
    shown = page.context["preview"]
    assert (shown.checked, shown.changed, shown.unchanged) == (4, 3, 1)
    assert ("alice", 3) in shown.loss.users
    assert shown.loss.anybody
    assert shown.loss.keys[0][0] == "alice"
    assert "would lose sight" in page.content.decode()


def test_a_confirmed_action_changes_writes_history_and_counts(desk, ops, four):
    shown, answer = confirm(desk(ops), "deactivate", four)
    assert answer.status_code == 302
    assert not AIModel.objects.filter(active=True).exists()
    assert FieldChange.objects.filter(field="active", actor="ops", new=False).count() == shown.changed == 3
    assert "3 of 4 were deactivated; 1 stayed as it was." in desk(ops).get(LIST).content.decode()
    assert not AIModel.objects.exclude(pk=four[3].pk).filter(manually_updated=True).exists()


def test_a_confirmation_of_something_else_than_was_shown_shows_it_again(desk, ops, four, make_user):
    page = post(desk(ops), "hide", four)
    make_user("newcomer")
    again = post(desk(ops), "hide", four, _asked="1", _confirmed=page.context["preview"].seal)
    assert again.status_code == 200
    assert not AIModel.objects.filter(hidden=True).exclude(pk=four[3].pk).exists()


@pytest.mark.parametrize(
    ("action", "shown", "sent"),
    [
        ("tag", {"tags": "fast"}, {"tags": "slow"}),
        ("require_flag", {"flag": "beta"}, {"flag": "gamma"}),
        ("hide", {}, {"_selected_action": []}),
    ],
    ids=["another tag", "another flag", "other models"],
)
def test_a_confirmation_holds_for_the_form_that_was_previewed_and_no_other(
    desk, ops, four, hold_flag, action, shown, sent
):
    hold_flag("gamma")
    seal = post(desk(ops), action, four[1:3], _asked="1", **shown).context["preview"].seal
    sent = shown | {name: value or four[:2] for name, value in sent.items()}
    models = sent.pop("_selected_action", four[1:3])
    again = post(desk(ops), action, models, _asked="1", _confirmed=seal, **sent)
    assert "would not do what you were shown" in again.content.decode()
    assert not FieldChange.objects.exists()
    assert (
        post(desk(ops), action, models, _asked="1", _confirmed=again.context["preview"].seal, **sent).status_code == 302
    )


def test_an_action_on_all_that_the_filter_matches_reaches_other_pages_too(desk, ops, make_model, monkeypatch):
    models = [make_model(f"acme/m{n}") for n in range(7)]
    make_model("other/m")
    monkeypatch.setattr("catalog.admin.entries.CatalogEntryAdmin.list_per_page", 3)
    shown, _ = confirm(desk(ops), "hide", models[:1], "?author=acme", select_across="1")
    assert shown.changed == 7
    assert AIModel.objects.filter(hidden=False).get().model_id == "other/m"


@pytest.mark.parametrize(
    ("action", "fields", "test"),
    [
        ("activate", {}, lambda rows: all(row.active for row in rows)),
        ("hide", {}, lambda rows: all(row.hidden for row in rows)),
        ("show", {}, lambda rows: not any(row.hidden for row in rows)),
        ("tag", {"tags": "Fast\nnew"}, lambda rows: all(
            {tag.name for tag in row.tags.all()} == {"fast", "new"} for row in rows)),
        ("untag", {"tags": "FAST"}, lambda rows: not any(row.tags.exists() for row in rows)),
        ("require_flag", {"flag": "beta"}, lambda rows: {row.requires_feature_flag for row in rows} == {"beta"}),
        ("require_flag", {"flag": ""}, lambda rows: {row.requires_feature_flag for row in rows} == {""}),
        ("release", {}, lambda rows: not any(row.pinned_fields or row.manually_updated for row in rows)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_each_action_does_what_it_says(desk, ops, four, action, fields, test):
    _, answer = confirm(desk(ops), action, four, **fields)
    assert answer.status_code == 302
    assert test(list(AIModel.objects.all()))
    # Once more there is nothing to do.
    assert post(desk(ops), action, four, _asked="1", **fields).context["preview"].changed == 0


def test_a_grant_to_a_group_leaves_the_models_to_its_members(desk, ops, four, make_user):
    make_user("rita", groups=["research"])
    group = Group.objects.get(name="research")
    shown, _ = confirm(desk(ops), "grant", four[:2], group=str(group.pk), permission="read")
    names = [name for name, _ in shown.loss.users]
    assert "rita" not in names
    assert "ops" in names
    assert AccessGrant.objects.filter(group=group, permission="read").count() == 2
    assert list(AIModel.objects.filter(restricted=True).values_list("model_id", flat=True)) == [
        "acme/large",
        "acme/small",
    ]
    change = FieldChange.objects.filter(field="grants").first()
    assert change.new == [{"principal_type": "group", "principal_id": str(group.pk), "permission": "read"}]


@pytest.mark.parametrize(("action", "fields", "field"), [
    ("tag", {"tags": ""}, "tags"),
    ("tag", {"tags": "a\u202eb"}, "tags"),
    ("grant", {"group": "9999", "permission": "read"}, "group"),
    ("require_flag", {"flag": "nope"}, "flag"),
])  # fmt: skip
def test_what_an_action_asks_for_is_validated(desk, ops, four, action, fields, field):
    page = post(desk(ops), action, four, _asked="1", **fields)
    assert field in page.context["form"].errors
    assert page.context["preview"] is None
    assert not Tag.objects.exclude(name="fast").exists()


def test_5000_models_are_listed_in_300_ms_and_12_queries(desk, ops):
    AIModel.objects.bulk_create(
        [AIModel(model_id=f"author{n % 60}/m{n}", name=f"M{n}", is_available=True, offered_by=["acme"],
                 input_modalities=["text"], pricing={"prompt": "0.000001"}, prompt_price=1.0) for n in range(5000)]
    )  # fmt: skip
    client = desk(ops)
    client.get(LIST)
    best = 9.0
    # The processor's time: the clock's also counts whatever else runs on this machine.
    for _ in range(3):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            begin = time.process_time()
            assert client.get(LIST).status_code == 200
            best = min(best, time.process_time() - begin)
    assert len(queries) <= 12, [query["sql"] for query in queries]
    assert best < 0.3


def test_an_action_on_2000_models_asks_little(desk, ops):
    AIModel.objects.bulk_create([AIModel(model_id=f"a/m{n}", name="m") for n in range(2000)])
    first = AIModel.objects.first()
    with CaptureQueriesContext(connection) as queries:
        begin = time.process_time()
        shown, answer = confirm(desk(ops), "hide", [first], select_across="1")
        took = time.process_time() - begin
    assert shown.changed == 2000
    assert answer.status_code == 302
    assert len(queries) < 300
    assert took < 8


def test_a_flag_that_does_not_exist_is_refused_by_every_door(four):
    with pytest.raises(ValidationError, match="no feature flag"):
        bulk.switch(AIModel.objects.all(), "requires_feature_flag", "nope", Author.person(None, "x"))
    with pytest.raises(ValidationError, match="no feature flag"):
        entries.edit(four[0], {"requires_feature_flag": "nope"}, Author.person(None, "x"))


# A single save that narrows.


def form_of(client, model):
    page = client.get(f"{LIST}{model.pk}/change/").content.decode()
    return fields_of(page, "aimodel_form")


def test_a_narrowing_save_first_shows_who_would_lose_sight(desk, ops, four, alice):
    client = desk(ops)
    url = f"{LIST}{four[0].pk}/change/"
    sent = {**form_of(client, four[0]), "hidden": "on", "name": "New", "_save": "Save"}
    page = client.post(url, sent)
    assert "alice" in page.content.decode()
    assert page.context["loss"].anybody
    four[0].refresh_from_db()
    assert (four[0].hidden, four[0].name) == (False, "large")
    assert not FieldChange.objects.exists()
    replayed = {name: [v for n, v in page.context["fields"] if n == name] for name, _ in page.context["fields"]}
    assert client.post(url, {**replayed, "_narrow": "Save it", "_seal": page.context["seal"]}).status_code == 302
    four[0].refresh_from_db()
    assert (four[0].hidden, four[0].name) == (True, "New")


@pytest.mark.parametrize(
    "moved",
    [
        lambda sent, user: sent | {"experimental": "on"},
        lambda sent, user: sent | {"name": "Another"},
        lambda sent, user: user("newcomer") and sent,
        lambda sent, user: sent | {"_seal": ""},
    ],
    ids=["another switch", "another name", "another user", "no seal"],
)
def test_a_narrowing_is_confirmed_only_as_it_was_shown(desk, ops, four, make_user, moved):
    client, url = desk(ops), f"{LIST}{four[0].pk}/change/"
    sent = {**form_of(client, four[0]), "hidden": "on", "_save": "Save"}
    seal = client.post(url, sent).context["seal"]
    page = client.post(url, moved({**sent, "_narrow": "1", "_seal": seal}, make_user))
    assert "would not do what you were shown" in page.content.decode()
    assert not FieldChange.objects.exists()


def test_who_sees_an_entry_is_asked_only_where_the_rule_could_answer_otherwise(desk, ops, four, monkeypatch):
    asked = []
    monkeypatch.setattr("catalog.access.audience.of", lambda models: asked.append(models) or pytest.fail("asked"))
    client = desk(ops)
    sent = {**form_of(client, four[0]), "notes": "x", "name": "New", "priority": "3", "tags": "a", "_save": "Save"}
    assert client.post(f"{LIST}{four[0].pk}/change/", sent).status_code == 302
    assert FieldChange.objects.count() == 4
    assert asked == []


def test_a_save_that_takes_sight_from_nobody_asks_nothing(desk, ops, four):
    client = desk(ops)
    sent = {**form_of(client, four[3]), "notes": "x", "experimental": "on", "_save": "Save"}
    assert client.post(f"{LIST}{four[3].pk}/change/", sent).status_code == 302
