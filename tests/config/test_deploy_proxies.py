"""config/deploy/nginx.conf and Caddyfile: each as its proxy reads it, and requests through it to the server."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.servers import Answer, Server, free_port, running

# A proxy knows nothing of the database.
pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

DEPLOY = Path(__file__).parents[2] / "config" / "deploy"
NAME = "modeldex.example.com"
# nginx is where a user does not look.
BINARIES = "/usr/local/bin:/usr/sbin:/usr/bin:/bin"
TOKEN = "a token of some length"
NGINX = (
    "daemon off;\npid {folder}/pid;\nerror_log {folder}/error crit;\n{user}events {{}}\nhttp {{\n{paths}\n{ours}\n}}\n"
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A folder with a certificate for NAME that nobody has signed."""
    folder = tmp_path_factory.mktemp("certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    name = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run([*command, *name, *files], check=True, capture_output=True)
    return folder


def nginx(folder: Path, certificate: Path, server: int, port: int) -> tuple[list[str], list[str]]:
    ours = (DEPLOY / "nginx.conf").read_text()
    for there, here in (
        ("/etc/ssl/modeldex", str(certificate)), ("/var/log/nginx", str(folder)), ("127.0.0.1:8000", f"127.0.0.1:{server}"),
        ("    listen [::]:80;\n", ""), ("    listen [::]:443 ssl http2;\n", ""), ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443 ssl http2", f"listen 127.0.0.1:{port} ssl http2"),
    ):  # fmt: skip
        assert there in ours
        ours = ours.replace(there, here)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "conf").write_text(NGINX.format(folder=folder, paths=paths, ours=ours, user=user))
    return ["nginx", "-e", f"{folder}/error", "-c", f"{folder}/conf", "-t"], [
        "nginx",
        "-e",
        f"{folder}/error",
        "-c",
        f"{folder}/conf",
    ]


def caddy(folder: Path, certificate: Path, server: int, port: int) -> tuple[list[str], list[str]]:
    ours = (DEPLOY / "Caddyfile").read_text().replace("127.0.0.1:8000", f"127.0.0.1:{server}")
    tls = f"tls {certificate}/fullchain.pem {certificate}/privkey.pem"
    ours = ours.replace(f"{NAME} {{", f"{NAME}:{port} {{\n\tbind 127.0.0.1\n\t{tls}")
    return _caddy(folder, ours)


def compose(folder: Path, certificate: Path, server: int, port: int) -> tuple[list[str], list[str]]:
    """The proxy of compose.yaml, which finds its servers by a name."""
    ours = (DEPLOY / "compose.Caddyfile").read_text()
    tls = f"tls {certificate}/fullchain.pem {certificate}/privkey.pem"
    for there, here in (
        ("{$DOMAIN} {", f"{NAME}:{port} {{\n\tbind 127.0.0.1\n\t{tls}"),
        ("name web", "name localhost"),
        ("port 8000", f"port {server}"),
    ):
        assert there in ours
        ours = ours.replace(there, here)
    return _caddy(folder, ours)


def _caddy(folder: Path, ours: str) -> tuple[list[str], list[str]]:
    settings = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    (folder / "conf").write_text(settings + ours)
    words = ["--config", str(folder / "conf"), "--adapter", "caddyfile"]
    return ["caddy", "validate", *words], ["caddy", "run", *words]


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": BINARIES, "HOME": str(folder)}


PROXIES = {"nginx": nginx, "caddy": caddy, "compose": compose}


class Through:
    """Requests by TLS to a proxy, from an address that is no proxy's."""

    def __init__(self, port: int, certificate: Path) -> None:
        self.port = port
        self.context = ssl.create_default_context(cafile=str(certificate / "fullchain.pem"))

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = HTTPSConnection(NAME, timeout=15)
        plain = socket.create_connection(("127.0.0.1", self.port), 15, ("127.0.0.2", 0))
        connection.sock = self.context.wrap_socket(plain, server_hostname=NAME)
        with closing(connection):
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())


