"""providers/client/http.py and addresses.py: where it refuses to go, when it gives up, and what never passes."""

import email.utils
import gc
import ipaddress
import logging
import resource
import socket
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.client import addresses
from providers.client.http import Limits, UpstreamClient, UpstreamError, check_url, strict_loads
from tests import upstreams
from tests.upstreams import Upstream

QUICK = Limits(connect=1.0, read=0.4, total=0.8, max_bytes=100_000, attempts=3, backoff=0.01)
SECRET = "sk-SECRET123456"


@pytest.fixture
def client(upstream: Upstream) -> UpstreamClient:
    return UpstreamClient([upstream.address], QUICK)


def reason_of(client: UpstreamClient, url: str, **kwargs: Any) -> str:
    with pytest.raises(UpstreamError) as caught:
        client.get_json(url, **kwargs)
    assert SECRET not in caught.value.message
    return caught.value.reason


def resolving_to(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port)) for found in hosts]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://metadata.google.internal/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
    ],
)
def test_metadata_services_are_refused_even_when_everything_is_allowed(url: str) -> None:
    everything = ["0.0.0.0/0", "::/0", "169.254.169.254", "metadata.google.internal"]
    with pytest.raises(UpstreamError) as caught:
        check_url(url, everything, [url])
    assert caught.value.reason == "blocked_address"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "localhost", "a.localhost", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "10.0.0.5", "172.16.3.4", "192.168.1.1",
        "100.64.0.1", "169.254.1.1", "[fd12::1]", "[fe80::1]", "224.0.0.1", "255.255.255.255", "0.0.0.0", "localhost.",
    ],
)  # fmt: skip
def test_private_hosts_are_refused_however_they_are_written(host: str) -> None:
    with pytest.raises(UpstreamError):
        check_url(f"http://{host}:9900/")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "gopher://x/", "ftp://x/", "http://user:pw@host/", "http://@host/", "http://", "http:///x",
        "http://host:22/", "http://host:25/", "http://host:6379/", "http://host:5432/", "http://host:0/",
        "http://host:99999/", "http://host/#@x", "http://host/\r\nX: y", "http://ho st/", "http://h\\@other/",
        "http://\u043epenai.com/", "http://\uff4fpenai.com/", "http://[fe80::1%25eth0]/", "http://[::1", "http://a..b/", "",
    ],
)  # fmt: skip
def test_a_url_of_doubtful_meaning_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        check_url(url)
    assert caught.value.reason == "blocked_address"
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "http://8.8.8.8:8080/x?y=z", "https://[2606:4700::1]/"])
def test_public_hosts_are_accepted(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("entry", "accepted"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:11434", True),
        ("127.0.0.0/8", True),
        ("127.0.0.1:11435", False),
        ("127.0.0.2", False),
        ("localhost", False),
    ],
)
def test_a_private_host_needs_its_entry_in_the_allowed_hosts(entry: str, accepted: bool) -> None:
    try:
        check_url("http://127.0.0.1:11434", [entry])
    except UpstreamError:
        assert not accepted
    else:
        assert accepted


@pytest.mark.parametrize(("url", "accepted"), [("http://localhost:11434/api", True), ("http://localhost:11435", False)])
def test_an_origin_named_by_the_deployment_is_trusted_and_its_neighbours_are_not(url: str, accepted: bool) -> None:
    try:
        check_url(url, [], ["http://localhost:11434"])
    except UpstreamError:
        assert not accepted
    else:
        assert accepted


@settings(max_examples=300, deadline=None)
@given(st.ip_addresses())
def test_no_address_is_accepted_that_the_standard_library_calls_not_global(address: Any) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    if not address.is_global or address.is_multicast:
        with pytest.raises(UpstreamError):
            check_url(f"http://{host}/")


