"""
The image as it is built, and containers of it as compose.yaml starts them: `make image-test`, as root.

Needs Debian's podman, crun and debootstrap. Where the base image cannot be pulled, Debian's Python stands in for it.
"""

from __future__ import annotations

import http.cookies
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from tests.databases import postgresql
from tests.drills.podman import COMPOSE, HERE, NEEDED, ROOT, Podman, flags, own_mounts
from tests.servers import Answer, Server, free_port

pytestmark = pytest.mark.skipif("IMAGE_TESTS" not in os.environ, reason="`make image-test` builds an image and runs it")

DOMAIN = "modeldex.example.com"
PASSWORD = "A-long-enough-passphrase-1"
# Planted in files that no image may hold.
CANARY = "canary-8b1d4e0c7f"
PLANTED = (
    ".env", ".git/config", "secrets/secret_key", "data/modeldex.sqlite3", "modeldex.sqlite3", "config/deploy/secret_key",
    "catalog/__pycache__/models.cpython-311.pyc", "tests/data/secret", "node_modules/secret.js",
)  # fmt: skip
COUNT = """
from django.conf import settings
from catalog.models import AIModel
print(settings.DATABASES["default"]["NAME"].rpartition("/")[0], AIModel.objects.count() > 40)
"""
TOOLS = re.compile(r"(?:.*-)?(?:gcc|g\+\+|cc|c\+\+|clang|tcc|ld|as|make|cargo|rustc|git|pip|uv|easy_install)[\d.-]*")
PACKAGERS = {"pip", "ensurepip", "setuptools", "pkg_resources", "wheel", ".git"}


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    if os.geteuid() != 0:
        pytest.skip("only root can build and run containers here")
    if missing := [name for name in NEEDED if not shutil.which(name)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    try:
        own_mounts()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine gives no mounts of one's own: {error}")
    with tempfile.TemporaryDirectory(prefix="modeldex-image-", ignore_cleanup_errors=True) as name:
        started = Podman(Path(name))
        yield started
        started.end()


@pytest.fixture(scope="module")
def image(podman: Podman) -> Podman:
    """Built of what git would commit, with secrets planted around it."""
    context = podman.home / "context"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0"):
        if (ROOT / name).is_file():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, context / name)
    for name in PLANTED:
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(CANARY)
    default = re.search(r"(?m)^ARG BASE=(\S+)", (ROOT / "Dockerfile").read_text())
    assert default is not None
    base = podman.base(default[1])
    # What has nothing to do with our image is no fault of it.
    probe = podman("run", "--rm", *HERE, "--memory=64m", "--read-only", base, "true", check=False)
    if probe.returncode:
        pytest.skip(f"this machine runs no containers: {probe.stderr.strip()}")
    podman.build(context, base)
    return podman


@pytest.fixture(scope="module")
def tree(image: Podman) -> Iterator[Path]:
    """The files of the image."""
    yield Path(image("image", "mount", "localhost/modeldex").stdout.strip())
    image("image", "unmount", "localhost/modeldex")


