"""compose.yaml and Dockerfile, as far as they can be held without a container engine."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from django.db import connection

from config import probe, serving
from tests.databases import program
from tests.servers import Server
from tests.settings_read import NAMES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
# Of development, or said by the image.
ELSEWHERE = {"MODELDEX_ENV", "DEBUG", "ENV_FILE", "HOST", "PORT", "DATA_DIR", "STATIC_ROOT"}


@pytest.mark.parametrize("name", ["prepare", "web", "sync"])
def test_every_setting_reaches_the_containers(name):
    passed = {key.removesuffix("_FILE") for key in SERVICES[name]["environment"]}
    assert passed == NAMES - ELSEWHERE


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_fills_the_disk_or_the_memory(name):
    service = SERVICES[name]
    assert service["mem_limit"]
    assert int(service["logging"]["options"]["max-file"]) * 10 <= 50
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])


def test_any_number_of_servers_may_run_and_each_gets_its_time_to_stop():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert int(SERVICES["web"]["stop_grace_period"].removesuffix("s")) > serving.GRACE
    assert SERVICES["web"]["environment"]["TRUSTED_PROXIES"].endswith(
        SERVICES["proxy"]["networks"]["inside"]["ipv4_address"] + "}"
    )


def test_no_secret_stands_in_the_file_or_in_a_services_environment():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if name.removesuffix("_FILE") in ("SECRET_KEY", "CREDENTIAL_KEYS", "API_KEY_PEPPERS", "POSTGRES_PASSWORD"):
                assert value == f"/run/secrets/{name.removesuffix('_FILE').lower()}"


@pytest.mark.django_db(transaction=True)
def test_the_secrets_of_the_first_lines_start_the_product(tmp_path, project_dir):
    """As they are made there, read as the container reads them."""
    lines = re.findall(r"(?m)^#     (.+)$", TEXT)
    assert lines[0].startswith("mkdir")
    subprocess.run(["bash", "-euc", "\n".join(lines)], cwd=tmp_path, check=True)
    files = {name: f"{tmp_path}/secrets/{name}" for name in COMPOSE["secrets"]}
    environment = {f"{name.upper()}_FILE": path for name, path in files.items()}
    environment |= {"PATH": os.environ["PATH"], "ALLOWED_HOSTS": "modeldex.example.com", "ENV_FILE": os.devnull}
    command = [str(project_dir / ".venv/bin/python"), "-c", "from config import settings as s; print(s.DATABASES)"]
    if not Path(command[0]).exists():
        command[0] = "python3"
    done = subprocess.run(command, cwd=project_dir, env=environment, capture_output=True, text=True)
    assert "'HOST': 'database'" in done.stdout, done.stderr


@pytest.mark.skipif(connection.vendor != "postgresql", reason="pg_dump reads PostgreSQL alone")
@pytest.mark.django_db(transaction=True)
def test_the_backup_service_keeps_14_copies_that_can_be_restored(database_url, tmp_path):
    url = urlsplit(database_url)
    script = SERVICES["backup"]["command"][0].replace("$$", "$")
    for there, here in (
        ("/backups", f"{tmp_path}/backups"), ("/run/secrets", str(tmp_path)), ("--host=database", f"--host={url.hostname} --port={url.port}"),
        ('" modeldex;', f'" {url.path[1:]};'), ("sleep 86400", "exit 7"),
    ):  # fmt: skip
        assert there in script
        script = script.replace(there, here)
    (tmp_path / "postgres_password").write_text("x\n")
    (tmp_path / "backups").mkdir()
    for number in range(15):
        (tmp_path / "backups" / f"modeldex-20260101T0000{number:02}Z.dump").touch()
    path = f"{Path(program('pg_dump')).parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-euc", script], env={"PATH": path}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 7, done.stderr
    copies = sorted((tmp_path / "backups").iterdir())
    assert (len(copies), copies[0].name) == (14, "modeldex-20260101T000002Z.dump")
    command = [program("pg_restore"), "--list", str(copies[-1])]
    assert "catalog_aimodel" in subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.django_db(transaction=True)
def test_the_probe_asks_whether_it_can_serve(server: Server, monkeypatch):
    monkeypatch.setenv("PORT", str(server.port))
    assert probe.main() == 0
    assert server.logged('"GET /readyz ')
    monkeypatch.setenv("PORT", "1")
    assert probe.main() == 1


def test_the_image_runs_as_a_fixed_user_without_what_installs():
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert "USER 10001:10001\n" in final
    assert "MALLOC_ARENA_MAX=2" in final
    assert "ensurepip" in final
    assert "--without-pip /opt/venv" in DOCKERFILE