@contextmanager
def proxy(start: list[str], through: Through, folder: Path) -> Iterator[Through]:
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(start, stdout=output, stderr=output, env=environment(folder))
    deadline = time.monotonic() + 20
    try:
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(OSError):
                if through.request("GET", "/healthz").status == 200:
                    break
            time.sleep(0.1)
        yield through
    finally:
        process.terminate()
        process.wait(15)


@pytest.fixture(scope="module", params=list(PROXIES))
def served(request, database_url, project_dir, certificate, tmp_path_factory) -> Iterator[tuple[Through, Server, Path]]:
    """The proxy, the server behind it, and the proxy's folder."""
    program = "nginx" if request.param == "nginx" else "caddy"
    if not (shutil.which(program, path=BINARIES) and shutil.which("openssl")):
        pytest.skip(f"{program} or openssl is not installed")
    folder, port = tmp_path_factory.mktemp(request.param), free_port()
    settings = {"INSECURE_HTTP": "false", "TRUSTED_PROXIES": "127.0.0.1", "ALLOWED_HOSTS": f"{NAME},127.0.0.1"}
    with running(
        folder / "log", project_dir, DATABASE_URL=database_url, METRICS_TOKEN=TOKEN, ACCESS_LOG="1", **settings
    ) as server:
        check, start = PROXIES[request.param](folder, certificate, server.port, port)
        done = subprocess.run(check, capture_output=True, text=True, env=environment(folder))
        assert done.returncode == 0, done.stderr
        with proxy(start, Through(port, certificate), folder) as through:
            yield through, server, folder


def test_what_came_by_tls_is_answered_and_what_did_not_is_sent_there(served):
    through, server, _ = served
    assert through.request("GET", "/v1/models").status == 401
    straight = server.request("GET", "/v1/models", Host=NAME, X_Forwarded_For="203.0.113.9")
    assert (straight.status, straight.headers["Location"]) == (301, f"https://{NAME}/v1/models")


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6detrics", "/metrics/", "/x/../metrics", "/METRICS"])
def test_nobody_outside_reaches_the_metrics(served, path):
    through, server, _ = served
    assert through.request("GET", path, Authorization=f"Bearer {TOKEN}").status in (400, 404)
    # Prometheus comes from inside, by plain HTTP.
    assert server.request("GET", "/metrics", Authorization=f"Bearer {TOKEN}").status == 200


