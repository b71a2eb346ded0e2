"""Digests that leave the process, such as those in an ETag.

One that depends on more than the answer it comes with is keyed: whoever holds the answer could otherwise guess what it
leaves out (a hidden base model, other people's grants) and try each guess against the tag.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

from django.conf import settings

_BYTES = 16


def keyed(purpose: str, content: bytes) -> str:
    """A short text that differs with `content`, the same in all processes, and says nothing without SECRET_KEY.

    One purpose's text is of no use for another's.
    """
    return hmac.digest(_key(settings.SECRET_KEY, purpose), content, "sha256")[:_BYTES].hex()


@lru_cache(maxsize=16)
def _key(secret: str, purpose: str) -> bytes:
    return hmac.digest(secret.encode(), f"modeldex {purpose}".encode(), "sha256")
