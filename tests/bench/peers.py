"""
Lists of others beside ours: as many models, one worker each, 16 connections, alternating rounds.

    python -m tests.bench.peers [--litellm COMMAND] [--codex-lb COMMAND] [--open-webui COMMAND] [--before REVISION]
        [--models 421] [--rounds 3] [--seconds 3]

The commands are those of environments of their own, such as `make bench-peers` makes for LiteLLM; Open WebUI takes
7 GB. Of LiteLLM it is the proxy's `/v1/models`, of codex-lb, which needs Python 3.13, the same without a key, of
Open WebUI the list of its workspace, by page and search as ours.
A revision is one of our own history, with the packages of today; before answers were stored it was 46ed4be.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import reads
from tests.databases import _free_port, postgresql

KEY = "sk-of-the-benchmark-0123456789"
ALIVE = "/health/liveliness"


@contextmanager
def running(command: list[str], port: int, folder: Path, alive: str, **environment: str) -> Iterator[None]:
    log = folder / "log"
    with log.open("wb") as output:
        peer = subprocess.Popen(command, cwd=folder, env=os.environ | environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 300
        while not answers(port, alive):
            if peer.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.5)
        yield
    finally:
        peer.terminate()
        peer.wait(60)


def answers(port: int, path: str) -> bool:
    try:
        return asked(port, "GET", path)[0] == 200
    except OSError:
        return False


def asked(port: int, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def litellm(command: str, models: int, folder: Path) -> Iterator[tuple[int, str]]:
    """Yields the port of its proxy, which knows as many models, and its key."""
    port, config = _free_port(), folder / "litellm.yaml"
    config.write_text(
        f"general_settings:\n  master_key: {KEY}\nmodel_list:\n"
        + "".join(
            f"  - model_name: author{n % 40}/model-{n}\n    litellm_params:\n      model: openai/model-{n}\n"
            for n in range(models)
        )
    )
    served = [command, "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    with running(served, port, folder, ALIVE, LITELLM_LOG="ERROR", OPENAI_API_KEY="none"):
        yield port, KEY


@contextmanager
def codex_lb(command: str, models: int, folder: Path) -> Iterator[tuple[int, str]]:
    """Yields its port, and no key: it lists as many models of one source, beside a few of its own, to this machine."""
    port, data = _free_port(), folder / "codex-lb"
    data.mkdir()
    settings = {"CODEX_LB_DATA_DIR": str(data), "CODEX_LB_TELEMETRY_ENABLED": "false", "HOME": str(data)}
    with running([command, "--port", str(port)], port, data, "/health", **settings):
        source = {
            "name": "bench",
            "base_url": "http://127.0.0.1:9/v1",
            "models": [
                {"model": f"author{n % 40}/model-{n}", "display_name": f"Model {n}", "context_window": 131072}
                for n in range(models)
            ],
        }
        status, body = asked(port, "POST", "/api/model-sources/", source)
        if status != 200:
            raise SystemExit(f"codex-lb refused the models: {body!r}")
        yield port, ""


@contextmanager
def open_webui(command: str, models: int, folder: Path) -> Iterator[tuple[int, str]]:
    """Yields its port and the token of an administrator, who has made as many models."""
    port, data = _free_port(), folder / "data"
    served = [command, "serve", "--host", "127.0.0.1", "--port", str(port)]
    settings = {"DATA_DIR": str(data), "WEBUI_SECRET_KEY": KEY, "OFFLINE_MODE": "true", "RAG_EMBEDDING_MODEL": ""}
    with running(served, port, folder, "/api/config", ENABLE_OLLAMA_API="false", ENABLE_OPENAI_API="false", **settings):
        who = {"name": "bench", "email": "bench@example.com", "password": f"A long {KEY}"}
        token = json.loads(asked(port, "POST", "/api/v1/auths/signup", who)[1])["token"]
        for n in range(models):
            model = {
                "id": f"author{n % 40}/model-{n}", "base_model_id": "gpt-4o", "name": f"Model {n}", "params": {},
                "meta": {"description": "Reads long documents. " * 10, "capabilities": {"vision": True}},
                "access_control": None, "is_active": True,
            }  # fmt: skip
            status, body = asked(port, "POST", "/api/v1/models/create", model, token)
            if status != 200:
                raise SystemExit(f"Open WebUI refused a model: {body!r}")
        yield port, token


@dataclass(frozen=True)
class Modeldex:
    port: int
    every: str
    narrow: str
    limited: str

    def token(self, name: str) -> str:
        return getattr(self, name)

    def known(self, path: str, name: str) -> str:
        """The header of a request that knows the answer, for behind its key."""
        connection = reads.Connection(self.port, path, f"Authorization: Bearer {self.token(name)}\r\n")
        connection.get()
        return f"\r\nIf-None-Match: {connection.header('ETag')}"


@contextmanager
def modeldex(tree: Path, models: int) -> Iterator[Modeldex]:
    """Ours, of this tree, on a PostgreSQL of its own."""
    with postgresql() as url, tempfile.TemporaryDirectory(prefix="modeldex-bench-") as data:
        port = _free_port()
        environment = os.environ | reads.environment(url, data, port)

        def run(*arguments: str) -> list[str]:
            command = [sys.executable, *arguments]
            done = subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            return done.stdout.split()

        run("manage.py", "migrate", "--verbosity", "0")
        every, narrow, limited, *_ = run("-m", "tests.bench.fill", str(models))
        with reads.running_server(environment, port, tree):
            yield Modeldex(port, every, narrow, limited)


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """That revision, with the benchmark of today."""
    with tempfile.TemporaryDirectory(prefix="modeldex-before-") as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--detach", tree, revision], cwd=reads.ROOT, check=True)
        try:
            shutil.copytree(reads.ROOT / "tests/bench", tree / "tests/bench", dirs_exist_ok=True)
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=reads.ROOT, check=True)


def measured(cases: dict[str, tuple[int, str, str]], rounds: int, seconds: int) -> None:
    """`cases`: port, path and token. The first is what the others are compared with."""
    rates: dict[str, list[float]] = {name: [] for name in cases}
    # The first round is for warming up.
    for _ in range(1 + rounds):
        for name, (port, path, token) in cases.items():
            found = reads.latencies(port, path, [f"Authorization: Bearer {token}\r\n"], seconds, 16)
            rates[name].append(len(found) / seconds)
    medians = {name: statistics.median(found[1:]) for name, found in rates.items()}
    first = next(iter(medians.values()))
    print(f"\n{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n\n| | a second | times the first |\n|---|---|---|")
    for name, rate in medians.items():
        print(f"| {name} | {rate:.1f} | {rate / first:.1f} |", flush=True)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("litellm", "codex-lb", "open-webui"):
        options.add_argument(f"--{name}", metavar="COMMAND")
    options.add_argument("--before", metavar="REVISION")
    for name, default in (("models", 421), ("rounds", 3), ("seconds", 3)):
        options.add_argument(f"--{name}", type=int, default=default)
    chosen = options.parse_args()
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="modeldex-peer-")))
        ours = ending.enter_context(modeldex(reads.ROOT, chosen.models))
        for name, command, start in (
            ("LiteLLM", chosen.litellm, litellm),
            ("codex-lb", chosen.codex_lb, codex_lb),
        ):
            if command:
                with start(command, chosen.models, folder) as (theirs, key):
                    cases = {
                        f"{name}'s `/v1/models`, {chosen.models} models": (theirs, "/v1/models", key),
                        "ours, with all metadata": (ours.port, "/v1/models", ours.every),
                        "ours, a key of 50": (ours.port, "/v1/models", ours.narrow),
                    }
                    measured(cases, chosen.rounds, chosen.seconds)
        if chosen.open_webui:
            with open_webui(chosen.open_webui, chosen.models, folder) as (theirs, token):
                cases = {
                    f"Open WebUI's list, page 1 of {chosen.models} models": (
                        theirs,
                        "/api/v1/models/list?page=1",
                        token,
                    ),
                    "ours, asked before": (ours.port, "/api/models/list", ours.every),
                    "Open WebUI's, a search": (theirs, "/api/v1/models/list?query={search}&page=1", token),
                    "ours, a search never asked before": (
                        ours.port,
                        "/api/models/list?query={search}",
                        ours.every,
                    ),
                }
                measured(cases, chosen.rounds, chosen.seconds)
        if chosen.before:
            with checkout(chosen.before) as tree, modeldex(tree, chosen.models) as theirs:
                one = "/v1/models/author1%2Fmodel-1"
                for name, path, key, is_known in (
                    ("/v1/models/{id}", one, "narrow", False),
                    ("/v1/models, 304", "/v1/models", "every", True),
                    ("/v1/models, a key of 50", "/v1/models", "narrow", False),
                    ("/v1/models/{id}, a key with limits", one, "limited", False),
                    ("/api/models/list", "/api/models/list", "every", False),
                ):
                    both = {f"`{name}` at {chosen.before}": theirs, "now": ours}
                    cases = {
                        title: (
                            server.port,
                            path,
                            server.token(key) + (server.known(path, key) if is_known else ""),
                        )
                        for title, server in both.items()
                    }
                    measured(cases, chosen.rounds, chosen.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
