"""A sync that a page starts and does not wait for."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from django.db import connection

from providers.models import Provider, SyncRun
from providers.sync.lease import AlreadyRunning
from providers.sync.run import sync

log = logging.getLogger(__name__)
# How long the page waits for the run to open, in seconds. The lease is taken well within it.
PATIENCE = 2.0


def start(provider: Provider, by: Any) -> SyncRun | None:
    """Starts a sync in a thread of its own and returns its run; None where none opened in time.

    Raises AlreadyRunning. A process that ends takes the thread with it: the run is then `interrupted`, and the next
    sync starts at once.
    """
    before = SyncRun.objects.filter(provider=provider).order_by("-pk").values_list("pk", flat=True).first() or 0
    refused: list[AlreadyRunning] = []

    def work() -> None:
        try:
            sync(provider, trigger="admin", by=by)
        except AlreadyRunning as error:
            refused.append(error)
        except Exception:
            log.exception("sync of %s", provider.slug)
        finally:
            connection.close()

    thread = threading.Thread(target=work, name=f"sync of {provider.slug}", daemon=True)
    thread.start()
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        run = SyncRun.objects.filter(provider=provider, pk__gt=before).order_by("pk").first()
        if refused:
            raise refused[0]
        if run is not None or not thread.is_alive():
            return run
        thread.join(0.05)
    return None
