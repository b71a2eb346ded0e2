"""config/deploy/ha/: each file as its program takes it, and the values that decide an outage as `make drill-ha` tries them."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from configparser import ConfigParser
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.databases import _as_unprivileged
from tests.drills import cluster
from tests.servers import free_port

FOLDER = Path(__file__).parents[2] / "config" / "deploy" / "ha"
HAPROXY = (FOLDER / "haproxy.cfg").read_text()
PGBOUNCER = (FOLDER / "pgbouncer.ini").read_text()
PATRONI = yaml.safe_load((FOLDER / "patroni.yml").read_text())


def lines(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines() if line.strip()}


def pooler(text: str) -> dict[str, str]:
    parser = ConfigParser(comment_prefixes=(";",))
    parser.read_string(text)
    return dict(parser["pgbouncer"])


def test_patroni_waits_as_long_as_in_the_drill():
    words = {"name": "x", "rest": 1, "etcd": 2, "port": 3, "home": "/x", "binaries": "/y"}
    drill = yaml.safe_load(cluster.PATRONI.format(ttl=cluster.TTL, **words))
    assert PATRONI["bootstrap"] == drill["bootstrap"]


def test_haproxy_finds_the_primary_as_in_the_drill():
    drill = lines(cluster.HAPROXY) - {"bind 127.0.0.1:{port}"}
    assert drill - lines(HAPROXY) == set()
    ports = {PATRONI[name]["listen"].rpartition(":")[2] for name in ("postgresql", "restapi")}
    assert set(re.findall(r"server node\d \S+:(\d+) check port (\d+)", HAPROXY)) == {("5432", "8008")}
    assert ports == {"5432", "8008"}


def test_pgbouncer_waits_as_long_as_in_the_drill_and_leads_to_haproxy():
    drill, ours = pooler(cluster.PGBOUNCER), pooler(PGBOUNCER)
    of_a_place = {"listen_port", "unix_socket_dir", "auth_type", "auth_file", "max_client_conn"}
    assert {name: ours[name] for name in drill.keys() - of_a_place} == {n: drill[n] for n in drill.keys() - of_a_place}
    assert re.findall(r"bind (127\.0\.0\.1):(\d+)", HAPROXY) == re.findall(r"host=(\S+) port=(\d+)", PGBOUNCER)


def test_two_poolers_ask_for_fewer_connections_than_postgresql_has():
    most = PATRONI["bootstrap"]["dcs"]["postgresql"]["parameters"]["max_connections"]
    assert 2 * int(pooler(PGBOUNCER)["default_pool_size"]) + 10 <= most


def test_no_password_of_the_drill_and_nobody_trusted():
    text = "".join(path.read_text() for path in FOLDER.iterdir())
    assert re.findall(r"drill|trust|use_proxies", text) == []


@pytest.mark.skipif(not shutil.which("haproxy", path="/usr/sbin:/usr/bin"), reason="haproxy is not installed")
def test_haproxy_takes_it():
    command = ["/usr/sbin/haproxy", "-c", "-f", str(FOLDER / "haproxy.cfg")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "WARNING" in done.stderr) == (0, False), done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("pgbouncer"), reason="pgbouncer is not installed")
def test_pgbouncer_takes_it():
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="modeldex-pooler-") as name:
        home = Path(name)
        home.chmod(0o755)
        (home / "userlist.txt").write_text('"modeldex" "SCRAM-SHA-256$4096:eA==$eA==:eA=="\n')
        ours = PGBOUNCER.replace("/etc/pgbouncer", name).replace("= 6432", f"= {port}\nunix_socket_dir =")
        (home / "pgbouncer.ini").write_text(ours)
        with (home / "log").open("wb") as log:
            command = [*_as_unprivileged("--pdeathsig", "TERM"), "pgbouncer", str(home / "pgbouncer.ini")]
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and process.poll() is None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            said = (home / "log").read_text()
            assert (process.poll(), re.findall("(?m)^.*(?:ERROR|WARNING|FATAL).*$", said)) == (None, [])
        finally:
            process.terminate()
            process.wait(10)
