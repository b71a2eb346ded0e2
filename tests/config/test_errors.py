"""config/api/errors.py: every refusal is one of two JSON envelopes, or a page for people, and is found in the log by its id."""

import json
import logging
import time

import pytest

from config.api import errors
from tests.machine import seconds

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.config.urls_for_errors")]

OUTCOMES = {"not-found": 404, "denied": 403, "suspicious": 400, "gone": 503, "bug": 500}
CODES = {400: "invalid_request", 403: "permission_denied", 404: "not_found", 500: "server_error", 503: "unavailable"}


def enveloped(answer) -> dict:
    """The body of an error under /api, held to everything that all of them promise."""
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    body = json.loads(answer.content)
    assert (
        {"code", "error", "message", "request_id"} <= set(body) <= {"code", "error", "message", "request_id", "errors"}
    )
    assert body["request_id"] == answer["X-Request-Id"]
    assert body["error"] == answer.reason_phrase
    assert all(hint not in answer.content.decode() for hint in ("SECRET", "Traceback", "SELECT", "/srv", "<html"))
    return body


@pytest.mark.parametrize(("what", "status"), OUTCOMES.items())
@pytest.mark.parametrize("kind", ["raising", "plain"])
def test_whatever_a_view_raises_is_an_envelope(api, caplog, kind, what, status):
    answer = api.get(f"/api/{kind}/{what}")
    assert (answer.status_code, enveloped(answer)["code"]) == (status, CODES[status])
    logged = {record.name for record in caplog.records}
    assert bool(logged & {"django.request", "django.security.SuspiciousOperation"}) == (what != "gone")


def test_an_outage_is_one_line_of_the_log_a_minute_and_says_when_to_come_back(api, caplog, monkeypatch):
    monkeypatch.setattr(errors, "_last_logged", -errors._QUIET)
    for path in ("/api/raising/gone", "/api/plain/gone", "/v1/raising/gone", "/plain/gone"):
        answer = api.get(path)
        assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert [record.name for record in caplog.records] == ["modeldex.errors"]


@pytest.mark.parametrize("prefix", ["/api", "/v1"])
@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/none", "testserver", 404),
        ("/echo", "evil.example", 400),
        *(
            (f"/{kind}/{what}", "testserver", status)
            for kind in ("raising", "plain")
            for what, status in OUTCOMES.items()
        ),
    ],
)
def test_with_debug_too_programs_get_json_and_no_stack(api, settings, prefix, path, host, status):
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = ["testserver"]
    answer = api.get(prefix + path, HTTP_HOST=host)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
    assert not any(hint in answer.content.decode() for hint in ("SECRET", "Traceback", "<html", "urls_for_errors"))
    assert "default-src 'none'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize(("what", "status"), OUTCOMES.items())
@pytest.mark.parametrize("kind", ["raising", "plain"])
def test_under_v1_it_is_openai_s_envelope(api, kind, what, status):
    answer = api.get(f"/v1/{kind}/{what}")
    error = json.loads(answer.content)["error"]
    assert (answer.status_code, set(error)) == (status, {"message", "type", "param", "code"})
    assert b"SECRET" not in answer.content


