"""Real clients of exports: what each lists and what it computes, with a full key, a narrow one and a revoked token."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from apikeys.models import ApiKey, ExportToken
from catalog.dialects.litellm_map import PROVIDERS
from tests.acceptance.test_dialects import ALL, CHAT, HERE, HOME, expected, keys, told  # noqa: F401  # A fixture.

pytestmark = [
    pytest.mark.skipif(not HOME, reason="real clients are not installed; `make acceptance` installs them"),
    pytest.mark.django_db(transaction=True),
]
MILLION = 1_000_000


@pytest.fixture
def address(server: Any, keys: Any, make_export: Any) -> Any:  # noqa: F811
    """`address("narrow")`: where the exports of that key are."""

    def of(name: str) -> str:
        text = getattr(keys, name)
        return f"{server.url}/export/{make_export(ApiKey.objects.get(key_id=text[4:16]))}"

    return of


def costs(ids: list[str], unknown: Any) -> dict[str, Any]:
    """What a million tokens in and as many out cost, at 1e-9 of a dollar."""
    prices = {model_id: CHAT.get(model_id, (None, None))[1] for model_id in ids}
    known = {
        model_id: [pytest.approx(float(price) * MILLION, abs=1e-9)] * 2 for model_id, price in prices.items() if price
    }
    return {model_id: known.get(model_id, unknown) for model_id in ids}


def ask_litellm(url: str, ids: list[str]) -> Any:
    return told(
        f"{HOME}/python5/bin/python", HERE / "exports_client.py", "litellm", url, *ids,
        LITELLM_MODEL_COST_MAP_URL=f"{url}/model_prices_and_context_window.json",
        MODEL_COST_MAP_MIN_MODEL_COUNT="1", MODEL_COST_MAP_MAX_SHRINK_RATIO="0",
    )  # fmt: skip


def ask_others(url: str, ids: list[str]) -> Any:
    script = HERE / "exports_client.py"
    return told(f"{HOME}/python6/bin/python", script, "others", url, *ids, MLFLOW_MODEL_CATALOG_URI=f"{url}/mlflow")


@pytest.mark.parametrize("key", ["full", "narrow"])
def test_litellm_knows_the_ids_of_the_key_and_computes_the_catalogs_prices(address, key):
    ids = expected(ALL, key)
    found = ask_litellm(address(key), ids)
    assert sorted(found["known"]) == ids
    assert found["limits"] == {model_id: CHAT.get(model_id, (None,))[0] for model_id in ids}
    # What is unknown to us costs nothing to it.
    assert found["plain"] == found["openai"] == found["proxy"] == costs(ids, [0, 0])
    assert {*found["providers"]} == PROVIDERS


@pytest.mark.parametrize("key", ["full", "narrow"])
def test_genai_prices_and_mlflow_compute_the_catalogs_prices(address, key):
    ids, every = expected(ALL, key), sorted(ALL)
    found = ask_others(address(key), every)
    others = dict.fromkeys(set(every) - set(ids))
    assert found["genai-prices"]["by id"] == found["genai-prices"]["by provider"] == costs(ids, None) | others
    # As to LiteLLM, what is unknown to us costs nothing to MLflow.
    assert found["mlflow"] == costs(ids, [0, 0]) | others


@pytest.mark.parametrize("key", ["full", "narrow"])
def test_opencode_lists_the_ids_of_the_key(address, key, tmp_path):
    opencode = Path(HOME, "node_modules", ".bin", "opencode")
    environment = {**os.environ, "HOME": str(tmp_path), "MODELDEX_API_KEY": "any", "OPENCODE_MODELS_URL": address(key)}
    done = subprocess.run(
        [opencode, "models"], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=True
    )
    listed = sorted(line for line in done.stdout.split() if not line.startswith("opencode/"))
    assert listed == expected(ALL, key), done.stderr


def test_with_a_revoked_token_each_shows_what_the_readme_says(address):
    url, ids = address("full"), sorted(ALL)
    ExportToken.objects.update(revoked_at="2026-01-01T00:00:00Z")
    assert ask_others(url, ids) == {
        "genai-prices": {"by id": dict.fromkeys(ids), "by provider": dict.fromkeys(ids)},
        "mlflow": dict.fromkeys(ids),
    }
    # LiteLLM falls back to the thousands that it brought along.
    assert ask_litellm(url, [])["known"] > 1000
