"""Real clients of other dialects against a real server: what each lists, with a full key and a narrow one.

`make acceptance` installs them beside the project and runs this; elsewhere it is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.utils import timezone

HERE = Path(__file__).parent
HOME = os.environ.get("ACCEPTANCE_HOME", "")
VECTORS = "acme/vectors"
# What each has to show, with its limit and its price, which None says nobody knows.
CHAT: dict[str, tuple[int | None, str | None]] = {
    "acme/first": (128_000, "0.0000025"),
    "acme/free": (8192, "0"),
    "acme/bare": (None, None),
    "org/deep/er:Q4_K_M": (4096, None),
    "é/ü": (None, "0.00000000028"),
}
ALL = {*CHAT, VECTORS}

pytestmark = [
    pytest.mark.skipif(not HOME, reason="real clients are not installed; `make acceptance` installs them"),
    pytest.mark.django_db(transaction=True),
]


class Keys(NamedTuple):
    full: str
    narrow: str


@pytest.fixture
def keys(make_user: Any, make_model: Any, make_key: Any) -> Keys:
    for priority, (model_id, (limit, price)) in enumerate(CHAT.items()):
        pricing = {} if price is None else {"prompt": price, "completion": price}
        make_model(model_id, context_length=limit, pricing=pricing, priority=-priority)
    # Fields that a client could choke on.
    next_month = timezone.now().date() + timedelta(days=30)
    model = make_model(VECTORS, supports_embeddings=True, retires_at=next_month)
    make_model("acme/files", input_modalities=["file"], active=False)
    make_model("acme/retired", is_available=False)
    type(model).objects.filter(model_id="acme/first").update(
        input_modalities=["text", "file", "image"], output_modalities=["text"], retires_at=next_month
    )
    alice = make_user("alice")
    return Keys(make_key(alice).token, make_key(alice, allow=["acme/*"]).token)


def told(*command: Any, **environment: str) -> Any:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=HOME, env={**os.environ, **environment}, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def expected(ids: Any, key: str) -> list[str]:
    return sorted(model_id for model_id in ids if key == "full" or model_id.startswith("acme/"))


both_keys = pytest.mark.parametrize("key", Keys._fields)


@both_keys
def test_the_clients_for_python_list_page_and_retrieve(server, keys, key):
    found = told(f"{HOME}/python4/bin/python", HERE / "dialects_client.py", server.url, getattr(keys, key))
    chat, every = expected(CHAT, key), expected(ALL, key)
    assert sorted(found["anthropic"]) == sorted(found["anthropic backwards"]) == chat
    assert found["anthropic"] == found["anthropic retrieved"] == found["anthropic backwards"][::-1]
    assert found["anthropic limits"] == {model_id: CHAT[model_id][0] for model_id in chat}
    assert found["anthropic missing"]["class"] == "NotFoundError"
    assert found["anthropic without a key"]["class"] == "AuthenticationError"
    assert found["anthropic without a key"]["request_id"]
    assert sorted(found["google"]) == sorted(found["ollama"]) == every
    assert found["google retrieved"] == [f"models/{model_id}" for model_id in found["google"]]
    limits = {model_id: CHAT[model_id][0] if model_id in CHAT else None for model_id in every}
    assert found["google limits"] == found["ollama limits"] == limits
    assert "404 NOT_FOUND" in found["google missing"]["message"]
    assert found["ollama missing"]["class"] == "ResponseError"


@both_keys
def test_the_clients_for_node_read_every_row(server, keys, key):
    found = told("node", "dialects_client.mjs", server.url, getattr(keys, key))
    every = expected(ALL, key)
    assert sorted(found["openrouter"]) == sorted(found["gateway"]) == every
    assert [model_id for page in found["pages"] for model_id in page] == found["openrouter"]
    assert found["user"] == found["count"] == len(every)
    assert found["retrieved"] is True
    prices = {model_id: CHAT[model_id][1] if model_id in CHAT else None for model_id in every}
    assert found["openrouter limits"] == {model_id: CHAT.get(model_id, (None,))[0] for model_id in every}
    assert found["openrouter prices"] == {model_id: price or "-1" for model_id, price in prices.items()}
    assert found["gateway prices"] == prices
    assert (found["missing"]["status"], found["nobody"]["status"]) == (404, 401)


@both_keys
def test_codex_lists_in_the_catalogs_order(server, keys, key, tmp_path):
    folder = tmp_path / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text(
        f'model = "acme/first"\nmodel_provider = "here"\n[model_providers.here]\nname = "here"\n'
        f'base_url = "{server.url}/v1"\nenv_key = "HERE_KEY"\nwire_api = "responses"\n'
        f'model_catalog_url = "{server.url}/v1/models"\n'
    )
    codex = Path(HOME, "node_modules", ".bin", "codex")
    found = told(codex, "debug", "models", HOME=str(tmp_path), HERE_KEY=getattr(keys, key))["models"]
    order = [model_id for model_id in CHAT if key == "full" or model_id.startswith("acme/")]
    assert [row["slug"] for row in found] == order
    assert {row["slug"]: row.get("context_window") for row in found} == {
        model_id: CHAT[model_id][0] for model_id in order
    }


@both_keys
def test_litellms_client_of_its_proxy_reads_prices_as_numbers(server, keys, key):
    code = (
        "import sys, json; from litellm.proxy.client import Client;"
        "print(json.dumps(Client(base_url=sys.argv[1], api_key=sys.argv[2]).models.info()))"
    )
    found = told(f"{HOME}/python5/bin/python", "-c", code, server.url, getattr(keys, key))
    infos = {row["model_name"]: row["model_info"] for row in found}
    assert sorted(infos) == expected(ALL, key)
    for model_id, info in infos.items():
        limit, price = CHAT.get(model_id, (None, None))
        assert (info.get("max_input_tokens"), info.get("input_cost_per_token")) == (
            limit,
            None if price is None else float(price),
        )
