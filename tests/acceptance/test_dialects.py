"""Real clients of other dialects against a real server: what each lists, with a full key and a narrow one.

`make acceptance` installs them beside the project and runs this; elsewhere it is skipped.
"""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.acceptance.world import HERE, HOME, both_keys, installed, told, world  # noqa: F401  # A fixture.

pytestmark = installed
# The kinds that the gateway has a word for.
GATEWAY = (
    "chat", "completion", "embeddings", "image_generation", "video_generation", "rerank", "speech", "transcription",
)  # fmt: skip


@both_keys
def test_the_clients_for_python_list_page_and_retrieve(server, world, key):  # noqa: F811
    found = told(f"{HOME}/python4/bin/python", HERE / "dialects_client.py", server.url, getattr(world, key))
    chat, every = world.seen(key, "chat"), world.seen(key)
    assert sorted(found["anthropic"]) == sorted(chat)
    assert found["anthropic"] == found["anthropic retrieved"] == found["anthropic backwards"][::-1]
    assert found["anthropic limits"] == world.limits(chat)
    assert found["anthropic missing"]["class"] == "NotFoundError"
    assert found["anthropic without a key"]["class"] == "AuthenticationError"
    assert found["anthropic without a key"]["request_id"]
    assert sorted(found["google"]) == sorted(every)
    run = world.seen(key, "chat", "completion", "embeddings")
    assert sorted(found["ollama"]) == sorted(run)
    assert found["google retrieved"] == [f"models/{model_id}" for model_id in found["google"]]
    assert found["google limits"] == world.limits(every)
    assert found["ollama limits"] == world.limits(run)
    assert "404 NOT_FOUND" in found["google missing"]["message"]
    assert found["ollama missing"]["class"] == "ResponseError"


@both_keys
def test_the_clients_for_node_read_every_row(server, world, key):  # noqa: F811
    found = told("node", "dialects_client.mjs", server.url, getattr(world, key))
    every = world.seen(key)
    assert sorted(found["openrouter"]) == sorted(every)
    assert [model_id for page in found["pages"] for model_id in page] == found["openrouter"]
    assert found["user"] == found["count"] == len(every)
    assert found["retrieved"] is True
    assert found["openrouter limits"] == world.limits(every)
    prices = {model_id: world.rows[model_id].prompt for model_id in every}
    assert found["openrouter prices"] == {model_id: price or "-1" for model_id, price in prices.items()}
    # It has no word for moderation, and its rows have both prices or none.
    known = world.seen(key, *GATEWAY)
    both = {model_id: prices[model_id] if world.rows[model_id].completion else None for model_id in known}
    assert found["gateway prices"] == both
    assert (found["missing"]["status"], found["nobody"]["status"]) == (404, 401)


@both_keys
def test_codex_lists_in_the_catalogs_order(server, world, key, tmp_path):  # noqa: F811
    folder = tmp_path / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text(
        f'model = "acme/first"\nmodel_provider = "here"\n[model_providers.here]\nname = "here"\n'
        f'base_url = "{server.url}/v1"\nenv_key = "HERE_KEY"\nwire_api = "responses"\n'
        f'model_catalog_url = "{server.url}/v1/models"\n'
    )
    codex = Path(HOME, "node_modules", ".bin", "codex")
    found = told(codex, "debug", "models", HOME=str(tmp_path), HERE_KEY=getattr(world, key))["models"]
    order = world.seen(key, "chat")
    assert [row["slug"] for row in found] == order
    assert {row["slug"]: row.get("context_window") for row in found} == world.limits(order)


@both_keys
def test_claude_code_discovers_the_models_that_it_takes(server, world, key, tmp_path):  # noqa: F811
    cache = tmp_path / ".claude" / "cache" / "gateway-models.json"
    settings: dict[str, Any] = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    settings = {"hasCompletedOnboarding": True, "theme": "dark", "projects": {str(tmp_path): settings}}
    (tmp_path / ".claude.json").write_text(json.dumps(settings))
    _run_on_a_terminal(
        [f"{HOME}/node_modules/.bin/claude"],
        tmp_path,
        cache.exists,
        HOME=str(tmp_path), TERM="xterm", DISABLE_AUTOUPDATER="1", CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY="1",
        ANTHROPIC_BASE_URL=server.url, ANTHROPIC_AUTH_TOKEN=getattr(world, key),
    )  # fmt: skip
    found = [row["id"] for row in json.loads(cache.read_text())["models"]]
    taken = [name for name in world.seen(key, "chat") if name.removeprefix("~").startswith(("anthropic", "claude"))]
    assert sorted(found) == sorted(taken)
    assert len(found) > 10


@both_keys
def test_litellms_client_of_its_proxy_reads_prices_as_numbers(server, world, key):  # noqa: F811
    code = (
        "import sys, json; from litellm.proxy.client import Client;"
        "print(json.dumps(Client(base_url=sys.argv[1], api_key=sys.argv[2]).models.info()))"
    )
    found = told(f"{HOME}/python5/bin/python", "-c", code, server.url, getattr(world, key))
    infos = {row["model_name"]: row["model_info"] for row in found}
    every = world.seen(key)
    assert sorted(infos) == sorted(every)
    assert {model_id: info.get("max_input_tokens") for model_id, info in infos.items()} == world.limits(every)
    for name, field in (("prompt", "input_cost_per_token"), ("completion", "output_cost_per_token")):
        prices = {model_id: getattr(world.rows[model_id], name) for model_id in every}
        assert {model_id: info.get(field) for model_id, info in infos.items()} == {
            model_id: None if price is None else float(price) for model_id, price in prices.items()
        }


def _run_on_a_terminal(command: list[str], folder: Path, is_done: Any, **environment: str) -> None:
    """Runs it until it has done what is waited for, at most a minute."""
    terminal, its_own = pty.openpty()
    environment = {"PATH": os.environ["PATH"], **environment}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=its_own, stdout=its_own, stderr=its_own
    ) as process:
        deadline = time.monotonic() + 60
        while not is_done() and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.2)[0]:
                os.read(terminal, 65536)
        process.kill()
    os.close(terminal)
    os.close(its_own)
