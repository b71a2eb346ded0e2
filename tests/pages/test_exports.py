"""apikeys/pages/exports.py: exports of a key of mine, each shown once with what its tool is told."""

import re

import pytest

from apikeys.models import ExportToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(alice, make_key):
    """The address of the exports of a key of Alice's."""
    return f"/me/keys/{make_key(alice, name='editor').key.key_id}/exports"


@pytest.fixture
def make(visit, alice, page):
    """`make("opencode")`: the answer to the form that names it so."""

    def make(name, **more):
        once = re.search(r'name="_once" value="([0-9a-f]+)"', visit(alice).get(page).content.decode())[1]
        return visit(alice).post(page, {"_once": once, "name": name, **more})

    return make


def test_an_export_is_shown_once_and_opens_the_files(make, visit, api, alice, page, make_model):
    make_model("acme/m")
    answer = make("opencode")
    assert answer.headers["Cache-Control"] == "no-store"
    address = re.search(r"http://testserver(/export/mde_\w+)", answer.content.decode())[1]
    assert api.get(f"{address}/api.json").json()["acme"]["models"]["m"]["id"] == "acme/m"
    listed = visit(alice).get(page).content.decode()
    assert "opencode" in listed
    assert address.rpartition("/")[2] not in listed


@pytest.mark.parametrize(
    "line",
    [
        "export OPENCODE_MODELS_URL={address}\n",
        "export LITELLM_MODEL_COST_MAP_URL={address}/model_prices_and_context_window.json\n",
        "export MODEL_COST_MAP_MIN_MODEL_COUNT=1\n",
        "export MODEL_COST_MAP_MAX_SHRINK_RATIO=0",
        "curl -o .aider.model.metadata.json {address}/model_prices_and_context_window.json\n",
        "export MLFLOW_MODEL_CATALOG_URI={address}/mlflow",
        "{address}/genai-prices.json",
    ],
)
def test_each_tool_has_its_lines_to_copy(make, line):
    answer = make("a tool")
    texts = "".join(f"{text}\n" for _, _, text in answer.context["tools"])
    assert line.format(address=answer.context["address"]) in texts


def test_a_form_that_is_sent_twice_makes_one(visit, alice, page, make):
    once = "a" * 32
    for _ in range(2):
        visit(alice).post(page, {"_once": once, "name": "mine"})
    assert ExportToken.objects.count() == 1


def test_a_revoked_one_is_gone_and_empty(make, visit, api, alice, page):
    address = make("mine").context["address"].removeprefix("http://testserver")
    export = ExportToken.objects.get()
    answer = visit(alice).post(page, {"revoke": export.export_id}, follow=True)
    assert b"Revoked: mine." in answer.content
    assert api.get(f"{address}/api.json").json() == {}
    assert list(answer.context["rows"]) == []


def test_nobody_reaches_the_exports_of_another(visit, bob, page, make):
    make("mine")
    assert visit(bob).get(page).status_code == 404
    assert visit(bob).post(page, {"name": "theirs"}).status_code == 404
    assert visit(bob).post(page, {"revoke": ExportToken.objects.get().export_id}).status_code == 404
    assert ExportToken.objects.filter(revoked_at=None).count() == 1


@pytest.mark.parametrize("name", ["", " ", "x" * 129, "a\nb", "x\x1f"])
def test_a_name_that_cannot_be_taken_is_said_in_the_form(make, name):
    answer = make(name)
    assert (answer.status_code, ExportToken.objects.count()) == (400, 0)
    assert b'role="alert"' in answer.content


def test_a_key_that_does_not_work_makes_none(visit, alice, make_key):
    key = make_key(alice, is_active=False).key
    answer = visit(alice).post(f"/me/keys/{key.key_id}/exports", {"name": "mine"})
    assert answer.status_code == 409
    assert b"its exports are empty" in answer.content
