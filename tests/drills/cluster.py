"""A highly available PostgreSQL on loopback, of Debian's packages: etcd, Patroni, HAProxy and PgBouncer, for tests/drills/ha.py."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.databases import _as_unprivileged, program
from tests.servers import free_port

NEEDED = ("etcd", "patroni", "haproxy", "pgbouncer")
# Of Patroni's leader lock, in seconds: how long a dead primary is waited for at most.
TTL = 15

PATRONI = """\
scope: modeldex
name: {name}
restapi: {{listen: "127.0.0.1:{rest}", connect_address: "127.0.0.1:{rest}"}}
etcd3: {{hosts: "127.0.0.1:{etcd}", use_proxies: true}}
bootstrap:
  dcs:
    ttl: {ttl}
    loop_wait: 1
    retry_timeout: 4
    synchronous_mode: true
    primary_start_timeout: 0
    postgresql: {{use_pg_rewind: true, parameters: {{wal_log_hints: "on", max_connections: 60}}}}
  initdb: [{{encoding: UTF8}}, {{locale: C.UTF-8}}]
postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  data_dir: {home}/data
  bin_dir: {binaries}
  pgpass: {home}/pgpass
  authentication:
    superuser: {{username: postgres, password: drill}}
    replication: {{username: replicator, password: drill}}
  parameters: {{unix_socket_directories: {home}, shared_buffers: 32MB}}
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
watchdog: {{mode: "off"}}
"""
HAPROXY = """\
global
    maxconn 500
defaults
    mode tcp
    timeout connect 2s
    timeout client 10m
    timeout server 10m
listen primary
    bind 127.0.0.1:{port}
    option httpchk GET /primary
    default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
"""
PGBOUNCER = """\
[databases]
modeldex = host=127.0.0.1 port={behind} dbname=modeldex
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {home}/users.txt
pool_mode = transaction
default_pool_size = 20
max_client_conn = 200
server_login_retry = 1
server_connect_timeout = 2
query_wait_timeout = 5
ignore_startup_parameters = extra_float_digits
"""


class Process:
    """A program that can be killed and started again, in a process group of its own, its words in a log."""

    def __init__(self, home: Path, *command: Any) -> None:
        self.home, self.command = home, [str(word) for word in command]
        self.start()

    def start(self) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_as_unprivileged(), *self.command], cwd=self.home, env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def kill(self, how: int = signal.SIGKILL) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)
        self.process.wait(20)


class Link:
    """A TCP forwarder that can be cut: what a node sees of etcd."""

    def __init__(self, targets: list[int]) -> None:
        self.targets, self.is_cut, self.open = targets, False, set[socket.socket]()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self.listener.accept()
            far = None if self.is_cut else self._reach()
            if far is None:
                near.close()
                continue
            self.open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _reach(self) -> socket.socket | None:
        for port in self.targets:
            with suppress(OSError):
                far = socket.create_connection(("127.0.0.1", port), 1)
                far.settimeout(None)
                return far
        return None

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            self.open.discard(end)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut(self) -> None:
        self.is_cut = True
        for end in list(self.open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.is_cut = False


class Node:
    """A PostgreSQL under Patroni."""

    def __init__(self, home: Path, name: str, etcd: list[int]) -> None:
        self.home, self.name, self.port, self.rest = home, name, free_port(), free_port()
        self.link = Link(etcd)
        (home / "patroni.yml").write_text(
            PATRONI.format(
                name=name, rest=self.rest, etcd=self.link.port, ttl=TTL, port=self.port, home=home,
                binaries=Path(program("postgres")).parent,
            )
        )  # fmt: skip
        self.patroni = Process(home, shutil.which("patroni"), home / "patroni.yml")

    def postmaster(self) -> int:
        return int((self.home / "data" / "postmaster.pid").read_text().split()[0])

    def crash(self) -> None:
        """PostgreSQL alone, with all that it forked."""
        os.kill(self.postmaster(), signal.SIGKILL)

    def die(self) -> None:
        """The whole node: Patroni first, so that it mends nothing."""
        self.patroni.kill()
        with suppress(OSError, ProcessLookupError):
            os.kill(self.postmaster(), signal.SIGKILL)

    def asked(self, path: str, body: Any = None) -> Any:
        """What Patroni answers; None where it does not."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.rest}{path}", data, {"Content-Type": "application/json"}
        )
        with suppress(OSError, ValueError), urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - ours
            text = answer.read().decode()
            return json.loads(text) if text.startswith("{") else text
        return None


