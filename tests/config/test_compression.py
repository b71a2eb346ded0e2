"""config/api/compression.py: answers with an ETag under gzip, once for each content."""

import gzip
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.http import StreamingHttpResponse

from catalog.api import snapshot as snapshots
from catalog.dialects import views
from config.api import compression
from config.api.compression import CompressionMiddleware, accepts_gzip

ACCEPTED = {"Accept-Encoding": "br, gzip"}
ROUTES = [
    "/v1/models",
    "/api/models",
    "/api/models?format=cli",
    "/api/models/list",
    "/api/models/tags",
    "/v1/models/acme/m1",
]


@pytest.fixture
def caller(api, alice, make_key, make_model):
    for number in range(40):
        make_model(f"acme/m{number}", description="A description. " * 80, tags=[f"a tag with the number {number}"])
    return api.with_key(make_key(alice).token)


@pytest.mark.parametrize("path", ROUTES)
def test_who_accepts_gzip_gets_the_same_content_in_fewer_bytes(caller, path):
    plain, small = caller.get(path), caller.get(path, headers=ACCEPTED)
    assert (small.headers["Content-Encoding"], "Content-Encoding" in plain.headers) == ("gzip", False)
    assert gzip.decompress(small.content) == plain.content
    assert len(small.content) < len(plain.content) / 2
    assert int(small.headers["Content-Length"]) == len(small.content)
    assert all("Accept-Encoding" in answer.headers["Vary"] for answer in (plain, small))
    tag = small.headers["ETag"]
    assert tag.startswith("W/")
    again = caller.get(path, headers=ACCEPTED | {"If-None-Match": tag})
    assert (again.status_code, again.headers["ETag"], again.content) == (304, tag, b"")
    assert "Accept-Encoding" in again.headers["Vary"]


def test_a_strong_tag_of_compressed_bytes_is_its_own_and_is_taken_back(api, alice, make_model):
    make_model("acme/base", description="Long. " * 400)
    mine = api.as_(alice)
    body = {"id": "helper", "name": "Helper", "base_model_id": "acme/base", "meta": {"description": "Words. " * 400}}
    assert mine.post("/api/models/custom", body).status_code == 201
    plain, small = (mine.get("/api/models/custom/helper", headers=headers) for headers in ({}, ACCEPTED))
    assert small.headers["ETag"] == plain.headers["ETag"][:-1] + '-gzip"'
    held = {"HTTP_IF_NONE_MATCH": small.headers["ETag"]}
    assert mine.get("/api/models/custom/helper", **held).headers["ETag"] == small.headers["ETag"]
    sent = {"HTTP_IF_MATCH": small.headers["ETag"]}
    assert mine.patch("/api/models/custom/helper", {"name": "Other"}, **sent).status_code == 200
    assert mine.patch("/api/models/custom/helper", {"name": "Lost"}, **sent).status_code == 412


def test_a_content_is_compressed_once(caller, monkeypatch):
    caller.get("/v1/models", headers=ACCEPTED)
    monkeypatch.setattr(compression, "zlib", None)
    assert caller.get("/v1/models", headers=ACCEPTED).headers["Content-Encoding"] == "gzip"


def test_a_content_that_many_ask_for_at_once_is_compressed_once(monkeypatch):
    made = []
    compressobj = zlib.compressobj

    def slowly(*args, **options):
        made.append(1)
        time.sleep(0.1)
        return compressobj(*args, **options)

    monkeypatch.setattr(compression.zlib, "compressobj", slowly)
    with ThreadPoolExecutor(8) as threads:
        found = {*threads.map(lambda _: compression.compressed("of a test", [b"a" * 5000, b"b"]), range(8))}
    assert [gzip.decompress(one) for one in found] == [b"a" * 5000 + b"b"]
    assert (len(made), dict(compression._making)) == (1, {})


def test_what_is_compressed_is_sent_without_being_made_again_where_it_is_too_large_to_be_stored(caller, monkeypatch):
    made = []
    make = views.openai_list
    monkeypatch.setattr(views, "openai_list", lambda *args: made.append(1) or make(*args))
    monkeypatch.setattr(snapshots, "LARGE", 0)
    monkeypatch.setattr(snapshots, "TOO_LARGE", 0)
    first, second = caller.get("/v1/models", headers=ACCEPTED), caller.get("/v1/models", headers=ACCEPTED)
    assert (first.content, dict(first.headers) | {"X-Request-Id": ""}) == (
        second.content,
        dict(second.headers) | {"X-Request-Id": ""},
    )
    assert (len(made), gzip.decompress(second.content)) == (1, caller.get("/v1/models").content)


def test_a_change_of_the_catalog_is_in_the_next_compressed_answer(caller, make_model):
    caller.get("/v1/models", headers=ACCEPTED)
    make_model("acme/new")
    assert b'"acme/new"' in gzip.decompress(caller.get("/v1/models", headers=ACCEPTED).content)


def test_two_callers_never_share_what_is_compressed(api, caller, bob, make_key):
    narrow = api.with_key(make_key(bob, allow=["acme/m1*"]).token)
    caller.get("/v1/models", headers=ACCEPTED)
    assert b'"acme/m2"' not in gzip.decompress(narrow.get("/v1/models", headers=ACCEPTED).content)


def test_what_is_small_or_refused_is_sent_as_it_is(api, alice, make_key, make_model):
    caller = api.with_key(make_key(alice).token)
    assert "Content-Encoding" not in caller.get("/v1/models", headers=ACCEPTED).headers
    assert "Content-Encoding" not in caller.get("/v1/models/" + "x" * 2000, headers=ACCEPTED).headers


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZIP;q=0.5, br", True),
        ("x-gzip", True),
        ("*", True),
        ("*;q=1, gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("", False),
        ("identity", False),
        ("gzip;q=x", False),
        ("zstd, br", False),
        ("," * 60_000, False),
        (" " * 60_000 + "gzip", True),
    ],
)
def test_what_accept_encoding_says(header, accepted):
    assert accepts_gzip(header) is accepted


def test_a_file_that_is_streamed_passes_as_it_is(rf):
    streamed = StreamingHttpResponse([b"{}"], content_type="application/json", headers={"ETag": '"file"'})
    assert (
        CompressionMiddleware(lambda request: streamed)(rf.get("/static/staticfiles.json", headers=ACCEPTED))
        is streamed
    )


def test_a_text_of_the_pages_is_compressed_where_nobody_did_so_beforehand(rf):
    def answer(status=200, **headers):
        headers |= {"Content-Length": "2500", "ETag": '"file"'}
        streamed = StreamingHttpResponse([b"a {} " * 500], content_type="text/css", status=status, headers=headers)
        return CompressionMiddleware(lambda request: streamed)(rf.get("/static/x.css", headers=ACCEPTED))

    found = answer()
    assert gzip.decompress(found.content) == b"a {} " * 500
    assert (found["Content-Encoding"], found["Content-Length"]) == ("gzip", str(len(found.content)))
    assert found["ETag"] == '"file-gzip"'
    assert answer(status=206).streaming
    assert answer(**{"Content-Encoding": "br"}).streaming
