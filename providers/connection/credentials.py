"""Providers' credentials: sent only to the origin that they were entered for."""

from __future__ import annotations

import re

from django.conf import settings
from django.utils import timezone

from providers.client.http import origin_of
from providers.connection import endpoints
from providers.connection.sealing import CredentialError, decrypt, encrypt, hint
from providers.models import Provider


def store(provider: Provider, secret: str) -> None:
    """Sets the credential for the provider's present address; the caller saves the row.

    `Bearer` before it, as in a header that somebody has copied, is no part of it.
    """
    secret = re.sub(r"\ABearer\s+", "", secret.strip(), flags=re.IGNORECASE)
    origin = origin_of(endpoints.base_url(provider))
    provider.credential = encrypt(secret, origin)
    provider.credential_hint = hint(secret)
    provider.credential_origin = origin
    provider.credential_refused_at = None


def forget(provider: Provider) -> None:
    """Takes the stored credential away; the caller saves the row."""
    provider.credential = provider.credential_hint = provider.credential_origin = ""
    provider.credential_refused_at = None


def of(provider: Provider) -> str | None:
    """The secret to send to the provider's address: the one stored with it, else the environment's for its kind.

    None where there is none for this origin. Raises CredentialError where the stored one cannot be used.
    """
    origin = origin_of(endpoints.base_url(provider))
    if provider.credential:
        if provider.credential_origin != origin:
            raise CredentialError(
                "credential_for_another_host",
                f"The credential of provider {provider.slug} was entered for {provider.credential_origin}, "
                f"and its address is now {origin}: enter it again.",
            )
        return decrypt(provider).secret
    default = endpoints.default(provider.kind)
    # The environment's credential is meant for the environment's address, not for one typed in the admin; a kind
    # without an address of its own has no such credential.
    if not default or origin != origin_of(default):
        return None
    return str(getattr(settings, f"{provider.kind.upper()}_API_KEY", "")) or None


def refused(provider: Provider) -> None:
    """Notes that upstream has refused the credential."""
    Provider.objects.filter(pk=provider.pk).update(credential_refused_at=timezone.now())
