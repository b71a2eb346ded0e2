"""What callers may send, and what they get for sending something else."""

import json

import pytest
from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.config.urls_for_errors")]

JSON = "application/json"
NESTED = 100_000


@pytest.fixture
def post(api):
    def send(body, content_type=JSON, **extra):
        data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        return api.generic("POST", "/api/echo", data, content_type=content_type, **extra)

    return send


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "nonsense",
        "{'a': 1}",
        '{"a": 1,}',
        "\ufeff{}",
        b"\xff",
        '{"a": "x"}'.encode("utf-16"),
        b'{"a": "\xed\xa0\x80"}',
        '{"a": "\\ud800"}',
        '{"\\ud800": 1}',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": [-1e400]}',
        '{"a": "x\\u0000y"}',
        '{"a\\u0000": 1}',
        '{"a": "' + "\x00" + '"}',
        "[" * NESTED,
        '{"a":' * NESTED,
        "[" * NESTED + "]" * NESTED,
        '{"a":' * 101 + "1" + "}" * 101,
        "[" + "1," * 30_000 + "1]",
        '{"a": 1' + "0" * 5_000 + "}",
        '{"a": 1}{"b": 2}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_no_json_that_can_be_kept_is_400(post, body):
    answer = post(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("body", ['{"a": 1, "a": 2}', '{"x": [{"a": 1, "b": 2, "\\u0061": 1}]}'])
def test_a_key_that_stands_twice_is_refused_by_name(post, body):
    answer = post(body).json()
    assert answer["code"] == "duplicate_key"
    assert "'a'" in answer["message"]


@pytest.mark.parametrize(
    "body", ["[]", '"x"', "null", "5", "{}", '{"a": 12345678901234567890}', '{"a": 1.5e300}', '{"ä": "😀"}']
)
def test_json_arrives_as_it_was_sent(post, body):
    assert post(body).json() == {"sent": json.loads(body)}


def test_depth_to_100_is_allowed(post):
    body = '{"a":' * 99 + "1" + "}" * 99
    assert post(body).status_code == 200


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "utf8"])
def test_utf_8_may_be_named(post, charset):
    assert post('{"ä": 1}', f"{JSON}; charset={charset}").status_code == 200


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "bogus", ""])
def test_no_other_charset_is_read(post, charset):
    assert post("{}", f"{JSON}; charset={charset}").status_code == 400


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip", "x" * 5000])
def test_a_coded_body_is_refused_and_never_inflated(post, coding):
    answer = post(b"\x1f\x8b" + b"x" * 1000, HTTP_CONTENT_ENCODING=coding)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=" + "-" * 3_000,
        "multipart/form-data",
        "application/xml",
        "application/json-patch+json",
        "application/jsonx",
        "nonsense",
        ";;;",
        "a/b" * 3000,
        "",
    ],
)
def test_only_json_is_read(post, content_type):
    assert post("a=1&" * 2_000, content_type).status_code in (400, 415)


@pytest.mark.parametrize("size", [2_621_441, 3_000_000])
def test_a_larger_body_than_allowed_is_413(post, size):
    answer = post('{"a": "' + "x" * (size - 9) + '"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    assert answer.json()["request_id"] == answer["X-Request-Id"]


def test_a_body_that_announces_too_much_is_not_read(post, monkeypatch):
    answer = post("{}", CONTENT_LENGTH="30000000")
    assert answer.status_code == 413


@pytest.mark.parametrize("query", ["a=%00", "%00=1", "a=%FF%FE", "a=%ED%A0%80"])
def test_a_query_that_is_no_text_is_400(api, query):
    answer = api.get("/api/echo", QUERY_STRING=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_query")


@pytest.mark.parametrize(
    "path", ["%00", "%FF", "%ED%A0%80", "x%0d%0aX-A:1", "a" * 3_900, "%2e%2e/%2e%2e/etc/passwd", "..", "%252F"]
)
def test_an_odd_path_is_404_in_json(api, path):
    answer = api.get(f"/api/keys-of/{path}")
    assert answer.status_code in (400, 404)
    assert answer["Content-Type"] == JSON
    assert "X-A" not in answer


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "localhost:x", "a b", "", "localhost@evil.example"]
)
@pytest.mark.parametrize("path", ["/api/schema", "/v1/none", "/healthz", "/"])
def test_a_foreign_host_is_refused(api, host, path):
    answer = api.get(path, HTTP_HOST=host)
    assert answer.status_code == 400
    assert host == "" or host not in answer.content.decode()


