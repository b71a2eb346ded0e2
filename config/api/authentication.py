"""The session cookie as a credential of the API."""

from rest_framework import authentication


class SessionAuthentication(authentication.SessionAuthentication):
    """With CSRF on every write, as DRF does it; named here so that settings and the schema have one place."""