@pytest.mark.parametrize("hosts", [("127.0.0.1",), ("93.184.216.34", "127.0.0.1"), ("10.1.1.1", "93.184.216.34")])
def test_a_name_with_any_private_address_is_refused_at_connect(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, hosts: tuple[str, ...]
) -> None:
    resolving_to(monkeypatch, *hosts)
    assert reason_of(UpstreamClient([], QUICK), f"http://rebinding.example:{upstream.port}/") == "blocked_address"
    assert upstream.connections == 0


def test_a_bare_address_on_the_list_does_not_open_every_name_pointed_at_it(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving_to(monkeypatch, "127.0.0.1")
    assert reason_of(UpstreamClient(["127.0.0.1"], QUICK), f"http://evil.example:{upstream.port}/") == "blocked_address"


def test_the_tested_address_is_connected_to_under_the_name(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch, "127.0.0.1")
    upstream.serve("/x", {"a": 1})
    assert UpstreamClient(["box.internal"], QUICK).get_json(f"http://box.internal:{upstream.port}/x") == {"a": 1}
    assert upstream.requests[0].headers["host"] == f"box.internal:{upstream.port}"


@pytest.mark.alone
def test_resolving_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *args, **kwargs: time.sleep(0.6) or [])
    began = time.monotonic()
    assert reason_of(UpstreamClient([], Limits(connect=0.2, attempts=1)), "http://slow.example/") == "timeout"
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("hops", [1, 3])
def test_redirects_within_the_origin_are_followed_with_the_credential(
    upstream: Upstream, client: UpstreamClient, status: int, hops: int
) -> None:
    for hop in range(hops):
        upstream.on(f"/x{hop}", upstreams.redirect(f"/x{hop + 1}?page=1#top", status))
    upstream.serve(f"/x{hops}", {"a": 1})
    assert client.get_json(upstream.url + "/x0", credential_header=("x-api-key", SECRET)) == {"a": 1}
    assert upstream.paths() == ["/x0", *(f"/x{hop + 1}?page=1" for hop in range(hops))]
    assert {request.headers["x-api-key"] for request in upstream.requests} == {SECRET}


def test_a_fourth_redirect_is_not_followed(upstream: Upstream, client: UpstreamClient) -> None:
    upstream.on("/x", upstreams.redirect("/x"))
    assert reason_of(client, upstream.url + "/x") == "redirect"
    assert len(upstream.requests) == 4


def message_of(client: UpstreamClient, url: str, **kwargs: Any) -> str:
    with pytest.raises(UpstreamError) as caught:
        client.get_json(url, **kwargs)
    return caught.value.message


@pytest.mark.parametrize("status", [404, 401, 500, 302])
def test_a_credential_in_a_path_that_an_upstream_redirects_to_is_masked(upstream: Upstream, status: int) -> None:
    upstream.on("/x", upstreams.redirect(f"/y/{SECRET}", 302))
    upstream.on(f"/y/{SECRET}", upstreams.redirect("?", 302) if status == 302 else upstreams.answer(status, b"{}"))
    client = UpstreamClient([upstream.address], QUICK)
    with pytest.raises(UpstreamError) as caught:
        client.get_json(upstream.url + "/x", credential_header=("Authorization", f"Bearer {SECRET}"))
    said = f"{caught.value.message} {caught.value.brief}"
    assert ("/y/***" in said, SECRET in said) == (True, False)


def test_a_redirect_to_an_address_with_a_password_names_its_host_alone(upstream: Upstream) -> None:
    upstream.on("/x", upstreams.redirect("https://user:hunter2@evil.example.com/y", 302))
    said = message_of(UpstreamClient([upstream.address], QUICK), upstream.url + "/x")
    assert "an address that cannot be used, on evil.example.com" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("answers", [False, True])
