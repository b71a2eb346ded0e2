"""Who may call a route at all. What they then see is decided in catalog/access/rules.py."""

from typing import Any

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

KEY_OF_A_GROUP = "This key belongs to a group, which has no preferences."


class SignedIn(BasePermission):
    """A user, by session or key, or a group by its key."""

    message = "Sign in, or send an API key."

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated)


class SignedInOrPublic(SignedIn):
    """Reads are for everybody while PUBLIC_CATALOG is on."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return self.is_public(request.method) or super().has_permission(request, view)

    def is_public(self, method: str | None) -> bool:
        """Whether anonymous callers are answered; the OpenAPI document says so too."""
        return settings.PUBLIC_CATALOG and method in ("GET", "HEAD", "OPTIONS")


class HasScope(BasePermission):
    """A key needs the scope that the view names for this method; a session has every scope.

    A view says `scopes = {"GET": "models:read", ...}`; a method that it leaves out is refused to every key. Those that
    write what only a person has (`personal = {"PATCH"}`) are refused to the key of a group, whatever its scopes are.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        key: Any = request.auth
        if key is None or request.method == "OPTIONS":
            return True
        if not hasattr(view, str(request.method).lower()):
            return True  # Nothing answers this method here: 405 says so, and which do.
        if request.method in getattr(view, "personal", ()) and key.caller.viewer.user_id is None:
            self.message = KEY_OF_A_GROUP
            return False
        method = "GET" if request.method == "HEAD" else request.method
        needed = view.scopes.get(method)
        self.message = f"The key needs the scope {needed}." if needed else "No key may do this."
        return needed is not None and needed in key.scopes
