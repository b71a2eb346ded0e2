"""config/settings.py, CORS_ALLOWED_ORIGINS: browsers on the origins that the deployment names, and on no others."""

import pytest

from config.api import protocols

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.config.urls_for_errors")]

APP = "https://app.example.com"
ROUTES = ["/v1/models", "/v1/models/acme/large", "/api/models", "/api/models/list", "/api/keys", "/api/settings"]
HEADERS = {"authorization", "content-type", "if-none-match", "if-match"}
EXPOSED = {
    "X-Request-Id", "ETag", "Link", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After",
}  # fmt: skip

# By the clients that the acceptance tests install, and by what traces the calls of a page.
SENT = [
    "authorization", "x-api-key", "x-goog-api-key", "x-goog-api-client", "anthropic-version", "anthropic-beta",
    "anthropic-dangerous-direct-browser-access", "openai-organization", "openai-project", "openai-beta",
    "http-referer", "x-title", "x-openrouter-title", "x-openrouter-categories", "x-openrouter-metadata",
    "x-stainless-arch", "x-stainless-lang", "x-stainless-os", "x-stainless-package-version",
    "x-stainless-retry-count", "x-stainless-runtime", "x-stainless-runtime-version", "x-stainless-timeout",
    "x-stainless-helper-method", "x-stainless-poll-helper", "ai-gateway-protocol-version", "ai-gateway-auth-method",
    "ai-language-model-id", "ai-language-model-streaming", "x-vercel-oidc-token", "user-agent", "x-requested-with",
    "cache-control", "traceparent", "tracestate", "baggage",
]  # fmt: skip


@pytest.fixture(autouse=True)
def one_origin(settings):
    settings.CORS_ALLOWED_ORIGINS = [APP, "http://localhost:3000"]


def words(text: str) -> set[str]:
    return set(text.replace(" ", "").split(","))


def preflight(api, route: str, origin: str = APP):
    asked = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PATCH", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "authorization"}
    return api.options(route, HTTP_ORIGIN=origin, **asked)


@pytest.mark.parametrize("route", ROUTES)
def test_a_preflight_is_answered_before_a_key_is_asked_for(api, route):
    answer = preflight(api, route)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["Access-Control-Allow-Origin"] == APP
    assert words(answer["Access-Control-Allow-Headers"]) >= HEADERS
    assert words(answer["Access-Control-Allow-Methods"]) >= {"GET", "POST", "PUT", "PATCH", "DELETE"}
    assert "Access-Control-Allow-Credentials" not in answer
    assert "origin" in answer["Vary"].lower()
    assert answer["X-Request-Id"]


@pytest.mark.parametrize("header", SENT)
def test_a_browser_lets_pass_what_clients_of_any_dialect_send(api, header):
    answer = preflight(api, "/v1/models")
    allowed = words(answer["Access-Control-Allow-Headers"])
    # As browsers read it: `*` is all but Authorization, as long as no cookies are asked for.
    assert header in allowed or ("*" in allowed and header != "authorization")
    assert "Access-Control-Allow-Credentials" not in answer


@pytest.mark.parametrize("protocol", protocols.registered(), ids=lambda protocol: protocol.name)
def test_a_page_reads_the_request_id_where_its_client_looks_for_it(api, protocol):
    header = protocol.id_header or "X-Request-Id"
    exposed = words(api.get(f"/{protocol.root}/x", HTTP_ORIGIN=APP)["Access-Control-Expose-Headers"])
    assert header.lower() in {name.lower() for name in exposed}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "origin", ["null", "https://evil.example.com", "http://app.example.com", f"{APP}:8443", f"{APP}.evil.com", "*", ""]
)
def test_no_other_origin_is_let_in(api, route, origin):
    for answer in (preflight(api, route, origin), api.get(route, HTTP_ORIGIN=origin)):
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert "origin" in answer["Vary"].lower()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models", 401),
        ("/v1/nothing", 404),
        ("/api/raising/denied", 403),
        ("/api/raising/throttled", 429),
        ("/api/plain/bug", 500),
        ("/api/plain/gone", 503),
        ("/api/models?%00", 400),
        ("/api/models", 200),
    ],
)
def test_a_page_of_an_allowed_origin_reads_refusals_too(api, path, status):
    answer = api.get(path, HTTP_ORIGIN=APP)
    assert answer.status_code == status
    assert answer["Access-Control-Allow-Origin"] == APP
    assert words(answer["Access-Control-Expose-Headers"]) >= EXPOSED
    assert "Access-Control-Allow-Credentials" not in answer


def test_a_key_works_from_an_allowed_origin(api, alice, make_key, make_model):
    make_model("acme/large")
    answer = api.with_key(make_key(alice, per_minute=5).token).get("/v1/models", HTTP_ORIGIN=APP)
    assert [row["id"] for row in answer.json()["data"]] == ["acme/large"]
    assert answer["Access-Control-Allow-Origin"] == APP
    assert answer["RateLimit-Remaining"] == "4"


def test_without_the_setting_nobody_is_let_in(api, settings):
    settings.CORS_ALLOWED_ORIGINS = []
    assert "Access-Control-Allow-Origin" not in preflight(api, "/v1/models")
    assert "Access-Control-Allow-Origin" not in api.get("/v1/models", HTTP_ORIGIN=APP)
