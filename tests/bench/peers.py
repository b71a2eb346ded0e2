"""
LiteLLM's `/v1/models` beside ours: as many models, one worker each, 16 connections, alternating rounds.

    python -m tests.bench.peers --litellm COMMAND [--models 421] [--rounds 3] [--seconds 3]

`make bench-peers` installs it, outside of the product's environment.
"""

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import reads
from tests.databases import _free_port, postgresql

KEY = "sk-of-the-benchmark-0123456789"


@contextmanager
def litellm(command: str, models: int, folder: Path) -> Iterator[int]:
    """Yields the port of its proxy, which knows as many models and one key."""
    port, config = _free_port(), folder / "litellm.yaml"
    config.write_text(
        f"general_settings:\n  master_key: {KEY}\nmodel_list:\n"
        + "".join(
            f"  - model_name: author{n % 40}/model-{n}\n    litellm_params:\n      model: openai/model-{n}\n"
            for n in range(models)
        )
    )
    environment = os.environ | {"LITELLM_LOG": "ERROR", "OPENAI_API_KEY": "none"}
    log = folder / "litellm.log"
    with log.open("wb") as output:
        proxy = subprocess.Popen(
            [command, "--config", config, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"],
            cwd=folder, env=environment, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while not answers(port):
            if proxy.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"LiteLLM did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.5)
        yield port
    finally:
        proxy.terminate()
        proxy.wait(30)


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/liveliness")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--litellm", required=True, help="the command of its environment")
    for name, default in (("models", 421), ("rounds", 3), ("seconds", 3)):
        options.add_argument(f"--{name}", type=int, default=default)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="modeldex-bench-") as data, postgresql() as url:
        port = _free_port()
        environment = os.environ | reads.environment(url, data, port)

        def run(*arguments: str) -> list[str]:
            command = [sys.executable, *arguments]
            done = subprocess.run(
                command, cwd=reads.ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
            return done.stdout.split()

        run("manage.py", "migrate", "--verbosity", "0")
        every, narrow, *_ = run("-m", "tests.bench.fill", str(chosen.models))
        with reads.running_server(environment, port), litellm(chosen.litellm, chosen.models, Path(data)) as theirs:
            cases = {
                f"LiteLLM, {chosen.models} models": (theirs, KEY),
                "ours, all of them with all metadata": (port, every),
                "ours, a key of 50": (port, narrow),
            }
            rates: dict[str, list[float]] = {name: [] for name in cases}
            for _ in range(1 + chosen.rounds):
                for name, (where, key) in cases.items():
                    headers = f"Authorization: Bearer {key}\r\n"
                    found = reads.latencies(where, "/v1/models", [headers], chosen.seconds, 16)
                    rates[name].append(len(found) / chosen.seconds)
    print(
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n\n| `/v1/models` | a second | times LiteLLM |\n|---|---|---|"
    )
    least = None
    for name, found in rates.items():
        # The first round is for warming up.
        rate = statistics.median(found[1:])
        least = least or rate
        print(f"| {name} | {rate:.1f} | {rate / least:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
