"""How passwords are checked and kept: a few hashes at a time, so that a flood of passwords slows nothing else.

A hash takes a third of a second of a processor, on purpose, and anyone may ask for one. Where as many as there may be
are at work, whoever comes next is refused at once and told when to come again.
"""

from __future__ import annotations

import threading
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse

from config.api import errors

# In each process. Requests that hash nothing keep their threads and their share of the processors.
MOST_AT_ONCE = 2
# No account has a longer one, so a longer one is wrong without looking.
MAX_LENGTH = 4096

# Where strangers send passwords.
SIGN_IN = frozenset({"/accounts/login", "/admin/login/"})

slots = threading.BoundedSemaphore(MOST_AT_ONCE)


class Busy(Exception):
    """As many passwords as may be are being hashed."""


def _are_taken() -> bool:
    is_free = slots.acquire(blocking=False)
    if is_free:
        slots.release()
    return not is_free


class BoundedHasher(PBKDF2PasswordHasher):
    """Django's own hash, a few at a time. Raises Busy."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        if not slots.acquire(blocking=False):
            raise Busy
        try:
            return super().encode(password, salt, iterations)
        finally:
            slots.release()

    def verify(self, password: str, encoded: str) -> bool:
        return len(password) <= MAX_LENGTH and super().verify(password, encoded)


class MaximumLengthValidator:
    """Refuses a new password that nobody could sign in with."""

    def validate(self, password: str, user: Any = None) -> None:
        if len(password) > MAX_LENGTH:
            raise ValidationError(self.get_help_text(), code="password_too_long")

    def get_help_text(self) -> str:
        return f"Your password must contain at most {MAX_LENGTH} characters."


class OverlongPasswords:
    """An authentication backend that refuses what is too long for a password, before it costs a hash."""

    def authenticate(self, request: HttpRequest, username: Any = None, password: Any = None, **_: Any) -> None:
        if password is not None and len(password) > MAX_LENGTH:
            raise PermissionDenied


class SuperusersOnly:
    """An authentication backend that refuses the passwords of all others where OIDC_ONLY is set.

    It takes as long as to refuse a wrong one, so that nobody learns whose passwords still count.
    """

    def authenticate(self, request: HttpRequest, username: Any = None, password: Any = None, **_: Any) -> None:
        if settings.OIDC_ONLY and not get_user_model().objects.filter(username=username, is_superuser=True).exists():
            make_password(password)
            raise PermissionDenied


class BusyMiddleware:
    """Answers 503 where a password would have to wait for others."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Before sessions, tokens of forms and the database are asked: a flood must cost others little.
        if request.method == "POST" and request.path_info in SIGN_IN and _are_taken():
            return self._refusal(request)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return self._refusal(request) if isinstance(exception, Busy) else None

    @staticmethod
    def _refusal(request: HttpRequest) -> HttpResponse:
        return errors.answer(request, 503, "Too many passwords are being checked right now. Try again in a moment.", 1)
