"""config/metrics.py: /metrics, and the logs as JSON."""

import json
import logging
import sys

import pytest
import requests
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from config.api import compression
from config.api.logging import JSONFormatter
from providers.models import Provider, SyncRun
from tests.servers import running

TOKEN = "a token of some length"


def parsed(text):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"bearer {TOKEN}x"])
def test_without_the_token_there_is_no_such_address(api, settings, header):
    settings.METRICS_TOKEN = TOKEN
    sent = {} if header is None else {"HTTP_AUTHORIZATION": header}
    assert api.get("/metrics", **sent).status_code == 404


def test_a_write_is_answered_as_at_no_address(api, settings):
    settings.METRICS_TOKEN = TOKEN
    assert Client(enforce_csrf_checks=True).post("/metrics").status_code == 404


@pytest.mark.parametrize("header", ["Bearer ", "Bearer"])
def test_without_a_token_in_the_settings_nobody_is_let_in(api, settings, header):
    settings.METRICS_TOKEN = ""
    assert api.get("/metrics", HTTP_AUTHORIZATION=header).status_code == 404


def test_sources_runs_and_models_are_told(api, settings, make_model):
    settings.METRICS_TOKEN = TOKEN
    now = timezone.now()
    fields = {"name": "Acme", "kind": "compatible", "base_url": "https://acme.example/v1"}
    acme = Provider.objects.create(slug="acme", last_success_at=now, credential_refused_at=now, **fields)
    Provider.objects.create(slug="off", is_active=False, **fields)
    SyncRun.objects.create(provider=acme, state="held")
    make_model("acme/x")
    make_model("acme/hidden", hidden=True)
    told = parsed(api.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {TOKEN}").content.decode())
    assert told["modeldex_source_last_success_timestamp_seconds", ("provider", "acme")] == pytest.approx(
        now.timestamp()
    )
    assert told["modeldex_source_last_run", ("provider", "acme"), ("state", "held")] == 1
    assert told["modeldex_models", ("state", "available")] == told["modeldex_models", ("state", "withheld")] == 1
    assert (told["modeldex_held_runs",], told["modeldex_refused_credentials",]) == (1, 1)
    assert told["modeldex_database_up",] == 1
    assert not any("off" in str(name) for name in told)


def test_the_bytes_that_are_kept_are_told_by_cache(api, settings, alice, make_key, make_model):
    settings.METRICS_TOKEN = TOKEN
    compression._compressed.clear()
    make_model("acme/x", description="x" * 5_000)
    key = make_key(alice).token
    assert api.with_key(key).get("/v1/models", HTTP_ACCEPT_ENCODING="gzip").headers["Content-Encoding"] == "gzip"
    told = parsed(api.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {TOKEN}").content.decode())
    bodies, visibilities = (told["modeldex_kept_bytes", ("cache", cache)] for cache in ("bodies", "visibilities"))
    assert bodies > 5_000 > told["modeldex_compressed_bytes",] > 0 < visibilities


@pytest.mark.django_db(transaction=True)
def test_all_workers_count_together(database_url, project_dir, tmp_path):
    with running(
        tmp_path / "log", project_dir, DATABASE_URL=database_url, METRICS_TOKEN=TOKEN, WEB_WORKERS="2"
    ) as server:
        for _ in range(20):
            assert requests.get(f"{server.url}/v1/models", timeout=10).status_code == 401
        sent = {"Authorization": f"Bearer {TOKEN}"}
        tellings = [parsed(requests.get(f"{server.url}/metrics", headers=sent, timeout=10).text) for _ in range(6)]
    labels = (("method", "GET"), ("route", "v1/models"), ("status", "401"))
    assert {told["modeldex_requests_total", *labels] for told in tellings} == {20}
    assert {told["modeldex_refusals_total", ("code", "not_authenticated")] for told in tellings} == {20}


def test_a_line_of_json_holds_no_credential_and_no_line_break():
    record = logging.LogRecord("modeldex", logging.INFO, "x.py", 1, "Bearer %s\nand more", ("sk-or-v1-secret",), None)
    record.request_id, record.status_code, record.request = "an-id", 401, object()
    line = JSONFormatter().format(record)
    told = json.loads(line)
    assert "\n" not in line
    assert "secret" not in line
    assert {name: told[name] for name in ("level", "logger", "request_id", "status_code")} == {
        "level": "INFO",
        "logger": "modeldex",
        "request_id": "an-id",
        "status_code": 401,
    }
    assert told["time"].startswith("20")
    assert "request" not in told


def test_a_traceback_is_one_line_of_json_and_masked():
    try:
        raise ValueError("password=hunter22 in it")
    except ValueError:
        record = logging.LogRecord("modeldex", logging.ERROR, "x.py", 1, "It failed", (), sys.exc_info())
    told = json.loads(JSONFormatter().format(record))
    assert "ValueError" in told["traceback"]
    assert "hunter22" not in told["traceback"]
