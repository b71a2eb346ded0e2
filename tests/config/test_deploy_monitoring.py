"""config/deploy/prometheus/ and grafana/: rules as Prometheus evaluates them, and names that the product really tells."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.urls import resolve
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from providers.models import Provider, SyncRun
from tests.servers import running

DEPLOY = Path(__file__).parents[2] / "config" / "deploy"
RULES = (DEPLOY / "prometheus" / "alerts.yml").read_text()
CASES = (DEPLOY / "prometheus" / "alerts.test.yml").read_text()
DASHBOARD = (DEPLOY / "grafana" / "modeldex.json").read_text()
ALERTS = re.findall(r"- alert: (\w+)", RULES)
TOKEN = "a token of some length"
promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (of Debian's prometheus) is not installed")


@promtool
def test_every_alert_is_raised_where_it_should_be_and_nowhere_else():
    command = ["promtool", "test", "rules", str(DEPLOY / "prometheus" / "alerts.test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_prometheus_takes_the_configuration(tmp_path):
    (tmp_path / "modeldex.token").write_text(TOKEN)
    (tmp_path / "alerts.yml").write_text(RULES)
    ours = (DEPLOY / "prometheus" / "prometheus.yml").read_text().replace("/etc/prometheus", str(tmp_path))
    (tmp_path / "prometheus.yml").write_text(ours)
    command = ["promtool", "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_a_case_that_raises_it_and_one_that_does_not(alert):
    assert f"- alertname: {alert}\n" in CASES
    assert f"alertname: {alert}, eval_time: 1490m, exp_alerts: []" in CASES


@pytest.mark.django_db(transaction=True)
def test_every_metric_of_the_rules_and_the_dashboard_is_told(
    database_url, project_dir, tmp_path, make_user, make_key, make_model
):
    make_model("acme/large")
    fields = {"name": "Acme", "kind": "compatible", "base_url": "https://acme.example/v1"}
    acme = Provider.objects.create(slug="acme", last_success_at=timezone.now(), **fields)
    SyncRun.objects.create(provider=acme, state="failed")
    key = make_key(make_user("alice")).token
    with running(tmp_path / "log", project_dir, DATABASE_URL=database_url, METRICS_TOKEN=TOKEN) as server:
        assert server.request("GET", "/v1/models", Authorization=f"Bearer {key}").status == 200
        assert server.request("GET", "/v1/models").status == 401
        body = server.request("GET", "/metrics", Authorization=f"Bearer {TOKEN}").body.decode()
    told = {sample.name for family in text_string_to_metric_families(body) for sample in family.samples}
    asked = {name for text in (RULES, CASES, DASHBOARD) for name in re.findall(r"\bmodeldex_[a-z_]+", text)}
    assert asked - told == set()


def test_routes_that_the_rules_name_are_routes():
    named = set(re.findall(r'route!?="([^"]+)"', RULES))
    assert named == {resolve(f"/{route}").route for route in named}


def test_the_dashboard_is_one_that_grafana_imports():
    panels = json.loads(DASHBOARD)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(target["expr"] for panel in panels for target in panel["targets"])
