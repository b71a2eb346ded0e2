"""
The whole OpenAPI document against the server that is shipped, by schemathesis: every check, all phases, on each database.

    python -m tests.drills.fuzz [--requests 20000] [--databases sqlite,postgresql] [--examples 30] [--seed 1]

Rounds go on, each with the next seed, until the server has answered so many requests. Fails where an answer was a 5xx
or a check failed. One check is left out: whether what the schema allows is accepted hangs on rows (a base model that
there is, a cursor that was answered).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tests.environment  # noqa: F401 - the settings of the tests
from tests.databases import postgresql
from tests.servers import Server, managed, running

ROOT = Path(__file__).parents[2]
STATUS = re.compile(r'" ([1-5]\d\d) ')
# The models, keys and people that the document's examples name, so that these are accepted. Prints what there is.
FILL = """
import json
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from apikeys import exports, keys
from apikeys.models import ApiKey, Scope
from apikeys.policy import KeyPolicy
from catalog.editing.history import Author
from catalog.models import AIModel
from providers import defaults
defaults.create_providers(), defaults.load_curated()
olga = get_user_model().objects.create_user("olga")
ids = ["acme/large", "acme/small", "a/../b", "a%2Fb", "x?y#z", "é/ü"]
AIModel.objects.bulk_create(AIModel(model_id=i, name=i, is_available=True) for i in ids if not AIModel.objects.filter(model_id=i))
AIModel.objects.create(model_id="mine", name="mine", kind="custom", owner=olga, base_model=AIModel.objects.get(model_id="acme/large"))
Group.objects.bulk_create(Group(name=str(n)) for n in range(3))
actor = keys.Actor(Author.person(olga), is_staff=True)
made = [keys.create(olga, {"name": f"key {n}", "scopes": Scope.values}, KeyPolicy("all"), actor) for n in range(3)]
ApiKey.objects.filter(pk=made[1].key.pk).update(key_id="4Xq0sWm3TzBk")
token = exports.create(made[2].key, "an export", actor).token
print(json.dumps({"key": made[0].token, "own": made[0].key.key_id, "model_id": [*ids, "mine", "openai/gpt-4o", "none"],
    "key_id": ["4Xq0sWm3TzBk", made[2].key.key_id], "token": [token], "provider": ["acme", "openai"]}))
"""


@contextmanager
def database(name: str, folder: Path) -> Iterator[str]:
    if name == "sqlite":
        yield f"sqlite:///{folder}/fuzz.sqlite3"
    else:
        with postgresql() as url:
            yield url


def round_of(server: Server, world: str, seed: int, examples: int, report: Path) -> int:
    """One run of schemathesis, its words in the report; its exit code."""
    command = [
        Path(sys.executable).with_name("st"), "run", f"{server.url}/api/schema", "--checks", "all",
        "--exclude-checks", "positive_data_acceptance", "--header", f"Authorization: Bearer {json.loads(world)['key']}",
        "--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure", "--no-color", "--warnings", "off",
        "--suppress-health-check", "all", "--no-shrink", "--request-timeout", "20",
    ]  # fmt: skip
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.drills.fuzz_hooks",
        "FUZZ_WORLD": world,
        "PYTHONPATH": str(ROOT),
    }
    with report.open("ab") as output:
        return subprocess.run(command, cwd=report.parent, env=environment, stdout=output, stderr=output).returncode


def answered(server: Server) -> Counter[str]:
    """How many answers had each status, by the access log."""
    with server.log.open(errors="replace") as lines:
        return Counter(found[1] for line in lines if (found := STATUS.search(line)))


def fuzzed(name: str, requests: int, examples: int, seed: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="modeldex-fuzz-") as home, database(name, Path(home)) as url:
        folder, failed = Path(home), []
        report = folder / "report"
        managed(ROOT, "migrate", "-v0", DATABASE_URL=url)
        world = managed(ROOT, "shell", "-v0", "-c", FILL, DATABASE_URL=url).splitlines()[-1]
        with running(folder / "log", ROOT, DATABASE_URL=url, ACCESS_LOG="1", DATABASE_POOL_MAX_SIZE="4") as server:
            while (statuses := answered(server)).total() < requests:
                if round_of(server, world, seed, examples, report):
                    failed.append(seed)
                seed += 1
                if answered(server).total() < statuses.total() + 100:
                    raise SystemExit(f"The round sent next to nothing:\n{report.read_text(errors='replace')}")
        print(
            f"{name}: {statuses.total():,} requests; " + ", ".join(f"{s}: {n:,}" for s, n in sorted(statuses.items()))
        )
        broken = sum(count for status, count in statuses.items() if status >= "500")
        if failed or broken:
            print(f"{name}: {broken} answers of 5xx; checks failed with the seeds {failed}:")
            print(report.read_text(errors="replace"))
            print(
                "\n".join(
                    line for line in (folder / "log").read_text(errors="replace").splitlines() if " ERROR " in line
                )
            )
        return not (failed or broken)


def main() -> None:
    # A terminated run leaves through the context managers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--examples", type=int, default=30, help="of each operation, in a round")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    held = [fuzzed(name, asked.requests, asked.examples, asked.seed) for name in asked.databases.split(",")]
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
