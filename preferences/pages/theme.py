"""The reader's theme, for the one template that all pages are made of."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from preferences.models import Profile


def theme(request: HttpRequest) -> dict[str, Any]:
    """A context processor: read where a template asks for it, and for a person who is signed in."""
    return {"theme": SimpleLazyObject(lambda: _theme(request))}


def _theme(request: HttpRequest) -> str:
    user: Any = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return ""
    return Profile.objects.filter(user=user.pk).values_list("theme", flat=True).first() or Profile.Theme.SYSTEM
