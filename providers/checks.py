"""System checks of the deployment: `manage.py check --deploy`."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Warning, register
from django.db import DatabaseError

from providers.connection.sealing import CredentialError, decrypt
from providers.models import Provider


def undecryptable() -> list[str]:
    """A sentence for each stored credential that cannot be used with the configured keys."""
    problems = []
    for provider in Provider.objects.exclude(credential="").order_by("slug"):
        try:
            decrypt(provider)
        except CredentialError as error:
            problems.append(str(error))
    return problems


@register("modeldex", deploy=True)
def credentials_decrypt(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    try:
        return [Warning(problem, id="providers.W001") for problem in undecryptable()]
    except DatabaseError:
        # A deployment may be checked before its database is there.
        return []
