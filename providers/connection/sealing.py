"""Providers' credentials at rest: encrypted. A start looks at them, so this loads nothing that calls an upstream."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

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
