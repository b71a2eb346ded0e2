"""`Authorization: Bearer <api key>`, and nothing else: no other header, cookie or parameter carries a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, Throttled
from rest_framework.request import Request

from apikeys import limits, tokens, usage
from apikeys.models import ApiKey, Scope
from apikeys.policy import Conjunction, KeyPolicy
from catalog.access import callers
from catalog.access.callers import Caller
from catalog.access.viewers import Policy
from catalog.db.prepared import CompiledQuery


@dataclass(frozen=True, slots=True)
class Credential:
    """`request.auth` of a request with a key: what it may do at this moment."""

    key: ApiKey
    caller: Caller
    scopes: frozenset[str]
    # The secret from before a rotation, in its last hours.
    is_previous: bool = False
    windows: tuple[limits.Window, ...] = ()


class NotNow(APIException):
    """The credential cannot be judged at this moment."""

    status_code = 503


class ApiKeyAuthentication(BaseAuthentication):
    """Refuses a credential that is present but unusable, also where anonymous callers are welcome."""

    def authenticate(self, request: Request) -> tuple[Any, Credential] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        token = token_in(header)
        if token is None:
            raise refused()
        key, is_previous = identified(token)
        try:
            windows = limits.count([key, key.made_with] if key.made_with else [key])
        except limits.LimitReached as full:
            request._request.rate_windows = full.windows  # type: ignore[attr-defined]
            raise Throttled(full.wait, str(full)) from full
        except limits.LimitsUnavailable as error:
            raise NotNow(str(error)) from error
        request._request.rate_windows = windows  # type: ignore[attr-defined]
        usage.note(key)
        caller = callers.from_row(key, user_id=key.user_id, is_staff=key.user.is_staff, policy=policy_of(key))
        return key.user, Credential(key, caller, scopes_of(key), is_previous, tuple(windows))

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def token_in(header: str) -> tokens.Token | None:
    """The well-formed key in an Authorization header (RFC 9110, 11.4: the scheme's case does not count)."""
    scheme, _, rest = header.partition(" ")
    return tokens.parse(rest.strip(" \t")) if scheme.lower() == "bearer" else None


def _opened(key_id: str, *digests: str) -> QuerySet[ApiKey]:
    keys = ApiKey.objects.filter(Q(secret_hash__in=digests) | Q(previous_hash__in=digests), key_id=key_id)
    return keys.select_related("user", "made_with").annotate(**callers.columns("user__"))


_OPENED = CompiledQuery(_opened)


def identified(token: tokens.Token) -> tuple[ApiKey, bool]:
    """The key that this token opens now, with its owner, the key it was made with and the owner as a caller.

    One statement. An unknown id and a wrong secret take the same path: the row is looked for by both, so neither
    finds one. The second value: whether it is the secret from before a rotation. Raises AuthenticationFailed.
    """
    digests = list(token.digests().values())
    key = _OPENED.first(token.key_id, *digests)
    now = timezone.now()
    if key is None:
        raise refused()
    is_previous = key.secret_hash not in digests
    if is_previous and (key.previous_until is None or key.previous_until <= now):
        raise refused()
    chain = [key, key.made_with] if key.made_with else [key]
    if not key.user.is_active or any(not link.is_active or link.revoked_at for link in chain):
        raise refused()
    if any(link.has_expired(now) for link in chain):
        raise AuthenticationFailed("The API key has expired.", code="key_expired")
    return key, is_previous


def caller_of_key(key_id: str) -> Caller | None:
    """The caller that a request with this key is, for staff who ask; None where there is no such key in use."""
    keys = ApiKey.objects.filter(key_id=key_id, is_active=True, revoked_at=None, user__is_active=True)
    key = keys.select_related("user", "made_with").annotate(**callers.columns("user__")).first()
    if key is None:
        return None
    return callers.from_row(key, user_id=key.user_id, is_staff=key.user.is_staff, policy=policy_of(key))


def refused() -> AuthenticationFailed:
    """One refusal for every reason, so that nobody learns which keys exist."""
    return AuthenticationFailed("The API key is not valid.", code="invalid_api_key")


def policy_of(key: ApiKey) -> Policy:
    """A key made with another stays within that one's policy."""
    own = KeyPolicy.of(key)
    return Conjunction((KeyPolicy.of(key.made_with), own)) if key.made_with else own


def scopes_of(key: ApiKey) -> frozenset[str]:
    """A key made with another stays within that one's scopes, and makes none itself."""
    own = frozenset(key.scopes) & frozenset(Scope.values)
    return (own & frozenset(key.made_with.scopes)) - {Scope.KEYS_WRITE} if key.made_with else own


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """How the schema describes it; drf-spectacular finds the class by being imported."""

    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "mdx_...",
            "description": "An API key of POST /api/keys, as `Authorization: Bearer mdx_...`.",
        }