def test_a_client_is_known_by_its_address_and_not_by_what_it_claims(served):
    through, server, _ = served
    claims = {"X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "http", "X_Request_Id": "claimed"}
    assert through.request("GET", "/api/none", **claims).status == 404
    (line,) = (line for line in server.logged("claimed] 127.") if '" 404 ' in line)
    assert "127.0.0.2" in line
    assert "203.0.113.9" not in line


@pytest.mark.parametrize(("size", "said"), [(2_700_000, b"request_too_large"), (4_000_000, b"")])
def test_too_large_a_body_is_refused_by_the_server_or_by_the_proxy(served, size, said):
    answer = served[0].request("POST", "/api/keys", b"x" * size, Content_Type="application/json")
    assert answer.status == 413
    assert said in answer.body


def test_an_answer_keeps_its_tag_and_its_coding(served, make_model):
    for number in range(300):
        make_model(f"acme/{number}")
    through, _, _ = served
    found = through.request("GET", "/api/models", Accept_Encoding="gzip")
    assert (found.status, found.headers["Content-Encoding"]) == (200, "gzip")
    again = through.request("GET", "/api/models", Accept_Encoding="gzip", If_None_Match=found.headers["ETag"])
    assert (again.status, again.body) == (304, b"")


def test_no_log_holds_what_is_secret_in_an_address(served):
    through, _, folder = served
    assert through.request("GET", "/export/mde_SECRET/genai-prices.json?x=1").status in (401, 404)
    assert through.request("GET", "/v1/models?key=SECRET").status == 401
    time.sleep(0.3)
    logs = "".join(path.read_text(errors="replace") for path in folder.glob("*") if path.is_file())
    assert "SECRET" not in logs
    if (own := folder / "modeldex.log").exists():
        assert '"GET /export/***/genai-prices.json" 40' in own.read_text()


@contextmanager
def answering(port: int) -> Iterator[None]:
    """A server on the port that answers 200."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_servers_behind_nginx_are_restarted_in_turn_without_a_refused_request(certificate, tmp_path):
    """By the guide: one, a wait longer than fail_timeout, the other."""
    if not shutil.which("nginx", path=BINARIES):
        pytest.skip("nginx is not installed")
    first, second, port = free_port(), free_port(), free_port()
    _, start = nginx(tmp_path, certificate, first, port)
    conf = (tmp_path / "conf").read_text()
    (line,) = re.findall(rf"(?m)^ *server 127\.0\.0\.1:{first}.*;$", conf)
    (tmp_path / "conf").write_text(conf.replace(line, f"{line}\n{line.replace(str(first), str(second))}"))
    through = Through(port, certificate)

    def asked() -> set[int]:
        return {through.request("GET", "/readyz").status for _ in range(4)}

    guide = (DEPLOY / "README.md").read_text()
    with ExitStack() as rest:
        with answering(second):
            rest.enter_context(proxy(start, through, tmp_path))
            assert asked() == {200}  # The first one is down: nginx has met that.
            rest.enter_context(answering(first))
            time.sleep(int(re.findall(r"`sleep (\d+)`", guide)[0]))
        assert asked() == {200}


CACHING = """
proxy_cache_path {folder}/cache keys_zone=all:1m;
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://127.0.0.1:{server};
        proxy_cache all;
        proxy_set_header Host $host;
        add_header X-Cache $upstream_cache_status;
    }}
}}
"""


class Plainly(Through):
    def __init__(self, port: int) -> None:
        self.port = port

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        return Server(self.port, Path(), None).request(method, path, body, **headers)


def test_a_cache_in_front_gives_nobody_what_another_was_answered(
    database_url, project_dir, tmp_path, make_user, make_model, make_key
):
    if not shutil.which("nginx", path=BINARIES):
        pytest.skip("nginx is not installed")
    make_model("acme/open")
    alice, bob = make_user("alice"), make_user("bob")
    make_model("of-alice", owner=alice, base_model=make_model("acme/x"))
    callers = [{"Authorization": f"Bearer {make_key(user).token}"} for user in (alice, bob)]
    callers.append({"Authorization": f"Bearer {make_key(alice, allow=['acme/open']).token}"})
    with running(tmp_path / "log", project_dir, DATABASE_URL=database_url) as server:
        port = free_port()
        ours = CACHING.format(folder=tmp_path, port=port, server=server.port)
        user = "user root;\n" if os.geteuid() == 0 else ""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "\n".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
        (tmp_path / "conf").write_text(NGINX.format(folder=tmp_path, paths=paths, ours=ours, user=user))
        start = ["nginx", "-e", f"{tmp_path}/error", "-c", f"{tmp_path}/conf"]
        with proxy(start, Plainly(port), tmp_path) as through:
            page = through.request("GET", "/models").body.decode()
            kept = re.search(r'"(/static/[^"]+\.css)"', page)[1]
            assert [through.request("GET", kept).headers["X-Cache"] for _ in range(2)] == ["MISS", "HIT"]
            for path in (
                "/v1/models",
                "/api/models",
                "/api/models?format=cli",
                "/api/models/list",
                "/api/settings",
                "/models",
            ):
                for _ in range(2):
                    for headers in (*callers, {}):
                        found, straight = (one.request("GET", path, **headers) for one in (through, server))
                        assert (found.status, found.headers["ETag"]) == (straight.status, straight.headers["ETag"])
                        assert found.headers["X-Cache"] != "HIT"
                        if straight.status == 200 and path != "/models":
                            assert found.body == straight.body
