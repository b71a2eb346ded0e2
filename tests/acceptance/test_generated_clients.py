"""Clients that four generators make of the OpenAPI document: nothing left out, compiled, and used on a real server.

`make acceptance` installs the generators beside the project and runs this; elsewhere it is skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
HOME = os.environ.get("ACCEPTANCE_HOME", "")
TOOLS, PYTHON = Path(HOME, "node_modules", ".bin"), Path(HOME, "python3", "bin")
SECONDS = 600

pytestmark = [
    pytest.mark.skipif(not HOME, reason="the generators are not installed; `make acceptance` installs them"),
    pytest.mark.django_db(transaction=True),
]

# openapi-python-client reads the types of answers by these names: pictures are bytes to it, and a feed is text.
CONFIG = {
    "content_type_overrides": {"image/*": "application/octet-stream", "application/atom+xml": "text/xml"},
    "post_hooks": [],
}
GENERATORS: dict[str, list[Any]] = {
    "openapi-typescript": [TOOLS / "openapi-typescript", "document.json", "-o", "typed.ts"],
    "orval's client": [TOOLS / "orval", "-i", "document.json", "-o", "client.ts", "--client", "fetch"],
    "orval's zod": [TOOLS / "orval", "-i", "document.json", "-o", "answers.ts", "--client", "zod"],
    "openapi-python-client": [
        *(PYTHON / "openapi-python-client", "generate", "--path", "document.json", "--meta", "none"),
        *("--output-path", "made_by_python_client", "--config", "config.json", "--fail-on-warning"),
    ],
    "openapi-generator": [
        *(PYTHON / "openapi-generator-cli", "generate", "-i", "document.json", "-g", "python", "-o", "."),
        *("--package-name", "made_by_generator"),
    ],
}
# What openapi-generator says of any document of OpenAPI 3.1 that has a field which may be null.
OF_EVERY_DOCUMENT = ("OpenAPI 3.1 support is still in beta", "Failed to get the schema name: null")
# It looks up a class for each query parameter too, and says so of the names that Python has for itself. It makes none.
OF_PARAMETERS = (
    "Field (reserved word) cannot be used as model name. Renamed to ModelField",
    "From (reserved word) cannot be used as model name. Renamed to ModelFrom",
)

# The libraries' own declarations are not looked at.
COMPILED = ("--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "--outDir", "built")


@pytest.fixture(scope="module")
def generated(server: Any) -> tuple[Path, dict[str, subprocess.CompletedProcess[str]]]:
    """The folder with what the generators made, and what each of them said."""
    folder = Path(HOME, "generated")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "document.json").write_bytes(server.request("GET", "/api/schema?format=json").body)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    for program in HERE.glob("generated_client.*"):
        shutil.copy(program, folder)
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda command: _run(folder, *command), GENERATORS.values())
        return folder, dict(zip(GENERATORS, done, strict=True))


@pytest.fixture
def question(server: Any, make_user: Any, make_model: Any, make_key: Any) -> list[str]:
    """What the programs are started with: the address, a key and a model id."""
    make_model("acme/large", tags=["fast"], context_length=8192, pricing={"prompt": "0.0000025"}, supports_tools=True)
    key = make_key(make_user("alice"), per_minute=600)
    return [server.url, key.token, "acme/large"]


EXPECTED = {
    "first": "acme/large",
    "checks": True,
    "keys": [1, 1],
    "found": [["acme/large"], 1],
    "catalog": ["acme/large"],
    "picked": ["acme/large"],
    "switched": [True, True],
}


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_generator_leaves_nothing_out(generated, generator):
    done = generated[1][generator]
    assert done.returncode == 0, done.stdout + done.stderr
    complaints = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if re.search(r"\b(warn(ing)?|error|skip(ped|ping)?|unsupported|renamed)\b|⚠", line, re.IGNORECASE)
        and not any(remark in line for remark in OF_EVERY_DOCUMENT + OF_PARAMETERS)
        and "writing file" not in line
    ]
    assert complaints == []


def test_the_typescript_compiles_and_reads_what_is_answered(generated, question):
    folder = generated[0]
    compiled = _run(folder, TOOLS / "tsc", *COMPILED, "generated_client.ts")
    assert compiled.returncode == 0, compiled.stdout
    assert _told(folder, "node", "built/generated_client.js", *question) == EXPECTED


def test_the_python_clients_read_what_is_answered(generated, question):
    assert _told(generated[0], PYTHON / "python", "generated_client.py", *question) == [EXPECTED, EXPECTED]


def _run(folder: Path, *command: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def _told(folder: Path, *command: Any) -> Any:
    done = _run(folder, *command)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
