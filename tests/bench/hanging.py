"""Whether an upstream that accepts and never answers slows anybody down.

    python -m tests.bench.hanging [--requests 2000] [--connections 16] [--rounds 3]

Starts a server on a database of its own (SQLite, or that of DATABASE_URL) whose copies of upstream lists age within two
seconds, asks it over 16 connections with a healthy and a hanging upstream in turn, and prints for each route the 99th
percentile of each, in milliseconds, and their ratio.
"""

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests import upstreams

ROOT = Path(__file__).resolve().parents[2]
ROUTES = ("/api/models/openrouter", "/api/models/openrouter/embeddings", "/api/models/ollama", "/v1/models")
SETUP = """
from django.contrib.auth import get_user_model
from catalog.models import AIModel
from providers.models import Provider
get_user_model().objects.get_or_create(username="bench")
for slug in ("openrouter", "openai", "ollama"):
    Provider.objects.get_or_create(slug=slug, defaults={"name": slug, "kind": slug})
AIModel.objects.bulk_create(
    AIModel(model_id=f"acme/m{n}", name=f"M {n}", context_length=8192, is_available=True) for n in range(400)
)
"""


def models(count: int, makes: str) -> dict:
    return {
        "data": [
            {
                "id": f"acme/m{n}",
                "name": f"Acme: M {n}",
                "created": 1_700_000_000,
                "context_length": 8192,
                "architecture": {"input_modalities": ["text"], "output_modalities": [makes]},
                "pricing": {"prompt": "0.000001", "completion": "0.000002"},
                "top_provider": {"context_length": 8192},
            }
            for n in range(count)
        ]
    }


def tags() -> dict:
    details = {"family": "qwen2", "parameter_size": "1.5B", "quantization_level": "Q4_K_M"}
    return {
        "models": [
            {"name": f"m:{n}b", "size": 10**9, "details": details, "capabilities": ["completion"]} for n in range(20)
        ]
    }


def script(upstream: upstreams.Upstream, *, healthy: bool) -> None:
    answers = {
        "/api/v1/models": models(400, "text"),
        "/api/v1/embeddings/models": models(20, "embeddings"),
        "/api/tags": tags(),
    }
    for path, payload in answers.items():
        upstream.on(path, upstreams.answer(200, payload) if healthy else upstreams.silent())


def percentile(times: list[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[98] * 1000


def ask(port: int, key: str, path: str, requests: int, connections: int) -> list[float]:
    """Seconds of each request."""
    times: list[float] = []
    left = [requests]
    lock = threading.Lock()

    def work() -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while True:
            with lock:
                left[0] -= 1
                if left[0] < 0:
                    return
            began = time.perf_counter()
            client.request("GET", path, headers={"Authorization": f"Bearer {key}"})
            response = client.getresponse()
            response.read()
            took = time.perf_counter() - began
            if response.status != 200:
                raise SystemExit(f"{path} answered {response.status}")
            with lock:
                times.append(took)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=2000, help="of each route, in each round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    upstream = upstreams.Upstream()
    with tempfile.TemporaryDirectory(prefix="modeldex-bench-") as folder:
        environment = os.environ | {
            "MODELDEX_ENV": "development",
            "DATA_DIR": folder,
            "LOG_LEVEL": "ERROR",
            "PROVIDER_CACHE_SECONDS": "2",
            "OPENROUTER_BASE_URL": f"{upstream.url}/api/v1",
            "OPENROUTER_API_KEY": "sk-or-v1-bench",
            "OLLAMA_BASE_URL": upstream.url,
            "PORT": str(free_port()),
        }
        manage(environment, "migrate", "--verbosity", "0")
        manage(environment, "shell", "--verbosity", "0", "-c", SETUP)
        key = manage(environment, "create_api_key", "bench")
        command = [sys.executable, "-m", "config.serving"]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            compare(upstream, int(environment["PORT"]), key, options)
        finally:
            server.terminate()
            server.wait(30)
            upstream.stop()


def compare(upstream: upstreams.Upstream, port: int, key: str, options: argparse.Namespace) -> None:
    script(upstream, healthy=True)
    wait_for(port)
    routes = [route for route in ROUTES if exists(port, key, route)]
    times: dict[tuple[str, bool], list[float]] = {(route, healthy): [] for route in routes for healthy in (True, False)}
    for _ in range(options.rounds):
        for healthy in (True, False):
            script(upstream, healthy=healthy)
            for route in routes:
                times[route, healthy] += ask(port, key, route, options.requests, options.connections)
    print(f"{'99th percentile, ms':<40}{'healthy':>10}{'hanging':>10}{'ratio':>8}{'slowest':>10}")
    for route in routes:
        well, ill = percentile(times[route, True]), percentile(times[route, False])
        print(f"{route:<40}{well:>10.1f}{ill:>10.1f}{ill / well:>8.2f}{max(times[route, False]) * 1000:>10.1f}")


def exists(port: int, key: str, route: str) -> bool:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("GET", route, headers={"Authorization": f"Bearer {key}"})
    return client.getresponse().status == 200


def free_port() -> int:
    fake = upstreams.Upstream()
    fake.stop()
    return fake.port


def wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            client.request("GET", "/healthz")
            if client.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server did not start.")


if __name__ == "__main__":
    main()
