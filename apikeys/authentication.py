"""`Authorization: Bearer <api key>`."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        if "HTTP_AUTHORIZATION" not in request.META:
            return None
        raise AuthenticationFailed("No such key.", code="invalid_api_key")

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