def test_a_redirect_elsewhere_is_named_and_refused_even_where_the_other_host_is_allowed(
    upstream: Upstream, status: int, answers: bool
) -> None:
    canary = Upstream()
    upstream.on("/x", upstreams.redirect(f"{canary.url}/y/{SECRET}?token={SECRET}", status))
    client = UpstreamClient([upstream.address, *([canary.address] if answers else [])], QUICK)
    said = message_of(client, upstream.url + "/x", credential_header=("Authorization", f"Bearer {SECRET}"))
    assert f"127.0.0.1 answered {status} to /x, a redirect to {canary.url}/y/***; only" in said
    assert (SECRET in said, canary.connections, upstream.paths()) == (False, 0, ["/x"])
    canary.stop()


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "//[::1", "http://user:pw@127.0.0.1/", "http://h\u043est/", "javascript:x"]
)
def test_a_redirect_to_no_address_is_refused(upstream: Upstream, client: UpstreamClient, location: str) -> None:
    upstream.on("/x", upstreams.redirect(location.encode("utf-8").decode("latin-1")))
    assert reason_of(client, upstream.url + "/x") == "redirect"
    assert upstream.paths() == ["/x"]


def test_a_redirect_with_a_body_without_end_costs_nothing(upstream: Upstream, client: UpstreamClient) -> None:
    endless = upstreams.drip(0, head=b"HTTP/1.1 302 Found\r\nLocation: /y\r\n\r\n", rendered_model=b"x" * 65536)
    upstream.on("/x", endless)
    upstream.serve("/y", {"a": 1})
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert client.get_json(upstream.url + "/x") == {"a": 1}
    assert time.monotonic() - began < QUICK.total
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_304_that_nobody_asked_for_is_no_answer(upstream: Upstream, client: UpstreamClient) -> None:
    upstream.on("/x", upstreams.redirect("/y", 304))
    assert reason_of(client, upstream.url + "/x") == "redirect"
    assert upstream.paths() == ["/x"]


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (upstreams.answer(404), "127.0.0.1 answered 404 to /v1/models."),
        (upstreams.answer(401), "127.0.0.1 answered 401 to /v1/models: it asks for a credential, and none was sent."),
        (upstreams.answer(429), "127.0.0.1 answered 429 to /v1/models: it asks for fewer requests."),
        (upstreams.answer(200, b""), "127.0.0.1 answered with nothing to /v1/models."),
        (upstreams.html(), "The answer of 127.0.0.1 to /v1/models is a web page, not JSON."),
    ],
)
def test_a_message_names_the_path_that_was_asked_without_its_query(
    upstream: Upstream, client: UpstreamClient, scenario: Any, said: str
) -> None:
    upstream.on("/v1/models", scenario)
    assert message_of(client, f"{upstream.url}/v1/models?key={SECRET}") == said


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (upstreams.reset(), "The connection to 127.0.0.1 broke off when asked for {}: does that port speak HTTP, and not TLS?"),
        (upstreams.silent(), "127.0.0.1 was silent for too long when asked for {}."),
        (upstreams.drip(0.01), "127.0.0.1 did not finish its answer in time when asked for {}."),
        (upstreams.gzipped({"data": "x" * 500}, cut=20), "The answer of 127.0.0.1 ended early when asked for {}."),
        (upstreams.answer(200, b"plain", {"Content-Encoding": "gzip"}),
         "The answer of 127.0.0.1 is not validly compressed when asked for {}."),
        (upstreams.answer(200, b"plain", {"Content-Encoding": "br"}),
         "127.0.0.1 answered in an encoding that was not asked for to /v1/models; it may send gzip."),
        (upstreams.endless(), "127.0.0.1 answered with more than 100000 bytes to /v1/models."),
    ],
)  # fmt: skip
def test_a_call_that_brings_no_answer_names_host_and_path(
    upstream: Upstream, client: UpstreamClient, scenario: Any, said: str
) -> None:
    upstream.on("/v1/models", scenario)
    asked = f"{upstream.url}/v1/models"
    assert message_of(client, f"{asked}?key={SECRET}") == said.format(asked)


