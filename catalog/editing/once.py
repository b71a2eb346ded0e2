"""A form that makes something makes it once: sent again, it leads to what it made.

Each such form carries a random word. What it makes is stored under a key of that word, the person and the page, in the
transaction that makes it, so that of two requests at the same time one is rolled back.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.utils import timezone

from catalog.models import SentForm

FIELD = "_once"
# How long after its page was loaded a form may be sent again.
REMEMBERED = timedelta(days=30)


def word() -> str:
    """A new form's word."""
    return secrets.token_hex(16)


def key_of(user: Any, path: str, sent: str) -> str:
    """The key for this person and page, so that nobody learns what another's form made. "" where no word was sent."""
    text = f"{user.pk} {path} {sent}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if sent else ""


def made_before(key: str) -> SentForm | None:
    return SentForm.objects.filter(key=key).first() if key else None


def remember(key: str, made: Any) -> None:
    """Raises IntegrityError where another request came first."""
    if key:
        SentForm.objects.filter(at__lt=timezone.now() - REMEMBERED).delete()
        SentForm.objects.create(key=key, made=str(made.pk), told=str(made)[:255])