def test_a_forwarded_host_is_in_no_link(client):
    answer = client.get("/", HTTP_X_FORWARDED_HOST="evil.example", HTTP_X_FORWARDED_PROTO="https")
    assert answer.status_code == 200
    assert b"evil.example" not in answer.content


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver"])
@pytest.mark.parametrize("path", ["/api/echo", "/api/schema", "/v1/echo", "/"])
def test_no_other_site_may_read_us(api, origin, path):
    asked = {"HTTP_ORIGIN": origin, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PATCH"}
    for answer in (api.get(path, **asked), api.options(path, **asked)):
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "trick", [{}, {"content_type": "text/plain"}, {"HTTP_ORIGIN": "https://evil.example", "HTTP_X_CSRFTOKEN": "x" * 32}]
)
def test_a_write_with_a_cookie_needs_its_token(alice, trick):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    answer = browser.patch("/api/private", "{}", **{"content_type": JSON} | trick)
    assert answer.status_code == 403
    assert answer.json()["code"] in ("permission_denied", "csrf_failed")


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data; boundary=x", "multipart/form-data", "application/x-www-form-urlencoded"]
)
def test_a_form_with_a_cookie_is_refused_without_a_fault(alice, content_type):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert browser.generic("POST", "/api/private", b"--x\r\nnonsense", content_type=content_type).status_code in (
        400,
        403,
    )


def test_a_key_without_a_cookie_needs_no_token(alice, make_key):
    caller = Client(enforce_csrf_checks=True)
    sent = caller.patch("/api/private", "{}", content_type=JSON, HTTP_AUTHORIZATION=f"bEARER {make_key(alice).token} ")
    assert sent.status_code == 200


def test_a_bad_key_is_not_made_good_by_a_session(api, alice):
    assert api.as_(alice).post("/api/private", HTTP_AUTHORIZATION="Bearer x").status_code == 401


@pytest.mark.parametrize("path", ["/", "/accounts/login", "/admin/login/", "/no/such", "/api/docs", "/api/redoc"])
def test_a_page_may_run_nothing_that_is_not_ours(client, path):
    answer = client.get(path)
    policy = dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert answer["X-Frame-Options"] == "DENY"
    assert (answer["Referrer-Policy"], answer["Cross-Origin-Opener-Policy"]) == ("same-origin", "same-origin")
    for cookie in answer.cookies.values():
        assert (cookie["samesite"], cookie["httponly"]) == ("Lax", True)


@pytest.mark.parametrize("held", ["*", "nonsense", 'W/"x", "y"', "x" * 10_000, '"'])
def test_an_odd_if_none_match_is_no_fault(api, held):
    assert api.get("/api/schema", HTTP_IF_NONE_MATCH=held).status_code == (304 if held == "*" else 200)


def test_what_the_caller_holds_is_not_sent_again(api):
    first = api.get("/api/schema")
    again = api.get("/api/schema", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert api.get("/api/schema?format=yaml", HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/api/schema", "/api/echo"])
def test_head_and_options_do_as_http_says(api, path):
    get, head, options = api.get(path), api.head(path), api.options(path)
    assert (head.status_code, head.content, head["Content-Type"]) == (200, b"", get["Content-Type"])
    assert options.status_code == 200
    assert "GET" in options["Allow"]
