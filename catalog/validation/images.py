"""Pictures of custom models: links to somewhere else, or small ones that we keep and serve."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from catalog.validation.values import validate_line

MAX_BYTES = 65_536
MAX_LINK = 2000

_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to keep, of a type that its first bytes confirm."""

    content_type: str
    data: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def type_of(data: bytes) -> str | None:
    """The type that the first bytes tell, whatever anybody says."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def parse(text: str) -> str | Picture:
    """A link as it is, or the picture of a data URI. Raises ValidationError."""
    if text[:5].lower() == "data:":
        return _picture(text)
    return link(text)


def _picture(text: str) -> Picture:
    head, comma, body = text.partition(",")
    declared, _, coding = head[5:].lower().partition(";")
    if declared not in _TYPES or not comma or coding != "base64":
        raise ValidationError("A data URI begins with data:image/png;base64, (or jpeg, gif, webp).", code="bad_image")
    # Four characters for three bytes: too much of it is not even decoded.
    if len(body) > MAX_BYTES * 4 // 3 + 4:
        raise ValidationError(f"A picture has at most {MAX_BYTES} bytes.", code="image_too_large")
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValidationError("The data URI is not base64.", code="bad_image") from error
    if len(data) > MAX_BYTES:
        raise ValidationError(f"A picture has at most {MAX_BYTES} bytes.", code="image_too_large")
    if type_of(data) != declared:
        raise ValidationError(f"These bytes are no {declared}.", code="bad_image")
    return Picture(declared, data)


def link(text: str) -> str:
    """The link to a picture somewhere else, as it is. Raises ValidationError."""
    problem = ValidationError("A link to a picture begins with https:// and a host.", code="bad_link")
    try:
        validate_line(text)
        parts = urlsplit(text)
        port = parts.port
    except (ValueError, ValidationError) as error:
        raise problem from error
    if (
        not text.startswith("https://")
        or not parts.hostname
        or "@" in parts.netloc
        or "\\" in text
        or any(character.isspace() for character in text)
        or port == 0
    ):
        raise problem
    if len(text) > MAX_LINK:
        raise ValidationError(f"A link has at most {MAX_LINK} characters.", code="max_length")
    return text


def check(meta: Any) -> None:
    """Raises ValidationError where the `meta` of a model names a picture that is no plain link."""
    found = meta.get("profile_image_url") if isinstance(meta, dict) else None
    if found is not None:
        link(str(found))
