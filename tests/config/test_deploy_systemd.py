"""config/deploy/systemd/: the units as systemd reads them, and the example of their settings."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.settings_read import NAMES

DEPLOY = Path(__file__).parents[2] / "config" / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("modeldex-*"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
EXAMPLE = (DEPLOY / "systemd" / "modeldex.env.example").read_text()
# Of development only.
ELSEWHERE = {"MODELDEX_ENV", "DEBUG", "ENV_FILE"}
analyzed = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


@analyzed
def test_systemd_takes_every_unit_without_a_word(tmp_path):
    """As on the host, where what is started is there: here something else stands in for it."""
    for unit in UNITS:
        text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={shutil.which('true')}", unit.read_text())
        (tmp_path / unit.name).write_text(re.sub(r"(?m)^EnvironmentFile=.*\n", "", text))
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "modeldex" in done.stderr) == (0, False), done.stderr


@analyzed
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_no_service_may_do_much_beyond_what_it_is_for(unit):
    """The exposure that systemd reckons, of 10; a unit without hardening has 9.6."""
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_services_differ_in_what_they_start_and_not_in_what_they_may():
    hardening = {unit.read_text().partition("NoNewPrivileges")[2].partition("\n\n")[0].strip() for unit in SERVICES}
    assert len(hardening) == 1
    assert {unit.with_suffix(".timer") for unit in SERVICES} >= {u for u in UNITS if u.suffix == ".timer"}


def test_the_example_names_every_setting_of_production_once():
    assert sorted(re.findall(r"(?m)^#?([A-Z_]+)=", EXAMPLE)) == sorted(NAMES - ELSEWHERE)


# `make drill-host` found these under systemd.
def test_units_start_nothing_that_a_bare_debian_lacks():
    started = {found for unit in SERVICES for found in re.findall(r"(?m)^Exec\w+=(\S+)", unit.read_text())}
    assert started == {"/opt/modeldex/.venv/bin/python", "/bin/sh"}


def test_a_sync_that_is_stopped_has_not_failed():
    """It ends as a command does that SIGTERM has ended: 128 + 15."""
    assert "\nSuccessExitStatus=143\n" in (DEPLOY / "systemd" / "modeldex-sync.service").read_text()


def test_the_guide_waits_until_the_server_listens():
    asked = re.findall(r"(?m)^curl .*readyz$", (DEPLOY / "README.md").read_text())
    assert [line for line in asked if "--retry-connrefused" not in line] == []
    assert len(asked) == 1
