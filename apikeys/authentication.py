"""`Authorization: Bearer <api key>`, or the header of the protocol that is spoken: no cookie or parameter is a key.

An export's token stands in its address, and opens nothing but exports.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from cachetools import LRUCache, TTLCache
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, NotFound, Throttled
from rest_framework.request import Request

from apikeys import limits, rate_limit_headers, tokens, usage
from apikeys.models import ApiKey, ExportToken, Scope, WhyNot
from apikeys.policy import policy_of
from catalog.access import callers
from catalog.access.callers import Caller
from catalog.db.prepared import CompiledQuery, padded
from config.api import protocols


@dataclass(frozen=True, slots=True)
class Credential:
    """`request.auth` of a request with a key: what it may do at this moment."""

    key: ApiKey
    caller: Caller
    scopes: frozenset[str]
    # The secret from before a rotation, in its last hours.
    is_previous: bool = False
    windows: tuple[limits.Window, ...] = ()

    @property
    def user(self) -> Any:
        return self.key.owner


class NotNow(APIException):
    """The credential cannot be judged at this moment."""

    status_code = 503


class ApiKeyAuthentication(BaseAuthentication):
    """Refuses a credential that is present but unusable, also where anonymous callers are welcome."""

    def authenticate(self, request: Request) -> tuple[Any, Credential] | None:
        token = _token_of(request)
        if token is None:
            return None
        credential = _counted(request._request, identified(token))
        return credential.user, credential

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _size(row: tuple[Any, ...]) -> int:
    """About the bytes that a row takes: its texts, such as the key's patterns, and what is made of them."""
    return 4_000 + 3 * sum(len(value) for value in row if isinstance(value, str))


# What the last rows of keys that were used for reading came to, by the id of the key; bounded by about their bytes.
_read: LRUCache[str, tuple[Any, Credential]] = LRUCache(8_000_000, lambda read: _size(read[0]))
# The keys whose requests could not be counted in the last seconds, as where somebody has locked a row.
_held_up: TTLCache[int, bool] = TTLCache(1_000, 10)
_lock = threading.Lock()


def credential_of(request: HttpRequest) -> Credential | None:
    """The credential of a request that reads; None where it brings none.

    It is shared by the requests of this process: nothing of it may change.

    The key's row is read each time. Only what follows from an equal row is taken as it was. Raises DRF's exceptions.
    """
    token = _token_of(request)
    if token is None:
        return None
    values = _values(token)
    row = _OPENED.row(*values)
    if row is None:
        raise refused()
    with _lock:
        known, credential = _read.get(token.key_id, (None, None))
    if credential is None or known != row:
        credential = _credential(_OPENED.instance(row, *values))
        # One that is larger than all of them may be is refused.
        with _lock, suppress(ValueError):
            _read[token.key_id] = row, credential
    else:
        # Many answers may rest on it, and it may be long.
        row = known
    request.basis = KeyBasis(credential, values, row)  # type: ignore[attr-defined]
    return _counted(request, _usable(credential, values))


@dataclass(frozen=True, slots=True)
class KeyBasis:
    """What an answer to a key rests on (config/stored_answers.py): the key's row, which names all versions."""

    credential: Credential
    values: tuple[str, ...]
    row: tuple[Any, ...]

    @property
    def size(self) -> int:
        return _size(self.row)

    @property
    def is_counted(self) -> bool:
        key = self.credential.key
        return key.is_limited or bool(key.made_with and key.made_with.is_limited)

    @property
    def is_held_up(self) -> bool:
        with _lock:
            return self.credential.key.pk in _held_up

    @staticmethod
    def still_hold(bases: Sequence[KeyBasis]) -> list[bool]:
        rows = _READ_AGAIN.rows(*padded(sorted({basis.values[0] for basis in bases})))
        return [basis.row in rows and basis._is_usable() for basis in bases]

    def _is_usable(self) -> bool:
        try:
            _usable(self.credential, self.values)
        except AuthenticationFailed:
            return False
        if not self.is_counted:
            usage.note(self.credential.key)
        return True

    @staticmethod
    def count(bases: Sequence[KeyBasis]) -> list[dict[str, str] | Literal[False]]:
        """Together for each key. Where its limits have no room for all, or cannot be counted, for none."""
        told: list[dict[str, str] | Literal[False]] = [False] * len(bases)
        places: dict[int, list[int]] = {}
        for place, basis in enumerate(bases):
            places.setdefault(id(basis.credential), []).append(place)
        for of_one in places.values():
            key = bases[of_one[0]].credential.key
            try:
                counted = limits.count_each(_counting(key), len(of_one))
            except limits.LimitsUnavailable:
                with _lock:
                    _held_up[key.pk] = True
                break
            if counted is not None:
                for place, windows in zip(of_one, counted, strict=True):
                    told[place] = rate_limit_headers.headers(windows)
                usage.note(key)
        return told


