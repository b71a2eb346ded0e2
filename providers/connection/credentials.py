"""Providers' credentials: encrypted at rest, and sent only to the origin that they were entered for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils import timezone

from providers.client.http import origin_of
from providers.connection import endpoints
from providers.models import Provider


class CredentialError(Exception):
    """A credential cannot be used; `reason` is a machine word, and the text contains no secret."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret in the clear, for one origin. Never printed."""

    secret: str
    origin: str

    def __repr__(self) -> str:
        return f"Credential({hint(self.secret)!r}, {self.origin!r})"


def hint(secret: str) -> str:
    """The last four characters; fewer where four would give much of a short secret away."""
    shown = 4 if len(secret) >= 12 else 0
    return f"...{secret[len(secret) - shown :]}"


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.CREDENTIAL_KEYS])


def encrypt(secret: str, origin: str) -> str:
    # The origin is inside, so that a ciphertext copied to another row is of no use there.
    return _fernet().encrypt(json.dumps({"origin": origin, "secret": secret}).encode()).decode()


def decrypt(provider: Provider) -> Credential:
    """The stored credential. Raises CredentialError where no configured key opens it or it is of another origin."""
    try:
        found = json.loads(_fernet().decrypt(provider.credential.encode()))
    except InvalidToken:
        raise CredentialError(
            "credential_undecryptable",
            f"The credential of provider {provider.slug} cannot be decrypted with the configured CREDENTIAL_KEYS: "
            "add the key that it was stored under, or enter it again.",
        ) from None
    if found["origin"] != provider.credential_origin:
        raise CredentialError(
            "credential_moved", f"The credential of provider {provider.slug} was entered elsewhere: enter it again."
        )
    return Credential(found["secret"], found["origin"])


def store(provider: Provider, secret: str) -> None:
    """Sets the credential for the provider's present address; the caller saves `CREDENTIAL_FIELDS`.

    `Bearer` before it, as in a header that somebody has copied, is no part of it.
    """
    secret = re.sub(r"\ABearer\s+", "", secret.strip(), flags=re.IGNORECASE)
    origin = origin_of(endpoints.base_url(provider))
    provider.credential = encrypt(secret, origin)
    provider.credential_hint = hint(secret)
    provider.credential_origin = origin
    provider.credential_refused_at = None


def forget(provider: Provider) -> None:
    """Takes the stored credential away; the caller saves `CREDENTIAL_FIELDS`."""
    provider.credential = provider.credential_hint = provider.credential_origin = ""
    provider.credential_refused_at = None


CREDENTIAL_FIELDS = ("credential", "credential_hint", "credential_origin", "credential_refused_at")


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


def rotate() -> tuple[list[str], list[str]]:
    """Encrypts every stored credential under the first key. Returns the slugs done and those that no key opens."""
    done, failed = [], []
    fernet = _fernet()
    for provider in Provider.objects.exclude(credential="").order_by("slug"):
        try:
            renewed = fernet.rotate(provider.credential.encode()).decode()
        except InvalidToken:
            failed.append(provider.slug)
            continue
        # Only where nobody has entered another meanwhile.
        Provider.objects.filter(pk=provider.pk, credential=provider.credential).update(credential=renewed)
        done.append(provider.slug)
    return done, failed


def refused(provider: Provider) -> None:
    """Notes that upstream has refused the credential."""
    Provider.objects.filter(pk=provider.pk).update(credential_refused_at=timezone.now())