def test_a_host_that_refuses_or_is_private_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"127.0.0.1:{listener.getsockname()[1]}"
    asked = f"http://{nobody}/v1/models"
    assert (
        message_of(UpstreamClient([nobody], QUICK), asked)
        == f"The connection was refused when asked for {asked}: does a server listen there?"
    )
    assert message_of(UpstreamClient(), asked).endswith(f"add {nobody} to the setting PROVIDER_ALLOWED_HOSTS.")
    assert message_of(UpstreamClient(), "http://[::1]/x").startswith("[::1]:80 is inside the private network")


def test_a_redirect_with_raw_blanks_is_followed(upstream: Upstream, client: UpstreamClient) -> None:
    upstream.on("/x", upstreams.redirect(" /all models "))
    upstream.serve("/all%20models", {"a": 1})
    assert client.get_json(upstream.url + "/x") == {"a": 1}


@pytest.mark.parametrize("path", [f"{'x' * 240}{SECRET}", f"sk%2dSECRET{SECRET[9:]}", f"%73%6B-SECRET{SECRET[9:]}"])
def test_no_part_of_a_credential_in_a_path_that_is_redirected_to_is_left(upstream: Upstream, path: str) -> None:
    upstream.on("/x", upstreams.redirect(f"/{path}"))
    client = UpstreamClient([upstream.address], QUICK)
    said = message_of(client, upstream.url + "/x", credential_header=("Authorization", f"Bearer {SECRET}"))
    assert ("***" in said or "…" in said, SECRET[3:9] in said) == (True, False)


def test_a_credential_as_a_host_that_is_redirected_to_is_masked(upstream: Upstream) -> None:
    upstream.on("/x", upstreams.redirect(f"https://{SECRET}.example.com/y"))
    client = UpstreamClient([upstream.address], QUICK)
    said = message_of(client, upstream.url + "/x", credential_header=("Authorization", f"Bearer {SECRET}"))
    assert ("https://***.example.com" in said, SECRET.lower() in said) == (True, False)


