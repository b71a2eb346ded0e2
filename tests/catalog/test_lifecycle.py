"""catalog/api/lifecycle.py: how a model's end is told, in headers, in items and in each dialect's own words."""

from datetime import date

import pytest

from catalog.dialects.registry import DIALECTS
from catalog.models import AIModel

pytestmark = pytest.mark.django_db
ENDING = {"deprecated_at": date(2026, 1, 1), "retires_at": date(2999, 3, 1), "successor": "acme/new"}
HEADERS = {"Deprecation": "@1767225600", "Sunset": "Fri, 01 Mar 2999 00:00:00 GMT"}
ANTHROPIC = {"anthropic-version": "2023-06-01"}


@pytest.fixture
def caller(api, alice, make_key, make_model):
    make_model("acme/old", **ENDING)
    make_model("acme/new")
    return api.with_key(make_key(alice).token)


@pytest.fixture
def narrow(api, alice, make_key, caller):
    return api.with_key(make_key(alice, allow=["acme/old"]).token)


# Where the dialects retrieve one model.
RETRIEVES = sorted(
    {
        f"/{str(route.pattern).partition('<')[0]}"
        for dialect in DIALECTS
        for route in dialect.routes
        if str(route.pattern).endswith("model_id>")
    }
)


@pytest.mark.parametrize(
    ("prefix", "headers"), [("/v1/models/", ANTHROPIC), *((prefix, {}) for prefix in ["/api/models/", *RETRIEVES])]
)
def test_every_retrieve_tells_a_models_end_in_headers(caller, narrow, prefix, headers):
    answer = caller.get(f"{prefix}acme/old", headers=headers)
    assert {name: answer[name] for name in HEADERS} == HEADERS
    assert answer["Link"] == f'<{prefix}acme/new>; rel="successor-version"'
    again = caller.get(f"{prefix}acme/old", headers={**headers, "If-None-Match": answer["ETag"]})
    assert (again.status_code, again["Link"]) == (304, answer["Link"])
    assert not {*HEADERS, "Link"} & {*caller.get(f"{prefix}acme/new", headers=headers).headers}
    unseen = narrow.get(f"{prefix}acme/old", headers=headers)
    assert (unseen.status_code, unseen["Sunset"], unseen.get("Link")) == (200, HEADERS["Sunset"], None)


@pytest.mark.parametrize("path", ["/api/models", "/api/models/list", "/api/models/acme/old"])
def test_an_item_names_its_successor_to_who_sees_that_one_too(caller, narrow, path):
    def old(client):
        body = client.get(path).json()
        return next(item for item in body.get("catalog", body.get("items", [body])) if item["id"] == "acme/old")

    assert [old(caller)[name] for name in ENDING] == ["2026-01-01", "2999-03-01", "acme/new"]
    assert "successor" not in old(narrow)
    AIModel.objects.filter(model_id="acme/new").update(active=False)
    assert "successor" not in old(caller)


def test_the_404_of_a_retired_model_names_its_successor_to_who_sees_both(caller, narrow, make_model):
    AIModel.objects.filter(model_id="acme/old").update(is_available=False)
    make_model("acme/hidden", hidden=True, is_available=False, successor="acme/new")

    def message(client, model_id="acme/old", **headers):
        answer = client.get(f"/v1/models/{model_id}", headers=headers)
        assert answer.status_code == 404
        return answer.json()["error"]["message"]

    assert message(caller).endswith("It was retired; 'acme/new' replaces it.")
    assert message(caller, **ANTHROPIC) == message(caller)
    for told in (message(narrow), message(caller, "acme/hidden"), message(caller, "acme/none")):
        assert told.endswith("does not exist or you do not have access to it.")


def test_a_model_that_a_user_switched_off_is_not_called_retired(caller, alice):
    AIModel.objects.filter(model_id="acme/old").update(enabled_by_default=False)
    assert "retired" not in caller.get("/v1/models/acme/old").json()["error"]["message"]


def test_anthropics_clients_read_both_dates(caller):
    new, old = sorted(caller.get("/v1/models", headers=ANTHROPIC).json()["data"], key=lambda row: row["id"])
    assert (old["lifecycle"], old["deprecated_at"], old["retires_at"]) == (
        "deprecated",
        "2026-01-01T00:00:00Z",
        "2999-03-01T00:00:00Z",
    )
    assert (new["lifecycle"], new["deprecated_at"]) == ("active", None)


def test_codex_is_told_to_upgrade_to_what_its_user_may_use(caller, narrow):
    def upgrade(client):
        rows = client.get("/v1/models?client_version=0.171.0").json()["models"]
        return {row["slug"]: row.get("upgrade") for row in rows}

    found = upgrade(caller)
    assert found.pop("acme/old") == {
        "model": "acme/new",
        "migration_markdown": "`acme/old` is being retired; `acme/new` replaces it.",
    }
    assert found == {"acme/new": None}
    assert upgrade(narrow) == {"acme/old": None}
    AIModel.objects.filter(model_id="acme/new").update(is_available=False)
    assert upgrade(caller) == {"acme/old": None}


def test_a_custom_model_has_the_dates_of_its_base_and_no_successor(caller, alice, make_model):
    make_model("preset", owner=alice, base_model=AIModel.objects.get(model_id="acme/old"))
    answer = caller.get("/api/models/preset")
    assert (answer["Sunset"], answer.get("Link")) == (HEADERS["Sunset"], None)
    assert "successor" not in answer.json()
