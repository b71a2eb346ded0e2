"""config/headers.py: what a stranger puts in a request costs no more time than its length."""

import io
import json
import time
from contextlib import suppress

import pytest
from django.core.wsgi import get_wsgi_application

from config.headers import MAX_ESCAPES, MAX_FIELD, BoundedHeaders
from tests.machine import seconds

pytestmark = pytest.mark.django_db(transaction=True)
LONG = 64_000
application = BoundedHeaders(get_wsgi_application())


def asked(**environ):
    """CPU seconds, status and body of a request as a server hands it over."""
    found = {}

    def start_response(status, headers, exc_info=None):
        found["status"] = int(status[:3])

    sent = {
        "REQUEST_METHOD": "GET",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "PATH_INFO": "/healthz",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "203.0.113.9",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    began = time.process_time()
    answer = application(sent | environ, start_response)
    body = b"".join(answer)
    spent = time.process_time() - began
    answer.close()
    return spent, found["status"], json.loads(body)


@pytest.fixture(autouse=True)
def warm(transactional_db):
    asked()


ODD = {
    "cookie escapes": {"HTTP_COOKIE": 'a="' + "\\" * 8_000 + '"'},
    "long cookie escapes": {"HTTP_COOKIE": 'a="' + "\\" * LONG + '"'},
    "media type": {"CONTENT_TYPE": 'application/json; x="' + ";" * 8_000},
    "long media type": {"CONTENT_TYPE": 'application/json; x="' + ";" * LONG},
    "accept": {"HTTP_ACCEPT": 'application/json; x="' + ";" * 8_000},
    "long host": {"HTTP_HOST": "a." * (LONG // 2)},
    "long tags": {"HTTP_IF_NONE_MATCH": '"a",' * (LONG // 4)},
    "long hops": {"HTTP_X_FORWARDED_FOR": "10.0.0.1," * (LONG // 9)},
    "long query": {"QUERY_STRING": "a=1&" * (LONG // 4)},
    "long path": {"PATH_INFO": "/" + "a." * (LONG // 2)},
}


@pytest.mark.parametrize("odd", ODD)
def test_a_field_that_no_client_sends_is_refused_by_name_in_no_time(odd):
    spent, status, body = min(asked(**ODD[odd]) for _ in range(3))
    assert (status, body["code"]) == (431, "headers_too_large")
    assert spent < seconds(0.02)


@pytest.mark.parametrize(
    "large",
    [
        {"HTTP_COOKIE": 'a="' + "\\" * MAX_ESCAPES + "x" * 7_000 + '"'},
        {"CONTENT_TYPE": 'application/json; x="' + ";" * 1_000},
        {"HTTP_ACCEPT": "*/*," * 200},
        {"HTTP_IF_NONE_MATCH": '"a",' * 2_000},
        {"HTTP_X_FORWARDED_FOR": "10.0.0.1," * 900},
        {"QUERY_STRING": "a" * MAX_FIELD},
        {"HTTP_AUTHORIZATION": "Bearer " + "x" * 8_000},
        {"HTTP_X_REQUEST_ID": "a" * MAX_FIELD},
    ],
)
@pytest.mark.parametrize("path", ["/healthz", "/api/models"])
def test_what_may_come_in_costs_no_more_than_its_length(large, path):
    spent, status, _ = min((asked(PATH_INFO=path, **large) for _ in range(3)), key=lambda found: found[0])
    assert status in (200, 400, 401)
    assert spent < seconds(0.05)


@pytest.mark.parametrize("host", ["a." * 4_000, "[" + "a:" * 4_000])
def test_a_host_that_is_none_is_refused_in_no_time(host):
    spent, status, _ = min((asked(PATH_INFO="/api/models", HTTP_HOST=host) for _ in range(3)), key=lambda f: f[0])
    assert (status, spent < seconds(0.04)) == (400, True)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/" + "a." * 4_000, "/api/models/" + "a/" * 4_000, "/v1/models/" + "~" * 8_000])
def test_a_path_of_8_kb_is_answered_in_no_time(path):
    found = []
    for _ in range(3):
        began = time.process_time()
        # Some answers are pages.
        with suppress(json.JSONDecodeError):
            asked(PATH_INFO=path)
        found.append(time.process_time() - began)
    assert min(found) < seconds(0.05)
