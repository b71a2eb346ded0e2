"""config/deploy/kubernetes/: what it starts is what compose.yaml and the units start, and what it asks is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import load_command_class
from django.urls import resolve

from config import serving
from tests.settings_read import NAMES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "config" / "deploy"
FOLDER = DEPLOY / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SETTINGS = dict(re.findall(r"(?m)^([A-Z_]+)=(.*)$", (FOLDER / "settings.env").read_text()))
OBJECTS = {
    (item["kind"], item["metadata"]["name"]): item
    for name in KUSTOMIZATION["resources"]
    for document in yaml.safe_load_all((FOLDER / name).read_text())
    for item in document.get("items", [document])
}
SERVER = OBJECTS["Deployment", "modeldex-web"]["spec"]


def pod(item: dict[str, Any]) -> dict[str, Any]:
    spec = item["spec"]
    return spec.get("jobTemplate", {"spec": spec})["spec"]["template"]["spec"]


PODS = {name: pod(item) for (kind, name), item in OBJECTS.items() if kind in ("Deployment", "Job", "CronJob")}
WEB = PODS["modeldex-web"]["containers"][0]


def started(name: str) -> list[str]:
    return PODS[f"modeldex-{name}"]["containers"][0]["command"]


def of_unit(name: str) -> list[str]:
    text = (DEPLOY / "systemd" / f"modeldex-{name}.service").read_text()
    return re.findall(r"(?m)^ExecStart=\S+/(python .*)$", text)[0].split()


def test_each_pod_starts_what_compose_and_the_units_start():
    assert started("web") == of_unit("web")
    assert started("migrate") == COMPOSE["prepare"]["command"]
    # Here the clock is the cluster's.
    assert [*started("sync"), "--every", "1h"] == of_unit("sync") == COMPOSE["sync"]["command"]
    assert re.fullmatch(r"\d+ \* \* \* \*", OBJECTS["CronJob", "modeldex-sync"]["spec"]["schedule"])
    assert started("prune") == of_unit("prune")
    hour, minute = re.findall(r"OnCalendar=Sun (\d+):(\d+)", (DEPLOY / "systemd/modeldex-prune.timer").read_text())[0]
    assert OBJECTS["CronJob", "modeldex-prune"]["spec"]["schedule"] == f"{int(minute)} {int(hour)} * * 0"


def test_what_is_called_stale_is_what_raises_the_alert():
    arguments = load_command_class("providers", "check_freshness").create_parser("", "check_freshness")
    asked = arguments.parse_args(started("freshness")[3:])
    seconds = int(asked.older_than.total_seconds())
    assert f"> {seconds // 3600} * 3600" in (DEPLOY / "prometheus" / "alerts.yml").read_text()


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_confined_and_runs_as_the_images_user(name):
    user, container = PODS[name]["securityContext"], PODS[name]["containers"][0]
    assert f"USER {user['runAsUser']}:{user['runAsGroup']}\n" in DOCKERFILE
    assert user["runAsNonRoot"]
    assert PODS[name]["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": COMPOSE["web"]["cap_drop"]}
    assert container["resources"]["limits"]["memory"].lower() == f"{COMPOSE['web']['mem_limit']}i"
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {*COMPOSE["web"]["tmpfs"], "/data"}


@pytest.mark.parametrize("name", PODS)
def test_variables_are_settings_of_ours_and_secrets_are_the_secrets_alone(name):
    container = PODS[name]["containers"][0]
    assert container["env"] == [{"name": "MALLOC_ARENA_MAX", "value": "2"}]
    assert container["envFrom"] == [{"configMapRef": {"name": "modeldex"}}, {"secretRef": {"name": "modeldex"}}]
    assert KUSTOMIZATION["configMapGenerator"] == [{"name": "modeldex", "envs": ["settings.env"]}]
    secret = {name.removesuffix("_FILE") for name in COMPOSE["web"]["environment"] if name.endswith("_FILE")}
    assert not [kind for kind, _ in OBJECTS if kind == "Secret"]
    assert set(SETTINGS) <= NAMES - secret
    page = (DEPLOY / "README.md").read_text()
    assert set(re.findall(r"--from-literal=([A-Z_]+)=", page)) == secret


def test_probes_ask_for_the_process_and_for_what_it_can_serve():
    asked = {kind: WEB[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    names = {kind: resolve(probe["path"]).view_name for kind, probe in asked.items()}
    assert names == {"startup": "healthz", "liveness": "healthz", "readiness": "readyz"}
    port = WEB["ports"][0]
    assert f"PORT={port['containerPort']} \\" in DOCKERFILE
    for probe in asked.values():
        assert probe["port"] == port["name"] == OBJECTS["Service", "modeldex"]["spec"]["ports"][0]["targetPort"]
        assert {header["name"]: header["value"] for header in probe["httpHeaders"]} == {"Host": "modeldex"}
    assert "modeldex" in SETTINGS["ALLOWED_HOSTS"].split(",")


def test_an_update_takes_no_server_away_before_another_is_ready_and_lets_requests_end():
    assert SERVER["replicas"] == 2
    assert SERVER["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pause = int(WEB["lifecycle"]["preStop"]["exec"]["command"][1])
    assert PODS["modeldex-web"]["terminationGracePeriodSeconds"] >= pause + serving.GRACE + 5
    labels = SERVER["template"]["metadata"]["labels"]
    assert labels == SERVER["selector"]["matchLabels"] == OBJECTS["Service", "modeldex"]["spec"]["selector"]
    assert labels == OBJECTS["PodDisruptionBudget", "modeldex-web"]["spec"]["selector"]["matchLabels"]
