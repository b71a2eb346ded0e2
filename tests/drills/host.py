"""
config/deploy/README.md on a bare Debian with systemd as its first process: the units as systemd runs them.

    python -m tests.drills.host

As root, with Debian's debootstrap and systemd-container. Runs the README's own blocks for install, settings, tables, units
and nginx, of the commit that is checked out; then holds the units to what they promise: ready, within their sandbox,
started again after a crash and a boot, ended in time, no secret in the journal; copies and restore, upgrade and downgrade.
The host has a network for the first block alone, before its boot.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "config/deploy/README.md"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
NEEDED = ("debootstrap", "systemd-nspawn", "nsenter", "git")
UNITS = ("modeldex-web", "modeldex-sync", "modeldex-prune.timer", "modeldex-backup.timer")
PASSWORD = "A-long-enough-passphrase-1"
# What stands in for what an operator answers and has.
ANSWERED = {
    "config/deploy/manage createsuperuser": f"DJANGO_SUPERUSER_PASSWORD={PASSWORD} config/deploy/manage createsuperuser"
    " --noinput --username root --email root@example.com",
    "git clone REPOSITORY": "git clone --quiet /srv/modeldex.git",
}
CERTIFICATE = """
install -d -m 0700 /etc/ssl/modeldex
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=modeldex.example.com -addext subjectAltName=DNS:modeldex.example.com \
    -keyout /etc/ssl/modeldex/privkey.pem -out /etc/ssl/modeldex/fullchain.pem 2>/dev/null
"""
THROUGH_NGINX = "curl -sS --cacert /etc/ssl/modeldex/fullchain.pem --resolve modeldex.example.com:443:127.0.0.1 -o /dev/null -w '%{http_code}' https://modeldex.example.com"


def blocks(section: str) -> list[str]:
    """The shell blocks of a section of the guide."""
    text = GUIDE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.findall(r"(?ms)^```sh\n(.*?)^```", text)
    assert found, section
    for asked, answered in ANSWERED.items():
        found = [block.replace(asked, answered) for block in found]
    return found


class Host:
    """A tree with a Debian, and the systemd that runs in it."""

    def __init__(self, home: Path) -> None:
        self.home, self.tree = home, home / "modeldex"
        self.leader = 0

    def make(self) -> None:
        codename = re.search(r"(?m)^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text())
        run(
            "debootstrap",
            "--variant=minbase",
            "--include=systemd,systemd-sysv,dbus",
            codename[1] if codename else "stable",
            self.tree,
        )
        run("git", "clone", "--quiet", "--bare", ROOT, self.tree / "srv/modeldex.git")
        self.publish("HEAD^{tree}", "-p", "HEAD", "-m", "this")
        shutil.copy(CERTIFICATES, self.tree / "srv/certificates.pem")
        # As on an image of a bare machine: packages' services wait for the boot.
        (self.tree / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (self.tree / "usr/sbin/policy-rc.d").chmod(0o755)
        command = ["apt-get update -qq", "export DEBIAN_FRONTEND=noninteractive", *blocks("1. Install")]
        run(
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--pipe", "-D", self.tree,
            "--setenv=PIP_CERT=/srv/certificates.pem", "bash", "-euc", "\n".join(command).replace("install --", "install -y --", 1),
        )  # fmt: skip
        (self.tree / "usr/sbin/policy-rc.d").unlink()

    def publish(self, *tree: str) -> None:
        """A commit in the repository that the host has been cloned from."""
        git = (
            "git",
            "-C",
            self.tree / "srv/modeldex.git",
            "-c",
            "user.name=drill",
            "-c",
            "user.email=drill@example.com",
        )
        run(*git, "update-ref", "refs/heads/main", run(*git, "commit-tree", *tree).strip())
        run(*git, "symbolic-ref", "HEAD", "refs/heads/main")

    @contextmanager
    def booted(self) -> Iterator[None]:
        """Boots it, with a network of its own, and turns it off."""
        with (self.home / "console").open("ab") as console:
            nspawn = subprocess.Popen(
                ["systemd-nspawn", "--boot", "--register=no", "--keep-unit", "--private-network", "-D", self.tree],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
            )  # fmt: skip
        try:
            self.leader = int(until("the first process", lambda: children(nspawn.pid)).split()[0])
            until("the boot", lambda: self("systemctl is-system-running || true").strip() in ("running", "degraded"))
            yield
        finally:
            nspawn.send_signal(signal.SIGTERM)
            try:
                nspawn.wait(60)
            except subprocess.TimeoutExpired:
                nspawn.kill()
                nspawn.wait()

    def __call__(self, script: str) -> str:
        """What a root shell in it says, which must succeed."""
        command = [
            "nsenter",
            f"--target={self.leader}",
            "--all",
            "--",
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        return run(*command, "HOME=/root", "bash", "-euc", f"cd /opt/modeldex\n{script}")

    def shows(self, unit: str, what: str) -> str:
        return self(f"systemctl show --value -p {what} {unit}").strip()


def run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command[-1]}: {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def children(process: int) -> str:
    return Path(f"/proc/{process}/task/{process}/children").read_text()


def until(what: str, found: Callable[[], Any], seconds: float = 60) -> Any:
    """What it returns as soon as that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if value := found():
                return value
        except AssertionError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


