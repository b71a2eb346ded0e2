"""The text of an API key or of an export token: how it is made, checked without the database, and hashed for it.

    mdx_ or mde_ + id (12) + secret (43, of 256 random bits) + checksum (6), all in letters and digits

The widths are fixed, so no separator is needed and a double click selects the whole key.
"""

from __future__ import annotations

import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

PREFIX = "mdx_"
# Of what stands in the address of an export. It opens nothing else, nor a key an export.
EXPORT_PREFIX = "mde_"
ID_LENGTH = 12
SECRET_BITS = 256
SECRET_LENGTH = 43
CHECKSUM_LENGTH = 6

_MARK = "#"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(
    f"(?:{PREFIX}|{EXPORT_PREFIX})[0-9A-Za-z]{{{ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH}}}", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Token:
    """A well-formed key with a right checksum; whether it exists is for the database to say."""

    key_id: str
    text: str = field(repr=False)

    @property
    def hint(self) -> str:
        """What may be shown of it ever after: the prefix and the last four characters."""
        return f"{self.text[: len(PREFIX) + 4]}...{self.text[-4:]}"

    def digest(self, pepper_id: str) -> str:
        """Its keyed hash. The key id is part of what is hashed, so a hash moved to another row matches nothing."""
        return hmac.digest(_peppers()[pepper_id].encode(), self.text.encode(), "sha256").hex()

    def digests(self) -> dict[str, str]:
        """Its hash under each pepper in use: pepper id -> hash."""
        return {pepper_id: self.digest(pepper_id) for pepper_id in _peppers()}


def make(key_id: str | None = None, prefix: str = PREFIX) -> Token:
    """A new key, or a new secret for the key of this id; with its prefix a new export token."""
    key_id = key_id or _random(ID_LENGTH)
    body = prefix + key_id + _encoded(secrets.randbits(SECRET_BITS), SECRET_LENGTH)
    return Token(key_id, body + _checksum(body))


def parse(text: str, prefix: str = PREFIX) -> Token | None:
    """The key, or with its prefix the export token, that this text is; None where its form or checksum is wrong."""
    if not text.startswith(prefix) or not _SHAPE.fullmatch(text):
        return None
    body, checksum = text[:-CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
    if not hmac.compare_digest(_checksum(body), checksum):
        return None
    return Token(text[len(PREFIX) : len(PREFIX) + ID_LENGTH], text)


def newest_pepper() -> str:
    """The id of the pepper that new keys are hashed with."""
    return next(iter(_peppers()))


def mark_of(pepper_id: str) -> str:
    """What a row stores of the pepper that its secret was hashed with: the id, and a fingerprint of the pepper.

    A pepper that was lost and made again often has the id of the lost one.
    """
    return f"{pepper_id}{_MARK}{_fingerprint(_peppers()[pepper_id])}"


def pepper_name(mark: str) -> str:
    """The id in a mark."""
    return mark.partition(_MARK)[0]


def is_configured(mark: str) -> bool:
    """Whether one of the configured peppers is the one of this mark; of a mark without a fingerprint, by its id."""
    name, _, fingerprint = mark.partition(_MARK)
    if not fingerprint:
        return name in _peppers()
    return fingerprint in map(_fingerprint, _peppers().values())


def _fingerprint(pepper: str) -> str:
    return hmac.digest(pepper.encode(), b"which pepper this is", "sha256").hex()[:12]


def _peppers() -> dict[str, str]:
    peppers: dict[str, str] = settings.API_KEY_PEPPERS
    # Never an HMAC with an empty key, whatever the settings came from.
    if not peppers or not all(peppers.values()):
        raise ImproperlyConfigured("API_KEY_PEPPERS is empty or holds an empty secret.")
    return peppers


def _checksum(body: str) -> str:
    return _encoded(zlib.crc32(body.encode()), CHECKSUM_LENGTH)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _encoded(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