@dataclass
class Web:
    """A container of the service `web`."""

    podman: Podman
    name: str
    port: int

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        """As the proxy hands it on."""
        known = {"Host": DOMAIN, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
        return Server(self.port, Path(), None).request(method, path, body, **known, **headers)  # type: ignore[arg-type]

    def manage(self, *words: str) -> str:
        return self.podman("exec", self.name, "python", "manage.py", *words).stdout

    def wait(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError):
                if until():
                    return
            time.sleep(0.2)
        raise AssertionError(self.podman("logs", self.name).stdout)

    def is_healthy(self) -> bool:
        return self.podman("healthcheck", "run", self.name, check=False).returncode == 0


@pytest.fixture(scope="module")
def secrets(image: Podman) -> Iterator[Path]:
    """Made by the first lines of compose.yaml, for a PostgreSQL of our own."""
    lines = re.findall(r"(?m)^#     (.+)$", (ROOT / "compose.yaml").read_text())
    subprocess.run(["bash", "-euc", "\n".join(lines)], cwd=image.home, check=True)
    with postgresql() as maintenance:
        with psycopg.connect(maintenance, autocommit=True) as connection:
            connection.execute("CREATE DATABASE modeldex")
        (image.home / "secrets/database_url").write_text(maintenance.rpartition("/")[0] + "/modeldex\n")
        yield image.home / "secrets"


@pytest.fixture(scope="module")
def webs(image: Podman, secrets: Path) -> list[Web]:
    """Two servers on one database, prepared as compose.yaml does, and healthy."""
    environment = {"DOMAIN": DOMAIN, "TRUSTED_PROXIES": "127.0.0.1"}
    image.run("prepare", secrets, environment)
    webs = [Web(image, f"web{number}", free_port()) for number in (1, 2)]
    for web in webs:
        image.start(web.name, "web", secrets, environment | {"PORT": str(web.port)})
    for web in webs:
        web.wait(web.is_healthy)
    image(
        "exec", f"--env=DJANGO_SUPERUSER_PASSWORD={PASSWORD}", "web1", "python", "manage.py", "createsuperuser",
        "--noinput", "--username=root", "--email=",
    )  # fmt: skip
    return webs


def files(tree: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All but devices, as the path within the image."""
    for folder, folders, names in os.walk(tree):
        for name in (*folders, *names):
            path = Path(folder, name)
            yield path.relative_to(tree), path.lstat()


def test_the_image_holds_nothing_that_compiles_or_installs(tree):
    held = [path for path, _ in files(tree)]
    assert [str(path) for path in held if path.parent.name in ("bin", "sbin") and TOOLS.fullmatch(path.name)] == []
    assert [str(path) for path in held if path.name in PACKAGERS or path.suffix == ".whl"] == []


def test_the_image_holds_no_secret_and_nothing_beside_the_product(image, tree):
    assert {path.name for path in (tree / "app").iterdir()} == {
        "__pycache__", "apikeys", "catalog", "config", "manage.py", "preferences", "providers", "pyproject.toml",
        "requirements.lock", "staticfiles", "templates",
    }  # fmt: skip
    held = [path for path, status in files(tree) if stat.S_ISREG(status.st_mode)]
    assert [str(path) for path in held if CANARY.encode() in (tree / path).read_bytes()] == []
    assert [str(path) for path in held if path.suffix in (".sqlite3", ".env") or path.name == ".env"] == []
    settings = image("image", "inspect", "localhost/modeldex", "--format", "{{json .Config.Env}}").stdout
    names = {variable.partition("=")[0] for variable in json.loads(settings)}
    assert {name for name in names if re.search("KEY|PEPPER|SECRET|PASSWORD|TOKEN|URL", name)} == {"GPG_KEY"} & names
    assert (list((tree / "tmp").iterdir()), list((tree / "data").iterdir())) == ([], [])


def test_the_image_runs_as_one_fixed_user_to_whom_only_data_belongs(image, tree):
    told = json.loads(image("image", "inspect", "localhost/modeldex").stdout)[0]
    assert told["Config"]["User"] == "10001:10001"
    assert told["Healthcheck"]["Test"] == COMPOSE["services"]["web"]["healthcheck"]["test"]
    assert [str(path) for path, status in files(tree) if 10001 in (status.st_uid, status.st_gid)] == ["data"]
    assert stat.S_IMODE((tree / "data").stat().st_mode) == 0o700
    kinds = [(str(path), status.st_mode) for path, status in files(tree) if status.st_mode & stat.S_IWOTH]
    open_to_all = [
        path for path, mode in kinds if stat.S_ISREG(mode) or (stat.S_ISDIR(mode) and not mode & stat.S_ISVTX)
    ]
    assert open_to_all == []


def test_a_container_may_do_nothing_but_serve(webs):
    script = """
import os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(os.getuid(), os.getgid(), int(status["CapBnd"], 16), int(status["NoNewPrivs"]))
for path in ("/app/x", "/data/x", "/opt/venv/x", "/tmp/x"):
    try:
        open(path, "w").close()
        print("written")
    except OSError as error:
        print(error.strerror)
"""
    said = webs[0].podman("exec", "web1", "python", "-c", script).stdout.splitlines()
    assert said[0] == "10001 10001 0 1"
    # /data is a volume, of a container's own where none is named.
    assert said[1:] == ["Read-only file system", "written", "Read-only file system", "written"]
    limit = webs[0].podman("inspect", "web1", "--format", "{{.HostConfig.Memory}} {{.State.Pid}}").stdout.split()
    assert limit[0] == str(2**30) == limit_of(int(limit[1]))


def limit_of(process: int) -> str:
    """The bytes of memory that the kernel grants the process's control group."""
    groups = dict(line.split(":", 2)[1:] for line in Path(f"/proc/{process}/cgroup").read_text().splitlines())
    if "memory" in groups:
        return Path(f"/sys/fs/cgroup/memory{groups['memory']}/memory.limit_in_bytes").read_text().strip()
    return Path(f"/sys/fs/cgroup{groups['']}/memory.max").read_text().strip()


def test_two_containers_answer_and_see_what_the_other_changes(webs):
    for web in webs:
        assert [web.ask(path).status for path in ("/healthz", "/readyz", "/v1/models")] == [200, 200, 401]
    key = re.search(r"\S{40,}", webs[0].manage("create_api_key", "root", "--name", "image"))
    assert key is not None
    ask = {"Authorization": f"Bearer {key[0]}"}
    assert [web.ask("/v1/models", **ask).status for web in webs] == [200, 200]
    webs[1].manage("revoke_api_key", key[0])
    assert [web.ask("/v1/models", **ask).status for web in webs] == [401, 401]


def test_who_signs_in_at_one_is_signed_in_at_the_other_with_its_styles(webs):
    page = webs[0].ask("/admin/login/")
    token = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page.body)
    style = re.search(rb'href="(/static/[^"]+\.css)"', page.body)
    assert token is not None
    assert style is not None
    assert [web.ask(style[1].decode()).status for web in webs] == [200, 200]
    form = {"username": "root", "password": PASSWORD, "csrfmiddlewaretoken": token[1].decode()}
    signed_in = webs[1].ask(
        "/admin/login/", "POST", urlencode(form), Cookie=cookies(page), Referer=f"https://{DOMAIN}/admin/login/",
        Content_Type="application/x-www-form-urlencoded",
    )  # fmt: skip
    assert (signed_in.status, webs[0].ask("/admin/", Cookie=cookies(signed_in)).status) == (302, 200)


def cookies(answer: Answer) -> str:
    parsed = http.cookies.SimpleCookie(" ".join(answer.headers.get_all("Set-Cookie", [])))
    return "; ".join(f"{name}={morsel.value}" for name, morsel in parsed.items())


def test_its_log_tells_no_secret(webs, secrets):
    said = [webs[0].podman("logs", web.name) for web in webs]
    log = "".join(done.stdout + done.stderr for done in said)
    assert "0.0.0.0" in log
    assert [path.name for path in secrets.iterdir() if path.read_text().strip() in log] == []


def test_without_its_database_a_container_runs_and_is_not_healthy(webs, secrets):
    elsewhere = secrets.with_name("elsewhere")
    shutil.copytree(secrets, elsewhere)
    (elsewhere / "database_url").write_text("postgresql://modeldex@127.0.0.1:1/modeldex\n")
    web = Web(webs[0].podman, "astray", free_port())
    settings = {"DOMAIN": DOMAIN, "TRUSTED_PROXIES": "127.0.0.1", "PORT": str(web.port)}
    web.podman.start(web.name, "web", elsewhere, settings)
    web.wait(lambda: web.ask("/healthz").status == 200)
    assert (web.ask("/readyz").status, web.is_healthy()) == (503, False)


def test_a_secret_that_is_not_there_stops_the_start_in_a_sentence(webs, secrets):
    said = webs[0].podman(*flags_of("web", secrets, "secret_key"), check=False)
    assert (said.returncode, said.stderr.splitlines()[-1].partition(":")[0]) == (1, "Modeldex cannot start")
    assert "SECRET_KEY_FILE" in said.stderr


def flags_of(service: str, secrets: Path, without: str) -> list[str]:
    """The arguments of a container that lacks one of its secrets."""
    return [
        "run",
        "--rm",
        *(one for one in flags(service, secrets, {"DOMAIN": DOMAIN}) if f"secrets/{without}:" not in one),
    ]


def test_a_container_stops_in_its_grace_period_by_itself(webs):
    web, grace = webs[1], COMPOSE["services"]["web"]["stop_grace_period"].removesuffix("s")
    began = time.monotonic()
    web.podman("stop", "--time", grace, web.name)
    code = web.podman("inspect", web.name, "--format", "{{.State.ExitCode}}").stdout.strip()
    # 137 had been killed.
    assert (code, time.monotonic() - began < int(grace)) == ("0", True)
    assert webs[0].ask("/readyz").status == 200


def test_sqlite_lies_in_the_volume_where_no_database_is_named(image, secrets):
    given = [f"--env=ALLOWED_HOSTS={DOMAIN}", "--volume=catalog:/data"]
    for name in ("secret_key", "credential_keys", "api_key_peppers"):
        given += [f"--volume={secrets / name}:/run/secrets/{name}:ro", f"--env={name.upper()}_FILE=/run/secrets/{name}"]
    once = ["run", "--rm", "--no-healthcheck", *HERE, *given, "localhost/modeldex", "python", "manage.py"]
    image(*once, "quickstart", "--no-sync")
    assert image(*once, "shell", "-v0", "-c", COUNT).stdout == "/data True\n"
