"""/api/models, as web apps and terminal clients see it (seed 000)."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from catalog.models import AIModel
from preferences.models import DefaultModel, ModelPreference, Profile
from tests.conftest import Api
from tests.machine import seconds


def patch(caller, body, **headers):
    return caller.patch("/api/models", body, headers=headers)


def ids(items):
    return [item["id"] for item in items]


def test_signed_in_the_catalog_is_all_that_is_visible_and_models_what_is_usable(api, alice, make_model):
    make_model("acme/a")
    make_model("acme/off", enabled_by_default=False)
    make_model("acme/gone", is_available=False)
    make_model("acme/hidden", hidden=True)
    both = api.as_(alice).get("/api/models").json()
    assert set(both) == {"catalog", "models"}
    assert [(item["id"], item["is_available"], item["is_enabled"]) for item in both["catalog"]] == [
        ("acme/a", True, True),
        ("acme/gone", False, True),
        ("acme/off", True, False),
    ]
    assert both["models"] == [both["catalog"][0]]


def test_staff_list_what_is_hidden_and_inactive_where_they_ask_for_it(api, ops, make_model):
    make_model("acme/a")
    make_model("acme/hidden", hidden=True)
    make_model("acme/off", active=False)
    caller = api.as_(ops)
    for include, more in (("hidden", ["acme/hidden"]), ("inactive", ["acme/off"]), ("hidden,inactive", None)):
        answer = caller.get("/api/models", {"include": include})
        assert ids(answer.json()["catalog"]) == ["acme/a", *(more or ["acme/hidden", "acme/off"])]
        assert ids(answer.json()["models"]) == ["acme/a"]
        assert (
            caller.get("/api/models", {"include": include}, headers={"If-None-Match": answer["ETag"]}).status_code
            == 304
        )
    assert ids(caller.get("/api/models").json()["catalog"]) == ["acme/a"]


@pytest.mark.parametrize(
    ("user", "sent", "status"),
    [
        ("alice", {"include": "hidden"}, 403),
        (None, {"include": "hidden"}, 403),
        ("ops", {"include": "everything"}, 400),
        ("ops", {"include": ""}, 400),
        ("ops", {"include": "hidden", "format": "cli"}, 400),
    ],
)
def test_others_and_odd_words_are_refused(request, api, db, user, sent, status):
    caller = api.as_(request.getfixturevalue(user)) if user else api
    assert caller.get("/api/models", sent).status_code == status


def test_anonymous_callers_get_what_is_available_twice_and_no_switches(api, make_model):
    make_model("acme/a")
    make_model("acme/off", enabled_by_default=False)
    make_model("acme/gone", is_available=False)
    make_model("acme/secret", restricted=True)
    both = api.get("/api/models").json()
    assert both["catalog"] == both["models"]
    assert ids(both["models"]) == ["acme/a", "acme/off"]
    assert all("is_enabled" not in item for item in both["models"])


def test_a_catalog_that_is_not_public_is_401_to_anonymous_callers(api, alice, make_model, settings):
    make_model("acme/a")
    settings.PUBLIC_CATALOG = False
    for path in ("/api/models", "/api/models?format=cli"):
        assert (api.get(path).status_code, api.as_(alice).get(path).status_code) == (401, 200)


def test_a_credential_that_is_present_but_unusable_is_never_anonymous(api):
    for header in ("Bearer", "Bearer ", "Bearer  a b", "Basic YTpi", "Token x"):
        assert api.get("/api/models", headers={"Authorization": header}).status_code == 401


def test_an_item_says_what_is_known_and_nothing_else(api, alice, make_model):
    make_model("acme/bare")
    make_model(
        "acme/full", priority=1, tags=["Fast", "cheap"], description="Words", context_length=8192, supports_tools=True,
        pricing={"prompt": "0.00000015"}, recommended=True, recommendation_note="For drafts.",
    )  # fmt: skip
    full, bare = api.as_(alice).get("/api/models").json()["catalog"]
    assert set(bare) == {"id", "provider", "name", "is_available", "is_enabled", "is_default", "capabilities"}
    assert (full["provider"], full["capabilities"], full["tags"]) == ("acme", ["chat", "tools"], ["cheap", "Fast"])
    assert full["pricing"] == {"prompt": "0.00000015"}
    assert (full["recommended"], full["recommendation_note"]) == (True, "For drafts.")
    assert "notes" not in full


def test_the_highest_priority_comes_first_then_the_id(api, make_model):
    for model_id, priority in (("b/b", 0), ("a/a", 0), ("B/b", 0), ("z/z", 3)):
        make_model(model_id, priority=priority)
    assert ids(api.get("/api/models").json()["models"]) == ["z/z", "B/b", "a/a", "b/b"]


def test_one_users_switch_changes_nobody_elses_answer(api, alice, bob, make_model):
    make_model("acme/a")
    before = api.get("/api/models").content, api.as_(bob).get("/api/models").content
    assert patch(api.as_(alice), {"model_id": "acme/a", "is_enabled": False}).json() == {"ok": True}
    mine = api.as_(alice).get("/api/models").json()
    assert ([item["is_enabled"] for item in mine["catalog"]], mine["models"]) == ([False], [])
    assert (api.get("/api/models").content, api.as_(bob).get("/api/models").content) == before


# The picker of a terminal client.


def test_the_picker_leaves_out_only_what_the_user_has_switched_off(api, alice, make_model):
    for model_id in ("acme/a", "acme/b"):
        make_model(model_id)
    make_model("acme/off", enabled_by_default=False)
    make_model("acme/gone", is_available=False)
    patch(api.as_(alice), {"model_id": "acme/b", "is_enabled": False})
    rows = api.as_(alice).get("/api/models?format=cli").json()
    assert [row["slug"] for row in rows] == ["acme/a", "acme/off"]
    assert [row["slug"] for row in api.get("/api/models?format=cli").json()] == ["acme/a", "acme/b", "acme/off"]


def test_a_row_of_the_picker(api, alice, make_model):
    make_model(
        "acme/a", name="A", context_length=8192, input_modalities=["text"], supports_tools=True,
        reasoning_levels=[{"effort": "low"}], pricing={"prompt": "0.00000015", "completion": "0.0000006"},
    )  # fmt: skip
    make_model("acme/b")
    make_model("acme/c", supports_embeddings=True)
    first, second = api.as_(alice).get("/api/models?format=cli").json()
    assert first == {
        "slug": "acme/a",
        "provider": "acme",
        "displayName": "A",
        "contextWindow": 8192,
        "inputModalities": ["text"],
        "caps": {"streaming": True, "toolUse": True, "reasoningEffort": True, "parallelToolCalls": False},
        "pricing": {"inputPerMillion": 0.15, "outputPerMillion": 0.6, "currency": "USD"},
        "isDefault": True,
    }
    assert set(second) == {"slug", "provider", "displayName", "inputModalities", "caps", "isDefault"}
    # What makes no text is for no picker, so `acme/c` is not there.
    assert second["slug"] == "acme/b"
    assert {name for name, known in second["caps"].items() if known} == {"streaming"}


@pytest.mark.parametrize(
    "query", ["format=xml", "format=", "format=CLI", "format=cli&format=x", "fromat=cli", "page=1"]
)
def test_other_parameters_and_formats_are_400_and_named(api, query):
    answer = api.get(f"/api/models?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["errors"]


# Switches.


def test_both_fields_are_required(api, alice, make_model):
    make_model("acme/a")
    for body in ({"model_id": "acme/a"}, {"is_enabled": True}, {}):
        answer = patch(api.as_(alice), body)
        assert answer.status_code == 400
        assert set(answer.json()["errors"]) == {"model_id", "is_enabled"} - set(body)


@pytest.mark.parametrize("field", ["provider", "name", "is_available", "active", "user", "user_id", "id", "updates "])
def test_a_field_of_the_catalog_is_refused_by_name_and_nothing_is_written(api, alice, make_model, field):
    model = make_model("acme/a")
    answer = patch(api.as_(alice), {"model_id": "acme/a", "is_enabled": False, field: "x"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_field")
    assert field in answer.json()["errors"]
    assert not ModelPreference.objects.exists()
    assert AIModel.objects.get().updated_at == model.updated_at


@pytest.mark.parametrize("value", ["yes", "0", 1, 0, None, {}, []])
def test_a_switch_is_true_or_false(api, alice, make_model, value):
    make_model("acme/a")
    answer = patch(api.as_(alice), {"model_id": "acme/a", "is_enabled": value})
    assert answer.status_code == 400
    assert "is_enabled" in answer.json()["errors"]


@pytest.mark.parametrize("value", [5, ["a"], {}, None, "", "x" * 10_000])
def test_a_model_id_is_text_of_a_models_length(api, alice, value):
    assert patch(api.as_(alice), {"model_id": value, "is_enabled": True}).status_code == 400


@pytest.mark.parametrize("value", ["acme/none", " acme/a", "acme/a ", "ACME/A", "acme/hidden", "acme/secret", "a b"])
def test_an_id_that_is_not_visible_is_404_as_one_that_nobody_has(api, alice, make_model, value):
    make_model("acme/a")
    make_model("acme/hidden", hidden=True)
    make_model("acme/secret", restricted=True)
    caller = api.as_(alice)
    answer = patch(caller, {"model_id": value, "is_enabled": True}, X_Request_Id="1")
    unknown = patch(caller, {"model_id": "acme/other", "is_enabled": True}, X_Request_Id="1")
    assert answer.status_code == unknown.status_code == 404
    assert answer.content == unknown.content.replace(b"acme/other", value.encode())
    assert not ModelPreference.objects.exists()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b"5", b"\xef\xbb\xbf{}", '{"a": 1}'.encode("utf-16"), b"\xff",
     b'{"model_id": "a\\u0000b", "is_enabled": true}', b'{"model_id": "\\ud800", "is_enabled": true}',
     b'{"model_id": "acme/a", "model_id": "acme/b", "is_enabled": true}', b"[" * 100_000,
     b'{"updates": {}}', b'{"updates": [5]}', b'{"updates": []}', b'{"updates": null}', b'{"updates": [[]]}'],
)  # fmt: skip
def test_a_body_that_means_nothing_is_400_in_the_envelope(api, alice, make_model, body):
    make_model("acme/a")
    answer = api.as_(alice).patch("/api/models", body, content_type="application/json")
    assert answer.status_code == 400
    assert {"code", "error", "message", "request_id"} <= set(answer.json())
    assert not ModelPreference.objects.exists()


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_another_media_type_is_415(api, alice, media):
    assert api.as_(alice).patch("/api/models", b"a=1", content_type=media).status_code == 415


def test_several_are_switched_at_once_or_none(api, alice, make_model):
    for n in range(3):
        make_model(f"acme/{n}")
    caller = api.as_(alice)
    updates = [{"model_id": f"acme/{n}", "is_enabled": bool(n)} for n in range(3)]
    assert patch(caller, {"updates": [*updates, {"model_id": "no/such", "is_enabled": True}]}).status_code == 404
    assert not ModelPreference.objects.exists()
    assert patch(caller, {"updates": updates}).json() == {"ok": True}
    assert ids(caller.get("/api/models").json()["models"]) == ["acme/1", "acme/2"]


def test_an_id_that_stands_twice_is_400_and_named(api, alice, make_model):
    make_model("acme/a")
    twice = [{"model_id": "acme/a", "is_enabled": on} for on in (True, False)]
    answer = patch(api.as_(alice), {"updates": twice})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["updates.1.model_id"])


def test_each_bad_update_is_named_by_its_place(api, alice, make_model):
    make_model("acme/a")
    updates = [{"model_id": "acme/a", "is_enabled": True}, {"model_id": "acme/a", "is_enabled": 1, "name": "x"}]
    errors = patch(api.as_(alice), {"updates": updates}).json()["errors"]
    assert all(name.startswith("updates.1.") for name in errors)


@pytest.mark.parametrize(("count", "status"), [(1, 200), (1000, 200), (1001, 400)])
def test_up_to_a_thousand_cost_as_many_statements_as_one(api, alice, count, status):
    AIModel.objects.bulk_create(AIModel(model_id=f"acme/{n}", name=str(n)) for n in range(count))
    Profile.objects.create(user=alice)
    updates = [{"model_id": f"acme/{n}", "is_enabled": False} for n in range(count)]
    caller = api.as_(alice)
    with CaptureQueriesContext(connection) as captured:
        assert patch(caller, {"updates": updates}).status_code == status
    # SQLite takes 999 values a statement, so it writes a thousand rows in five.
    assert len(captured) <= 13
    assert ModelPreference.objects.count() == (count if status == 200 else 0)


def test_a_key_needs_the_scope_to_write_and_stays_within_its_policy(api, alice, make_model, make_key):
    for model_id in ("acme/a", "zeta/z"):
        make_model(model_id)
    reader = api.with_key(make_key(alice, scopes=["models:read"]).token)
    assert patch(reader, {"bad": "body"}).status_code == 403
    writer = api.with_key(make_key(alice, allow=["acme/*"]).token)
    assert patch(writer, {"model_id": "zeta/z", "is_enabled": False}).status_code == 404
    assert patch(writer, {"model_id": "acme/a", "is_enabled": False}).status_code == 200
    assert writer.get("/api/models").json()["models"] == []


def test_an_anonymous_write_is_401(api, make_model):
    make_model("acme/a")
    assert patch(api, {"model_id": "acme/a", "is_enabled": False}).status_code == 401


def test_a_session_needs_its_csrf_token_to_write_and_a_key_does_not(alice, make_model, make_key):
    make_model("acme/a")
    strict = APIClient(enforce_csrf_checks=True)
    strict.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    body = {"model_id": "acme/a", "is_enabled": False}
    assert strict.patch("/api/models", body).status_code == 403
    bearer = {"Authorization": f"Bearer {make_key(alice).token}"}
    assert APIClient(enforce_csrf_checks=True).patch("/api/models", body, headers=bearer).status_code == 200


def test_another_method_is_405_whatever_it_asks_besides(api, alice):
    assert api.as_(alice).generic("TRACE", "/api/models?format=cli&odd=1").status_code == 405


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_other_methods_are_405(api, alice, method):
    answer = getattr(api.as_(alice), method)("/api/models")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "PATCH", "HEAD", "OPTIONS"}


def test_a_trailing_slash_is_no_route_and_no_redirect(api):
    assert api.get("/api/models/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_users_who_switch_at_the_same_time_each_get_their_own_state(make_user, make_model):
    make_model("acme/a")
    callers = [(n, Api().as_(make_user(f"user{n}"))) for n in range(12)]

    def ask(pair):
        try:
            return patch(pair[1], {"model_id": "acme/a", "is_enabled": bool(pair[0] % 2)}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(ask, callers)) == {200}
    states = ModelPreference.objects.values_list("user__username", "is_enabled")
    assert dict(states) == {f"user{n}": bool(n % 2) for n in range(12)}


@pytest.mark.django_db(transaction=True)
def test_one_user_may_write_from_many_places_at_once(alice, make_model):
    for n in range(6):
        make_model(f"acme/{n}")
    caller = Api().as_(alice)
    bodies = [
        {"updates": [{"model_id": f"acme/{n}", "is_enabled": False} for n in order]}
        for order in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]) * 4
    ]

    def ask(body):
        try:
            return patch(caller, body).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, bodies)) == {200}
    assert ModelPreference.objects.filter(user=alice, is_enabled=False).count() == 6


def test_the_default_is_marked_in_every_list(api, alice, make_model):
    make_model("acme/a")
    model = make_model("acme/b")
    DefaultModel.objects.create(model=model)
    for caller in (api, api.as_(alice)):
        items = caller.get("/api/models").json()["catalog"]
        assert [item["is_default"] for item in items] == [False, True]
        assert [row["isDefault"] for row in caller.get("/api/models?format=cli").json()] == [False, True]


@pytest.mark.parametrize("items", [[1] * 19_990, [{}] * 9_000])
def test_too_many_updates_are_refused_before_any_is_looked_at(api, alice, items):
    caller = api.as_(alice)
    patch(caller, {"updates": [{}]})
    began = time.process_time()
    answer = patch(caller, {"updates": items})
    assert (answer.status_code, list(answer.json()["errors"]), len(answer.content) < 1000) == (400, ["updates"], True)
    assert time.process_time() - began < seconds(0.2)