def test_the_environment_is_not_asked_for_a_proxy_or_a_password(
    upstream: Upstream, client: UpstreamClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    upstream.serve("/x", {})
    assert client.get_json(upstream.url + "/x") == {}
    assert "authorization" not in upstream.requests[0].headers


def test_a_credential_goes_out_in_its_header_and_into_no_message_or_log(
    upstream: Upstream, client: UpstreamClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    upstream.serve("/x", {"error": f"bad key {SECRET}"}, status=401)
    url = f"{upstream.url}/x"
    assert reason_of(client, url, credential_header=("Authorization", f"Bearer {SECRET}")) == "unauthorized"
    assert upstream.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in caplog.text


@pytest.mark.parametrize("value", ["", "  ", "a\r\nX-Evil: 1", "a\x00b", "ключ"])
def test_a_credential_that_no_header_can_carry_is_never_sent(
    upstream: Upstream, client: UpstreamClient, value: str
) -> None:
    assert reason_of(client, upstream.url + "/x", credential_header=("x-api-key", value)) == "unauthorized"
    assert upstream.connections == 0


@pytest.mark.parametrize(
    ("scenario", "reason", "tries"),
    [
        (upstreams.answer(500), "http_status", 3),
        (upstreams.answer(503), "http_status", 3),
        (upstreams.answer(404), "http_status", 1),
        (upstreams.answer(401), "unauthorized", 1),
        (upstreams.answer(403), "unauthorized", 1),
        (upstreams.answer(429), "rate_limited", 3),
        (upstreams.answer(204), "empty", 1),
        (upstreams.answer(200, b""), "empty", 1),
        (upstreams.html(), "malformed", 1),
        (upstreams.redirect(None, 301), "redirect", 1),
        (upstreams.truncated({"data": "x" * 500}, 12), "connect", 3),
        (upstreams.unfinished_chunks({"data": []}), "connect", 3),
        (upstreams.reset(), "connect", 3),
        (upstreams.reset(b'HTTP/1.1 200 OK\r\n\r\n{"data": ['), "connect", 3),
        (upstreams.raw(b"not http at all\r\n\r\n"), "connect", 3),
        (upstreams.gzipped({"data": "x" * 500}, cut=20), "connect", 3),
        (upstreams.answer(200, b"plain", {"Content-Encoding": "gzip"}), "malformed", 1),
        (upstreams.answer(200, b"{}", {"Content-Encoding": "br"}), "malformed", 1),
        (upstreams.silent(), "timeout", 1),
        (upstreams.hang(), "timeout", 1),
        (upstreams.hang(b"H"), "timeout", 1),
    ],
)
def test_each_failure_has_its_reason_and_only_passing_ones_are_tried_again(
    upstream: Upstream, client: UpstreamClient, scenario: Any, reason: str, tries: int
) -> None:
    upstream.on("/x", scenario)
    assert reason_of(client, upstream.url + "/x") == reason
    assert len(upstream.requests) == tries


def test_a_refused_connection_and_an_unknown_name_are_connect_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert reason_of(UpstreamClient(["127.0.0.1"], QUICK), f"http://127.0.0.1:{port}/") == "connect"
    assert reason_of(UpstreamClient([], QUICK), "http://no-such-name.invalid/") == "connect"


def test_plain_http_behind_an_https_url_is_a_tls_error(upstream: Upstream, client: UpstreamClient) -> None:
    assert reason_of(client, f"https://{upstream.address}/x", credential_header=("x-api-key", SECRET)) == "tls"
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("name", "trusted", "reason"),
    [("box.internal", True, None), ("other.internal", True, "tls"), ("box.internal", False, "tls")],
)
def test_a_certificate_must_be_trusted_and_for_the_name_before_a_credential_goes_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, trusted: bool, reason: str | None
) -> None:
    pem = upstreams.certificate(tmp_path, "box.internal")
    server = Upstream(certificate=pem)
    server.serve("/x", {"a": 1})
    resolving_to(monkeypatch, "127.0.0.1")
    client = UpstreamClient([name], QUICK, ca_bundle=str(pem) if trusted else None)
    url = f"https://{name}:{server.port}/x"
    if reason is None:
        assert client.get_json(url, credential_header=("x-api-key", SECRET)) == {"a": 1}
    else:
        assert reason_of(client, url, credential_header=("x-api-key", SECRET)) == reason
    assert len(server.requests) == (reason is None)
    server.stop()


def test_a_tls_handshake_that_is_never_answered_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert reason_of(UpstreamClient(["127.0.0.1"], QUICK), f"https://127.0.0.1:{port}/") == "timeout"


@pytest.mark.alone
@pytest.mark.parametrize(
    "scenario", [upstreams.drip(0.1), upstreams.slow_headers(0.1), upstreams.drip(0.1, head=b"HTTP/1.1 100 Go\r\n\r\n")]
)
def test_an_answer_that_drips_ends_at_the_total_deadline(
    upstream: Upstream, client: UpstreamClient, scenario: Any
) -> None:
    upstream.on("/x", scenario)
    began = time.monotonic()
    assert reason_of(client, upstream.url + "/x") == "timeout"
    assert time.monotonic() - began < QUICK.total + 0.5


@pytest.mark.alone
@pytest.mark.parametrize("scenario", [upstreams.silent(), upstreams.hang()])
def test_one_silence_ends_at_the_read_timeout_long_before_the_total(upstream: Upstream, scenario: Any) -> None:
    upstream.on("/x", scenario)
    began = time.monotonic()
    assert reason_of(UpstreamClient([upstream.address], Limits(read=0.3, total=5)), upstream.url + "/x") == "timeout"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("scenario", [upstreams.gzip_bomb(1_000_000_000), upstreams.endless()])