def token_in(header: str) -> tokens.Token | None:
    """The well-formed key in an Authorization header (RFC 9110, 11.4: the scheme's case does not count)."""
    scheme, _, rest = header.partition(" ")
    return tokens.parse(rest.strip(" \t")) if scheme.lower() == "bearer" else None


def _token_of(request: Any) -> tokens.Token | None:
    """The key that a request brings; None: none at all. Raises AuthenticationFailed for what is no key, and for two."""
    found = []
    if "HTTP_AUTHORIZATION" in request.META:
        found.append(token_in(request.META["HTTP_AUTHORIZATION"]))
    brought = protocols.brings_key(request.path_info, request.META)
    if brought is not None:
        found.append(tokens.parse(brought.strip(" \t")))
    if not found:
        return None
    token = found[0]
    if token is None or any(other != token for other in found):
        raise refused()
    return token


# What no request with a key asks of its owner, and of the key that made it: each column costs its decoding.
_UNASKED = (
    *(f"user__{name}" for name in ("password", "last_login", "date_joined")),
    *(f"made_with__{name}" for name in ("name", "hint", "pepper_id", "secret_hash", "previous_hash", "created_at")),
    *(f"made_with__{name}" for name in ("previous_pepper_id", "previous_until", "last_used_at", "created_by")),
)


def _opened(key_id: str, *digests: str) -> QuerySet[ApiKey]:
    keys = ApiKey.objects.filter(Q(secret_hash__in=digests) | Q(previous_hash__in=digests), key_id=key_id)
    return _read_with_caller(keys).defer(*_UNASKED)