def installed(host: Host) -> None:
    for section in ("2. Database and settings", "3. Static files, tables, the first administrator", "4. Units"):
        for block in blocks(section):
            host(block)
    host(CERTIFICATE + blocks("5. A proxy with TLS")[0])
    assert [host(f"{THROUGH_NGINX}{path}") for path in ("/readyz", "/admin/login/", "/v1/models")] == [
        "200",
        "200",
        "401",
    ]


def ready(host: Host) -> Any:
    return until("/readyz", lambda: host("curl -fsS http://127.0.0.1:8000/readyz"), 30)


def confined(host: Host) -> None:
    """Each service runs as its user, and can write its own folders alone."""
    for unit in UNITS[:2]:
        process = host.shows(unit, "MainPID")
        status = dict(line.split(":", 1) for line in host(f"cat /proc/{process}/status").splitlines())
        assert [status[name].split()[0] for name in ("NoNewPrivs", "Seccomp", "CapBnd")] == ["1", "2", "0" * 16], status
        assert host(f"stat -c %U /proc/{process}").strip() == "modeldex"
        mounts = host(f"cat /proc/{process}/mountinfo").splitlines()
        root = [line.split()[5].split(",")[0] for line in mounts if line.split()[4] == "/"]
        assert root == ["ro"], root


def kept(host: Host) -> None:
    """Started again after a crash, and on from a reload; ended in time by itself."""
    first = host.shows("modeldex-web", "MainPID")
    host(f"kill -9 {first}")
    until("another process", lambda: host.shows("modeldex-web", "MainPID") not in ("0", first), 10)
    ready(host)
    assert host.shows("modeldex-web", "NRestarts") == "1"
    process = host.shows("modeldex-web", "MainPID")
    before = host(f"cat /proc/{process}/task/{process}/children")
    host("systemctl reload modeldex-web")
    until(
        "other workers",
        lambda: not set(host(f"cat /proc/{process}/task/{process}/children").split()) & set(before.split()),
        30,
    )
    ready(host)
    for unit in UNITS[:2]:
        began = time.monotonic()
        host(f"systemctl stop {unit}")
        took = time.monotonic() - began
        assert (host.shows(unit, "Result"), took < 25) == ("success", True), (unit, host.shows(unit, "Result"), took)
        print(f"{unit} stopped in {took:.1f} s")
        host(f"systemctl start {unit}")
    ready(host)


def timed(host: Host) -> None:
    """What the timers start ends well; the copies are its user's alone."""
    for unit in ("modeldex-prune", "modeldex-backup"):
        host(f"systemctl start {unit}.service")
        assert host.shows(f"{unit}.timer", "NextElapseUSecRealtime")
    assert host("stat -c '%U %a' /var/lib/modeldex-backups /var/lib/modeldex-backups/*.dump").split() == [
        "modeldex",
        "700",
        "modeldex",
        "600",
    ]


def changed(host: Host) -> None:
    """Restore, upgrade and downgrade by the guide."""
    made = "config/deploy/manage shell -v0 -c 'from django.contrib.auth.models import Group; "
    host(made + 'Group.objects.create(name="kept")' + "'")
    for block in blocks("Backup and restore"):
        host(block)
    assert host(made + "print(Group.objects.count())'").strip() == "1"
    ready(host)
    up, down = blocks("Upgrade and downgrade")
    again = "config/deploy/manage collectstatic --noinput\nconfig/deploy/manage migrate\nsystemctl restart modeldex-web modeldex-sync"
    host.publish("HEAD^{tree}", "-p", "HEAD", "-m", "the next")
    host(up + again)
    ready(host)
    host(down + again)
    ready(host)


def secrets_in_journal(host: Host) -> list[str]:
    journal = host("journalctl --no-pager -o cat")
    settings = dict(line.split("=", 1) for line in host("grep -E '^[A-Z_]+=' /etc/modeldex/modeldex.env").splitlines())
    return [
        name
        for name in ("SECRET_KEY", "CREDENTIAL_KEYS", "API_KEY_PEPPERS", "DATABASE_URL")
        if settings[name] in journal
    ]


def main() -> None:
    # A terminated drill leaves through the context managers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if os.geteuid() or not all(shutil.which(name) for name in NEEDED):
        raise SystemExit(f"Only root can run it, with {', '.join(NEEDED)}.")
    with tempfile.TemporaryDirectory(prefix="modeldex-host-", ignore_cleanup_errors=True) as name:
        host = Host(Path(name))
        host.make()
        print("installed; booting")
        with host.booted():
            for step in (installed, confined, kept, timed, changed):
                step(host)
                print(f"{step.__name__}: as promised", flush=True)
        with host.booted():
            ready(host)
            assert host(f"systemctl is-active {' '.join(UNITS)}").split() == ["active"] * 4
            print("after another boot: all active")
            assert secrets_in_journal(host) == []
            assert host("systemctl list-units --failed --plain --no-legend 'modeldex*'") == ""
    print("kept")


if __name__ == "__main__":
    main()