def test_a_body_without_end_stops_at_the_cap_and_takes_little_memory(upstream: Upstream, scenario: Any) -> None:
    upstream.on("/x", scenario)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    limits = Limits(connect=1, read=2, total=10, attempts=1)
    assert reason_of(UpstreamClient([upstream.address], limits), upstream.url + "/x") == "too_large"
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 100_000


def test_a_gzipped_answer_is_read(upstream: Upstream, client: UpstreamClient) -> None:
    upstream.on("/x", upstreams.gzipped({"data": ["x" * 1000] * 50}))
    assert len(client.get_json(upstream.url + "/x")["data"]) == 50


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_waited_for_in_both_forms(upstream: Upstream, form: str) -> None:
    wait = "1" if form == "seconds" else email.utils.formatdate(time.time() + 2, usegmt=True)
    upstream.on("/x", upstreams.answer(429, b"", {"Retry-After": wait}), upstreams.answer(200, {}))
    limits = Limits(connect=1, read=1, total=5, backoff=0.01)
    assert UpstreamClient([upstream.address], limits).get_json(upstream.url + "/x") == {}
    assert upstream.requests[1].at - upstream.requests[0].at >= 0.9


def test_a_wait_beyond_the_deadline_is_reported_and_not_slept(upstream: Upstream, client: UpstreamClient) -> None:
    upstream.on("/x", upstreams.answer(429, b"", {"Retry-After": "3600"}))
    with pytest.raises(UpstreamError) as caught:
        client.get_json(upstream.url + "/x")
    assert (caught.value.retry_after, caught.value.status, len(upstream.requests)) == (3600, 429, 1)


def test_post_sends_its_body_as_json(upstream: Upstream, client: UpstreamClient) -> None:
    upstream.serve("/show", {"ok": True})
    assert client.post_json(upstream.url + "/show", {"model": "a"}) == {"ok": True}
    assert (upstream.requests[0].method, upstream.requests[0].body) == ("POST", b'{"model": "a"}')


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[1,]", b"NaN", b"[Infinity]", b"-Infinity", b"1e999", b"[-1e999]", b"1" * 5000, b'"\xff"', b"\xff\xfe[\0]\0",
        b'{"a":1,"a":2}', b"[" * 100_000, b"<html>", b'"a\nb"', b"1e99999999999999999999",
    ],
)  # fmt: skip
def test_what_is_not_strictly_json_is_malformed_and_nothing_else(data: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        strict_loads(data)
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"[" * 64 + b"]" * 64, None),
        (b"0.00000008333333333333334", Decimal("0.00000008333333333333334")),
        (b"1e-07", Decimal("1e-07")),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'{"\udc00":"\ud800"}', {"\udc00": "\ud800"}),  # for the adapter to judge
        (b"128000.0", Decimal(128000)),
    ],
)
def test_numbers_keep_their_digits_and_valid_json_is_read(data: bytes, value: Any) -> None:
    found = strict_loads(data)
    assert value is None or found == value


@pytest.mark.parametrize("depth", [100, 1000, 50_000])
def test_one_record_nested_too_deep_is_cut_and_the_others_stay(depth: int) -> None:
    data = b'{"data": [{"id": "a"}, {"id": "b", "x": ' + b"[" * depth + b"]" * depth + b'}, {"id": "c"}]}'
    assert [record["id"] for record in strict_loads(data)["data"]] == ["a", "b", "c"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 60))
def test_no_bytes_raise_anything_but_an_upstream_error(data: bytes, cut: int) -> None:
    for attempt in (data, b'{"data": [{"id": "a", "n": 1.5}, null, "\\u00e9"]}'[:cut]):
        try:
            strict_loads(attempt)
        except UpstreamError as error:
            assert error.reason == "malformed"


def test_every_denied_network_is_a_valid_network() -> None:
    assert all(isinstance(network, (ipaddress.IPv4Network, ipaddress.IPv6Network)) for network in addresses.DENIED)