def _read_with_caller(keys: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
    """Keys with their owners, those that they were made with, and the columns of `_caller`."""
    return keys.select_related("user", "group", "made_with").annotate(**callers.columns("user__", "group__"))


_OPENED = CompiledQuery(_opened)


def _read_again(*key_ids: str) -> QuerySet[ApiKey]:
    """The same columns of keys whose secrets were matched with them before."""
    return _read_with_caller(ApiKey.objects.filter(key_id__in=key_ids)).defer(*_UNASKED)


_READ_AGAIN = CompiledQuery(_read_again, is_one=False)


def _values(token: tokens.Token) -> tuple[str, ...]:
    return token.key_id, *token.digests().values()


def identified(token: tokens.Token) -> Credential:
    """What this token opens now. One statement reads the key, its owner, the key it was made with, and the caller.

    An unknown id and a wrong secret take the same path: the row is looked for by both, so neither finds one.
    Raises AuthenticationFailed.
    """
    values = _values(token)
    key = _OPENED.first(*values)
    if key is None:
        raise refused()
    return _usable(_credential(key), values)


def _credential(key: Any, row: Any = None) -> Credential:
    """The credential of a key; `row` is what was read with the caller's columns, where that is not the key."""
    return Credential(key, _caller(key, row or key), scopes_of(key))


def _caller(key: Any, row: Any) -> Caller:
    if key.group_id is not None:
        return callers.of_group(row, key.group_id, policy_of(key))
    return callers.from_row(row, user_id=key.user_id, is_staff=key.user.is_staff, policy=policy_of(key))


def with_callers(keys: QuerySet[ApiKey]) -> list[tuple[ApiKey, Caller]]:
    """These keys, each with the caller that a request with it is. One statement."""
    return [(key, _caller(key, key)) for key in _read_with_caller(keys)]


def _opened_export(export_id: str, *digests: str) -> QuerySet[ExportToken]:
    exports = ExportToken.objects.filter(token_hash__in=digests, export_id=export_id)
    read = exports.select_related("key__user", "key__group", "key__made_with")
    return read.annotate(**callers.columns("key__user__", "key__group__"))


_OPENED_EXPORT = CompiledQuery(_opened_export)


def credential_of_export(request: HttpRequest, text: str) -> Credential | None:
    """What the token in an export's address opens now; None where it, its key or their owner has ended.

    A request with it counts against the key's limits. Raises NotFound for what never was a token, Throttled, NotNow.
    """
    token = tokens.parse(text, tokens.EXPORT_PREFIX)
    export = _OPENED_EXPORT.first(*_values(token)) if token else None
    if export is None:
        raise NotFound("No such address.")
    if export.revoked_at is not None:
        return None
    try:
        credential = _alive(_credential(export.key, export))
    except AuthenticationFailed:
        return None
    counted = _counted(request, credential)
    usage.note(export)
    return counted


def _usable(credential: Credential, values: tuple[str, ...]) -> Credential:
    """The credential, if the key works at this moment with the secret of `_values`. Raises AuthenticationFailed."""
    key = credential.key
    if key.secret_hash in values[1:]:
        return _alive(credential)
    if key.previous_until is None or key.previous_until <= timezone.now():
        raise refused()
    return replace(_alive(credential), is_previous=True)


def _alive(credential: Credential) -> Credential:
    """The credential, if the key works at this moment. Raises AuthenticationFailed."""
    reason = credential.key.why_not(timezone.now())
    if reason in (WhyNot.EXPIRED, WhyNot.MAKER_EXPIRED):
        raise AuthenticationFailed("The API key has expired.", code="key_expired")
    if reason is not None:
        raise refused()
    return credential


def _counted(request: Any, credential: Credential) -> Credential:
    """Counts the request against the key's limits, and notes that the key was used. Raises Throttled, NotNow."""
    try:
        windows = _count(credential.key)
    except limits.LimitReached as full:
        request.rate_windows = full.windows
        raise Throttled(full.wait, str(full)) from full
    except limits.LimitsUnavailable as error:
        raise NotNow(str(error)) from error
    request.rate_windows = windows
    return replace(credential, windows=tuple(windows)) if windows else credential


def _count(key: ApiKey) -> list[limits.Window]:
    """Counts one request with this key, and notes that it was used. Raises LimitReached, LimitsUnavailable."""
    windows = limits.count(_counting(key))
    usage.note(key)
    return windows


def _counting(key: ApiKey) -> list[ApiKey]:
    """Those against whose limits a request with this key counts."""
    return [key, key.made_with] if key.made_with else [key]


def caller_of_key(key_id: str) -> Caller | None:
    """The caller that a request with this key is, for staff who ask; None where no such key works."""
    found = with_callers(ApiKey.objects.filter(key_id=key_id))
    return next((caller for key, caller in found if key.why_not(timezone.now()) is None), None)


def refused() -> AuthenticationFailed:
    """One refusal for every reason, so that nobody learns which keys exist."""
    return AuthenticationFailed("The API key is not valid.", code="invalid_api_key")


def _known(key: ApiKey) -> frozenset[str]:
    """The scopes of one key. What no check would have let in is none."""
    return frozenset(scope for scope in Scope.values if isinstance(key.scopes, list) and scope in key.scopes)


def scopes_of(key: ApiKey) -> frozenset[str]:
    """A key made with another stays within that one's scopes, and makes none itself."""
    own = _known(key)
    return (own & _known(key.made_with)) - {Scope.KEYS_WRITE} if key.made_with else own


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """How the schema describes it; drf-spectacular finds the class by being imported."""

    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "mdx_...",
            "description": "An API key of POST /api/keys, as `Authorization: Bearer mdx_...`. In Anthropic's and "
            "Google's dialects their own headers carry it too: `x-api-key`, `x-goog-api-key`.",
        }