@pytest.mark.parametrize(("what", "status"), OUTCOMES.items())
def test_elsewhere_it_is_a_page_in_words(client, what, status):
    client.raise_request_exception = False
    answer = client.get(f"/plain/{what}")
    assert (answer.status_code, answer["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert answer["X-Request-Id"] in answer.content.decode()
    assert "SECRET" not in answer.content.decode()


def test_a_page_that_cannot_be_shown_becomes_plain_words(client, monkeypatch):
    def broken(*args, **kwargs):
        raise ValueError("Missing staticfiles manifest entry")

    monkeypatch.setattr(errors, "render", broken)
    answer = client.get("/no/such")
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert b"No such address." in answer.content


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/none", "/api/keys/", "/api/schema/", "/api/docs/x", "/healthz/"]
)
def test_an_unknown_route_is_404_and_no_redirect(api, path):
    for method in ("get", "post", "patch"):
        answer = getattr(api, method)(path)
        assert (answer.status_code, enveloped(answer)["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/none", "/v1/none/"])
def test_an_unknown_route_under_v1_is_404_in_openai_s_words(api, path):
    answer = api.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    "path",
    [
        "//v1/models", "///v1/models", "/v1//models", "/v1", "/v1/", "/./v1/models", "/x/../v1/models", "/V1/models",
        "/v1/models//", "/v1/%2e%2e/api",
        "//api/models", "/api//models", "/api", "/api/", "/API/models", "/./api/models", "/api/models/list/",
        "/api/models/custom/", "/api/../api/keys/",
    ],
)  # fmt: skip
def test_every_odd_form_of_an_address_is_404_in_json(api, alice, make_key, path):
    token = make_key(alice).token
    answer = api.generic("GET", "/", PATH_INFO=path, HTTP_AUTHORIZATION=f"Bearer {token}")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert {"error"} == set(answer.json()) or "request_id" in answer.json()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/schema", "/api/docs", "/api/redoc", "/api/echo"])
@pytest.mark.parametrize("method", ["DELETE", "TRACE", "FOO", "PUT"])
def test_another_method_is_405_with_those_that_are_allowed(api, path, method):
    answer = api.generic(method, path)
    assert (answer.status_code, enveloped(answer)["code"]) == (405, "method_not_allowed")
    assert "GET" in answer["Allow"]


@pytest.mark.parametrize("trick", [{"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"}, {"QUERY_STRING": "_method=DELETE"}])
def test_a_method_cannot_be_overridden(api, trick):
    assert api.post("/api/echo", {"a": 1}, **trick).json() == {"sent": {"a": 1}}


