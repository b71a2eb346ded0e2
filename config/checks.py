"""System checks of a deployment, `manage.py check --deploy`, and the same as a line each when a server starts."""

from __future__ import annotations

import logging
from ipaddress import collapse_addresses
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Warning
from django.db import connections

from config.databases.patience import impatient

logger = logging.getLogger("modeldex.start")


@checks.register("modeldex", deploy=True)
def hosts_are_named(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Warning(
            "ALLOWED_HOSTS=* answers to any name, so that links and forms can be made to point to another host: "
            "name the hosts.",
            id="config.W001",
        )
    ]


@checks.register("modeldex", deploy=True)
def proxies_are_named(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    for version in (4, 6):
        networks: list[Any] = [network for network in settings.TRUSTED_PROXIES if network.version == version]
        # 0.0.0.0/1 and 128.0.0.0/1 are everything, too.
        if any(network.prefixlen == 0 for network in collapse_addresses(networks)):
            return [
                Warning(
                    "TRUSTED_PROXIES holds all addresses, so that anyone can claim another address, and TLS where "
                    "there is none: name the proxies.",
                    id="config.W002",
                )
            ]
    return []


def warn_at_start() -> None:
    """Logs the warnings of our own checks. Leaves no connection open: the server may yet fork."""
    try:
        with impatient():
            found = checks.run_checks(tags=["modeldex"], include_deployment_checks=True)
    except Exception:
        logger.exception("The deployment could not be checked.")
        return
    finally:
        for connection in connections.all(initialized_only=True):
            connection.close()
            if getattr(connection, "pool", None):
                connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's
    for message in found:
        logger.warning("%s", message.msg)