class Cluster:
    """All of it. `url` leads through PgBouncer and HAProxy, `direct` through HAProxy alone."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.etcd: list[Process] = []
        self.nodes: list[Node] = []
        self.others: list[Process] = []

    def start(self) -> None:
        self.etcd = self._start_etcd()
        clients = [int(process.command[-1].rpartition(":")[2]) for process in self.etcd]
        # Patroni 3.0 ends at once on an etcd whose members have not agreed on a version yet.
        until("etcd", lambda: all(map(_has_a_version, clients)), 60)
        for n in range(3):
            self.nodes.append(Node(self.folder(f"node{n}"), f"node{n}", clients))
        until("a primary with two replicas", lambda: len(self.streaming()) == 2, 240)
        balanced, pooled = free_port(), free_port()
        servers = [f"    server {node.name} 127.0.0.1:{node.port} check port {node.rest}\n" for node in self.nodes]
        home = self.folder("haproxy")
        (home / "haproxy.cfg").write_text(HAPROXY.format(port=balanced) + "".join(servers))
        self.haproxy = Process(home, shutil.which("haproxy"), "-f", home / "haproxy.cfg")
        home = self.folder("pgbouncer")
        (home / "users.txt").write_text('"postgres" "drill"\n')
        (home / "pgbouncer.ini").write_text(PGBOUNCER.format(behind=balanced, port=pooled, home=home))
        self.others = [self.haproxy, Process(home, shutil.which("pgbouncer"), home / "pgbouncer.ini")]
        self.direct = f"postgresql://postgres:drill@127.0.0.1:{balanced}"
        self.url = f"postgresql://postgres:drill@127.0.0.1:{pooled}/modeldex"

    def folder(self, name: str) -> Path:
        folder = self.home / name
        folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        return folder

    def _start_etcd(self) -> list[Process]:
        peers = {f"etcd{n}": free_port() for n in range(3)}
        cluster = ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in peers.items())
        started = []
        for name, port in peers.items():
            client, home = free_port(), self.folder(name)
            started.append(
                Process(
                    home, shutil.which("etcd"), "--name", name, "--data-dir", home / "data", "--initial-cluster", cluster,
                    "--listen-peer-urls", f"http://127.0.0.1:{port}",
                    "--initial-advertise-peer-urls", f"http://127.0.0.1:{port}",
                    "--advertise-client-urls", f"http://127.0.0.1:{client}",
                    "--listen-client-urls", f"http://127.0.0.1:{client}",
                )
            )  # fmt: skip
        return started

    def members(self) -> list[dict[str, Any]]:
        for node in self.nodes:
            if isinstance(found := node.asked("/cluster"), dict):
                return list(found["members"])
        return []

    def streaming(self) -> list[dict[str, Any]]:
        return [
            m
            for m in self.members()
            if m["role"] != "leader" and m["state"] in ("running", "streaming") and m.get("lag") == 0
        ]

    def primary(self) -> Node:
        """The one that says so of itself; waits for it."""
        found: list[Node] = []

        def ask() -> bool:
            found[:] = [node for node in self.nodes if node.asked("/primary")]
            return len(found) == 1

        until("a primary", ask, 60)
        return found[0]

    def whole(self) -> bool:
        """Whether there are a primary, one standby that commits wait for, and both replicas follow."""
        return len(self.streaming()) == 2 and any(m["role"] == "sync_standby" for m in self.members())

    def stop(self) -> None:
        for node in self.nodes:
            node.die()
        for process in [*self.others, *self.etcd]:
            process.kill()


def _has_a_version(etcd: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{etcd}/version", timeout=2) as answer:
        return json.load(answer)["etcdcluster"] != "not_decided"
    return False


def until(what: str, holds: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"Waited {seconds} s in vain for {what}.")
        time.sleep(0.2)