@pytest.mark.parametrize("path", ["/api/schema", "/api/docs", "/api/echo", "/healthz"])
@pytest.mark.parametrize("accept", ["application/xml", "image/png"])
def test_a_form_that_we_do_not_have_is_406(api, path, accept):
    answer = api.get(path, HTTP_ACCEPT=accept)
    assert (answer.status_code, enveloped(answer)["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize("name", ["", "xml", "api", "JSON", "json&format=yaml"])
def test_an_unknown_format_is_refused_by_name(api, name):
    answer = api.get(f"/api/schema?format={name}")
    assert answer.status_code == 400
    assert "format" in enveloped(answer)["errors"]


def test_an_unknown_parameter_is_refused_by_name(api):
    body = enveloped(api.get("/api/schema?fromat=json"))
    assert (body["code"], list(body["errors"])) == ("unknown_parameter", ["fromat"])


def test_nested_messages_are_flat_and_a_code_of_its_own_stands(api):
    assert enveloped(api.get("/api/raising/nested"))["errors"] == {"meta.tags.1.name": ["Too long."]}
    body = enveloped(api.get("/api/raising/coded"))
    assert (body["code"], body["message"]) == ("model_not_usable", "id: Not this one.")
    assert api.get("/v1/raising/coded").json()["error"]["param"] == "id"


def test_a_limit_says_when_to_come_back(api):
    answer = api.get("/api/raising/throttled")
    assert (answer.status_code, enveloped(answer)["code"]) == (429, "rate_limit_exceeded")
    assert answer["Retry-After"] == "9"


def test_who_is_not_signed_in_is_told_how(api):
    answer = api.post("/api/private")
    assert (answer.status_code, enveloped(answer)["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Bearer"
    assert api.post("/v1/private").json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Bearer  a b", "Basic YTpi", "Token x", "Bearer " + "x" * 7000, "\xff\xfe"]
)
@pytest.mark.parametrize("path", ["/api/echo", "/v1/echo", "/api/schema", "/api/docs", "/api/redoc"])
def test_an_unusable_credential_is_401_also_where_none_is_needed(api, path, value):
    answer = api.get(path, HTTP_AUTHORIZATION=value)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("sent", ["abc-1.2_3", "A" * 64])
def test_a_caller_s_own_request_id_is_kept(api, sent):
    assert api.get("/api/none", HTTP_X_REQUEST_ID=sent)["X-Request-Id"] == sent


@pytest.mark.parametrize("sent", ["", "a b", "A" * 65, "a\nb", "ä", "<b>"])
def test_an_odd_request_id_is_replaced(api, sent):
    answer = api.get("/api/none", HTTP_X_REQUEST_ID=sent)
    assert len(answer["X-Request-Id"]) == 32
    assert enveloped(answer)


@pytest.mark.parametrize("path", ["/", "/api/none", "/api/schema", "/healthz", "/admin/", "/v1/none", "/static/none"])
def test_every_answer_has_a_request_id_and_a_policy(client, path):
    answer = client.get(path)
    assert answer["X-Request-Id"]
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_the_log_names_the_request_and_is_one_line(api, caplog):
    caplog.set_level(logging.WARNING)
    api.get("/api/none/a%0d%0a2026-01-01 INFO admin logged in")
    line = next(record for record in caplog.records if record.name == "django.request")
    assert "\n" not in line.getMessage()


@pytest.mark.parametrize(
    "address",
    [
        "/admin/providers/syncrun/?started_at__year=0",
        "/admin/providers/syncrun/?started_at__year=99999",
        "/admin/providers/syncrun/?started_at__gte=9999-12-31T23:59:59-12:00",
        "/admin/providers/syncrun/?started_at__year=9999&started_at__month=12&started_at__day=31",
        "/admin/apikeys/apikey/?expires_at__lte=0001-01-01T00:00:00%2B12:00",
        "/admin/apikeys/apikey/?created_at__year=1&created_at__month=1&created_at__day=1",
        "/admin/catalog/aimodel/?released_at__gte=9999-12-31T23:59:59-12:00",
        "/admin/apikeys/apikey/?user=999999999999999999999999999999",
        "/admin/apikeys/apikey/add/?user=\u00b2",
        "/admin/providers/syncrun/\u00b2/change/",
        "/admin/apikeys/apikey/add/?expires_at=2027-01-01",
        "/admin/catalog/aimodel/add/?released_at=x",
        "/admin/providers/syncrun/99999999999999999999/change/",
        "/admin/preferences/defaultmodel/add/?model=x",
    ],
)
def test_an_address_of_the_admin_typed_by_hand_is_never_a_500(client, ops, address):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    client.raise_request_exception = False
    assert client.get(address).status_code in (200, 302, 400)


@pytest.mark.parametrize(
    "model", ["catalog/aimodel", "catalog/accessgrant", "apikeys/apikey", "auth/group", "waffle/flag"]
)
@pytest.mark.parametrize("key", ["x", "\0", "9" * 30])
def test_a_key_that_cannot_be_is_400_in_a_form_of_the_admin(client, ops, model, key):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    client.raise_request_exception = False
    for address, sent in ((f"/admin/{model}/", {"action": "delete_selected", "_selected_action": key}),
                          (f"/admin/{model}/add/", dict.fromkeys(("user", "group", "owner", "users", "groups"), key))):  # fmt: skip
        assert client.post(address, sent).status_code in (200, 302, 400, 403), address


@pytest.mark.parametrize("body", [b"[" + b"[]," * 800_000 + b"[]]", b'{"a":[' + b"0," * 30_000 + b"0]}"])
def test_a_body_of_more_values_than_any_form_has_is_refused_in_no_time(api, body):
    began = time.process_time()
    answer = api.generic("POST", "/api/echo", body, content_type="application/json")
    assert (answer.status_code, "more than 20000 values" in enveloped(answer)["message"]) == (400, True)
    assert time.process_time() - began < seconds(0.1)
