"""Starts the web server, granian: `python -m config.serving`."""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import resource
import shutil
import socket
import tempfile
from contextlib import suppress
from importlib import import_module

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

# Read first, and with them the .env file of development, which may say how to serve.
from config import environment as env
from config import settings

APPLICATION = "config.asgi:application"
HOST = env.text("HOST", "127.0.0.1")
WORKERS = env.number("WEB_WORKERS", 2, 1, 256)
# Of one worker, idle ones included; those beyond wait until others end, which idle ones do within HEAD_TIMEOUT.
MAX_CONNECTIONS = 4096
# Milliseconds for a request's head to arrive, and for the next one on a connection that is kept.
HEAD_TIMEOUT = 10_000
# Bytes of a request's head, and of an answer that wait for the client.
HEAD_BUFFER = 64 * 1024
# M_ARENA_MAX and M_MMAP_THRESHOLD of mallopt(3). The environment's MALLOC_ARENA_MAX is read before there is a Python.
_ARENAS, _APART = -8, -3
# Seconds that running requests get when the server stops.
GRACE = 20


def main() -> None:
    """Serves until it is told to stop. Raises SystemExit, with a sentence, where it cannot start."""
    address = free_address()
    if not settings.DEVELOPMENT and not (settings.STATIC_ROOT / "staticfiles.json").is_file():
        env.refuse("STATIC_ROOT holds no static files: run `manage.py collectstatic --noinput`.")
    if settings.METRICS_TOKEN:
        share_metrics()
    bound_heap()
    # Loaded once, before there are workers: what stops the start then stops the server, and the workers share memory.
    import_module(APPLICATION.partition(":")[0])
    # It stays: Python need not look for garbage in it, which would copy it in each worker, and hold requests up.
    gc.collect()
    gc.freeze()
    server = Granian(
        APPLICATION,
        address=address,
        port=settings.PORT,
        interface=Interfaces.ASGINL,
        workers=WORKERS,
        http=HTTPModes.http1,
        websockets=False,
        backlog=MAX_CONNECTIONS,
        backpressure=connections_allowed(),
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_TIMEOUT, max_buffer_size=HEAD_BUFFER),
        log_level=LogLevels(env.text("LOG_LEVEL", "INFO").lower()),
        log_dictconfig=settings.LOGGING,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE,
    )
    server.serve()


def share_metrics() -> None:
    """A folder in which the workers count together. It is read by prometheus-client when that is imported."""
    folder = tempfile.mkdtemp(prefix="modeldex-metrics-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder


def bound_heap() -> None:
    """Two arenas of glibc for all threads: what one thread has freed, in an arena of its own, would serve no other.

    What takes a megabyte or more, as whole lists do, goes back to the kernel once it is freed. By itself glibc would
    put the next one into the heap, which grows where others lie in between: 228 MB of a worker instead of 192.
    """
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_ARENAS, 2)
        libc.mallopt(_APART, 1 << 20)


def free_address() -> str:
    """HOST as a number. Granian would share a port that another granian serves, and the two would answer in turns."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(HOST, settings.PORT, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        env.refuse(f"HOST {HOST} and PORT {settings.PORT} cannot be served ({error.strerror}).")
    return str(address[0])


def connections_allowed() -> int:
    """Files may be opened up to the hard limit, and some are left for the database and for files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + 512
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(MAX_CONNECTIONS, max(128, soft - 512))


if __name__ == "__main__":
    main()
