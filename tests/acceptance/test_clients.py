"""Real clients against a real server: OpenAI's SDKs for Python and Node, llm, LangChain.

`make acceptance` installs them beside the project and runs this; elsewhere it is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
HOME = os.environ.get("ACCEPTANCE_HOME", "")
IDS = ("acme/large", "acme/small:free", "plain-id", "org/deep/er:Q4_K_M", "é/ü")

pytestmark = [
    pytest.mark.skipif(not HOME, reason="real clients are not installed; `make acceptance` installs them"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def keys(make_user, make_model, make_key) -> tuple[str, str]:
    """An unlimited key and one that may ask once a minute, in a catalog of odd ids and one that nobody may use."""
    for model_id in IDS:
        make_model(model_id)
    make_model("acme/hidden", hidden=True)
    alice = make_user("alice")
    return make_key(alice).token, make_key(alice, per_minute=1).token


@pytest.fixture
def run(server: Any, keys: tuple[str, str]) -> Callable[..., str]:
    def run(*command: str, **environment: str) -> str:
        words = [word.format(url=server.url, key=keys[0], limited=keys[1], home=HOME) for word in command]
        done = subprocess.run(
            words, cwd=HOME, env={**os.environ, **environment}, capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["{home}/python/bin/python", str(HERE / "openai_client.py")], id="openai for Python"),
        pytest.param(["{home}/python2/bin/python", str(HERE / "openai_client.py")], id="openai for Python, version 2"),
        pytest.param(["node", "openai_client.mjs"], id="openai for Node"),
    ],
)
def test_openais_sdk_lists_retrieves_and_raises_as_it_does_at_openai(run, command):
    told = json.loads(run(*command, "{url}/v1", "{key}", "{limited}", *IDS))
    assert sorted(told["listed"]) == sorted(IDS)
    assert told["retrieved"] == list(IDS)
    wrong, missing, limited = told["unauthenticated"], told["missing"], told["limited"]
    assert (wrong["class"], wrong["status"], wrong["code"]) == ("AuthenticationError", 401, "invalid_api_key")
    assert (missing["class"], missing["status"], missing["code"]) == ("NotFoundError", 404, "model_not_found")
    assert (missing["type"], missing["param"]) == ("invalid_request_error", "model")
    assert missing["request_id"]
    assert (limited["class"], limited["status"], limited["code"]) == ("RateLimitError", 429, "rate_limit_exceeded")
    assert 0 < int(limited["retry_after"]) <= 60


def test_llm_lists_the_same_models(run):
    listed = run("{home}/python/bin/llm", "openai", "endpoint", "{url}/v1", "--models", "--key", "{key}")
    assert all(model_id in listed for model_id in IDS)
    assert "acme/hidden" not in listed


def test_langchain_lists_the_same_models(run):
    code = (
        "import sys, json; from langchain_openai import ChatOpenAI;"
        "chat = ChatOpenAI(model='acme/large', base_url=sys.argv[1], api_key=sys.argv[2]);"
        "print(json.dumps([model.id for model in chat.root_client.models.list()]))"
    )
    assert sorted(json.loads(run("{home}/python/bin/python", "-c", code, "{url}/v1", "{key}"))) == sorted(IDS)
