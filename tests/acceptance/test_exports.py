"""Real clients of exports: what each lists and what it computes, with a full key, a narrow one and a revoked token."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from apikeys.models import ApiKey, ExportToken
from catalog.dialects.litellm_map import PROVIDERS
from tests.acceptance.world import HERE, HOME, World, both_keys, installed, told, world  # noqa: F401  # A fixture.

pytestmark = installed
TOKENS = 1000


@pytest.fixture
def address(server: Any, world: World, make_export: Any) -> Any:  # noqa: F811
    """`address("narrow")`: where the exports of that key are."""

    def of(name: str) -> str:
        text = getattr(world, name)
        return f"{server.url}/export/{make_export(ApiKey.objects.get(key_id=text[4:16]))}"

    return of


def costs(world: World, ids: list[str], unknown: Any) -> dict[str, Any]:  # noqa: F811
    """What a thousand tokens in and as many out cost, at 1e-9 of a dollar a million; `unknown` without a price."""
    found = {}
    for model_id in ids:
        row = world.rows[model_id]
        known = [pytest.approx(float(price or 0) * TOKENS, abs=1e-12) for price in (row.prompt, row.completion)]
        found[model_id] = unknown if row.prompt is None is row.completion else known
    return found


def ask_litellm(url: str, ids: list[str]) -> Any:
    return told(
        f"{HOME}/python5/bin/python", HERE / "exports_client.py", "litellm", url, *ids,
        LITELLM_MODEL_COST_MAP_URL=f"{url}/model_prices_and_context_window.json",
        MODEL_COST_MAP_MIN_MODEL_COUNT="1", MODEL_COST_MAP_MAX_SHRINK_RATIO="0",
    )  # fmt: skip


def ask_others(url: str, ids: list[str]) -> Any:
    script = HERE / "exports_client.py"
    return told(f"{HOME}/python6/bin/python", script, "others", url, *ids, MLFLOW_MODEL_CATALOG_URI=f"{url}/mlflow")


@both_keys
def test_litellm_knows_the_ids_of_the_key_and_computes_the_catalogs_prices(address, world, key):  # noqa: F811
    ids = world.seen(key)
    found = ask_litellm(address(key), ids)
    assert sorted(found["known"]) == sorted(ids)
    assert found["limits"] == world.limits(ids)
    # What is unknown to us costs nothing to it.
    assert found["plain"] == found["openai"] == found["proxy"] == costs(world, ids, [0, 0])
    assert {*found["providers"]} == PROVIDERS


@both_keys
def test_genai_prices_and_mlflow_compute_the_catalogs_prices(address, world, key):  # noqa: F811
    ids, every = world.seen(key), world.seen("full")
    found = ask_others(address(key), every)
    others = dict.fromkeys(set(every) - set(ids))
    assert found["genai-prices"]["by id"] == costs(world, ids, None) | others
    assert found["genai-prices"]["by provider"] == costs(world, ids, None) | others
    # As to LiteLLM, what is unknown to us costs nothing to MLflow.
    assert found["mlflow"] == costs(world, ids, [0, 0]) | others


@both_keys
def test_opencode_lists_the_ids_of_the_key_with_its_prices(address, world, key, tmp_path):  # noqa: F811
    opencode = Path(HOME, "node_modules", ".bin", "opencode")
    environment = {**os.environ, "HOME": str(tmp_path), "MODELDEX_API_KEY": "any", "OPENCODE_MODELS_URL": address(key)}
    command = [opencode, "models", "--refresh", "--verbose"]
    # To a file: it ends without waiting for a pipe that takes its output slowly.
    with (tmp_path / "out").open("wb") as out:
        subprocess.run(command, env=environment, cwd=tmp_path, stdout=out, timeout=240, check=True)
    told = (tmp_path / "out").read_text()
    found = {name: row for name, row in _objects(told).items() if row["providerID"] != "opencode"}
    ids = world.seen(key)
    assert sorted(found) == sorted(ids)
    # It has them per million, and takes what is unknown for free.
    paid = {
        model_id: [row["cost"][name] * TOKENS / 1e6 for name in ("input", "output")] for model_id, row in found.items()
    }
    assert paid == costs(world, ids, [0, 0])
    assert {model_id: row["limit"]["context"] or None for model_id, row in found.items()} == world.limits(ids)


def _objects(text: str) -> dict[str, Any]:
    """The JSON objects that stand in it, by the line before each."""
    found, decoder, at = {}, json.JSONDecoder(), 0
    while (begin := text.find("\n{\n", at)) >= 0:
        row, end = decoder.raw_decode(text, begin + 1)
        found[text[at:begin].strip()] = row
        at = end
    return found


@both_keys
def test_aider_lists_the_ids_of_the_key(address, world, key, tmp_path):  # noqa: F811
    aider = [f"{HOME}/python7/bin/aider", "--no-git", "--yes", "--no-check-update", "--analytics-disable"]
    map_of_prices = f"{address(key)}/model_prices_and_context_window.json"
    done = subprocess.run(
        [*aider, "--list-models", "/"],
        env={**os.environ, "HOME": str(tmp_path), "LITELLM_MODEL_COST_MAP_URL": map_of_prices},
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    listed = {line[2:] for line in done.stdout.splitlines() if line.startswith("- ")}
    forms = ("", "openai/", "litellm_proxy/")
    ours = {form + model_id for form in forms for model_id in world.seen(key, "chat")}
    # Those that it brings along.
    (own,) = Path(HOME, "python7").glob("lib/python3*/site-packages/aider/resources/model-metadata.json")
    assert ours <= listed
    # Its JSON has comments and commas too many.
    others = {name.removeprefix("vertex_ai-language-models/") for name in listed - ours}
    assert others <= {*re.findall(r'^    "([^"]+)": \{', own.read_text(), re.MULTILINE)}


def test_with_a_revoked_token_each_shows_what_the_readme_says(address, world):  # noqa: F811
    url, ids = address("full"), world.seen("full")
    ExportToken.objects.update(revoked_at="2026-01-01T00:00:00Z")
    assert ask_others(url, ids) == {
        "genai-prices": {"by id": dict.fromkeys(ids), "by provider": dict.fromkeys(ids)},
        "mlflow": dict.fromkeys(ids),
    }
    # LiteLLM falls back to the thousands that it brought along.
    assert ask_litellm(url, [])["known"] > 1000
