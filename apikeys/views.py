"""/api/keys, and the export tokens of a key"""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys import exports, keys
from apikeys.authentication import Credential
from apikeys.models import ApiKey, ExportToken
from apikeys.policy import chosen
from apikeys.serializers import (
    CurrentKeySerializer,
    ExportTokenSerializer,
    ExportTokenWriteSerializer,
    KeySerializer,
    KeyWriteSerializer,
    NewExportTokenSerializer,
    NewKeySerializer,
    RotationSerializer,
    current,
)
from catalog.api.base import CallerMixin
from catalog.editing.history import Author

_SHOWN = {
    "id": "5dXq0sWm3TzB",
    "name": "my editor",
    "hint": "mdx_5dXq...k3Zd",
    "mode": "allow_list",
    "restricted": True,
    "allowed_models": ["openai/gpt-4o", "qwen/*"],
    "denied_models": None,
    "scopes": ["models:read", "preferences:write"],
    "per_minute": 20,
    "per_day": None,
    "expires_at": "2027-01-31T12:00:00Z",
    "is_active": True,
    "created_at": "2026-11-01T09:00:00Z",
    "last_used_at": None,
}
_SHOWN_ONCE = _SHOWN | {"key": "mdx_5dXq0sWm3TzB..."}
_CURRENT = _SHOWN | {
    "group": None,
    "within": None,
    "limits": [{"period": "minute", "limit": 20, "remaining": 19, "reset": 42}],
}
_SENT = {"name": "my editor", "allowed_models": ["openai/gpt-4o", "qwen/*"], "per_minute": 20}


def _example(value: dict[str, Any], status: int) -> OpenApiExample:
    return OpenApiExample("A key", value, response_only=True, status_codes=[str(status)])


class OwnKeysMixin(CallerMixin):
    """The caller's own keys: for a key itself, and those that were made with it. Staff alone change a group's."""

    refusals = {keys.Forbidden: 403, keys.Conflict: 409}
    scopes = {"GET": "models:read", "POST": "keys:write", "PATCH": "keys:write", "DELETE": "keys:write"}
    personal = frozenset({"POST", "PATCH", "DELETE"})
    kwargs: dict[str, Any]
    action: str

    def known_parameters(self) -> frozenset[str]:
        return frozenset({"page", "page_size"} if self.action == "list" else ())

    def own_keys(self) -> QuerySet[ApiKey]:
        credential = self.credential
        own = ApiKey.objects.within(credential.key) if credential else ApiKey.objects.of_user(self.request.user)
        return own.select_related("made_with")

    def own_key(self) -> ApiKey:
        """The key of the address. Raises NotFound."""
        key = self.own_keys().filter(key_id=self.kwargs["key_id"]).first()
        if key is None:
            raise NotFound("There is no such key.")
        return key

    @property
    def credential(self) -> Credential | None:
        return cast("Credential | None", self.request.auth)

    @property
    def actor(self) -> keys.Actor:
        credential, user = self.credential, self.request.user
        if credential is None:
            return keys.Actor(Author.person(user), self.viewer)
        name = f"{user.get_username()} with key {credential.key.hint}"
        return keys.Actor(
            Author.person(user, name),
            self.viewer,
            credential.key,
            credential.scopes,
            is_previous=credential.is_previous,
        )


@extend_schema(tags=["keys"])
@extend_schema_view(
    list=extend_schema(
        operation_id="keys_list",
        summary="My keys",
        description="The newest first. With a key: itself and those that were made with it. Revoked keys are gone.",
        examples=[_example(_SHOWN, 200)],
        responses={200: KeySerializer(many=True)},
    ),
    retrieve=extend_schema(
        operation_id="keys_retrieve",
        summary="One of my keys",
        examples=[_example(_SHOWN, 200)],
        responses={200: KeySerializer},
    ),
)
class KeyViewSet(OwnKeysMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """The caller's own keys. A key with the scope keys:write makes keys within itself, and changes those and itself."""

    serializer_class = KeySerializer
    filter_backends = ()
    queryset = ApiKey.objects.none()
    lookup_field = "key_id"

    def get_queryset(self) -> QuerySet[ApiKey]:
        return self.own_keys()

    def get_object(self) -> ApiKey:
        return self.own_key()

    @extend_schema(
        operation_id="keys_create",
        summary="Make a key",
        description="The answer holds the key, this once. A key made with a key stays within that one for ever.",
        request=KeyWriteSerializer,
        examples=[
            OpenApiExample("A restricted key", _SENT, request_only=True),
            _example(_SHOWN_ONCE, 201),
        ],
        responses={201: NewKeySerializer},
    )
    def create(self, request: Request) -> Response:
        sent = self.validated(KeyWriteSerializer(data=request.data))
        issued = keys.create(request.user, sent, chosen(None, sent), self.actor)
        return self._shown_once(issued, 201)

    @extend_schema(
        operation_id="keys_update",
        summary="Change a key",
        description="What is not sent stays. A key may only narrow itself. An allow list is emptied only with `mode`.",
        request=KeyWriteSerializer(partial=True),
        examples=[
            OpenApiExample("Another list", {"allowed_models": ["openai/*"]}, request_only=True),
            _example(_SHOWN, 200),
        ],
        responses={200: KeySerializer, 409: None},
    )
    def partial_update(self, request: Request, key_id: str) -> Response:
        key = self.get_object()
        sent = self.validated(KeyWriteSerializer(data=request.data, partial=True))
        changed = keys.change(key, sent, lambda present: chosen(present, sent), self.actor)
        return Response(KeySerializer(changed).data)

    @extend_schema(
        operation_id="keys_revoke",
        summary="Revoke a key",
        description="For ever, from the next request on. Its row and its past stay for the audit log.",
        responses={204: OpenApiResponse(description="Revoked.")},
    )
    def destroy(self, request: Request, key_id: str) -> Response:
        keys.revoke(self.get_object(), self.actor)
        return Response(status=204)

    @extend_schema(
        operation_id="keys_rotate",
        summary="Give a key a new secret",
        description="The present secret holds for `overlap_seconds` more (0 if left out). Of two rotations at once, "
        "one is 409; so is a further one with an overlap while an overlap runs.",
        request=RotationSerializer,
        examples=[
            OpenApiExample("With a minute to change over", {"overlap_seconds": 60}, request_only=True),
            _example(_SHOWN_ONCE, 200),
        ],
        responses={200: NewKeySerializer, 409: None},
    )
    def rotate(self, request: Request, key_id: str) -> Response:
        key = self.get_object()
        sent = self.validated(RotationSerializer(data=request.data))
        return self._shown_once(keys.rotate(key, sent["overlap_seconds"], self.actor), 200)

    @extend_schema(
        operation_id="keys_current",
        summary="What the key in use may do, and what is left of its limits",
        description="404 without a key.",
        examples=[_example(_CURRENT, 200)],
        responses={200: CurrentKeySerializer, 404: None},
    )
    def current(self, request: Request) -> Response:
        credential = self.credential
        if credential is None:
            raise NotFound("No key is in use: you are signed in by a session.", "no_key_in_use")
        return Response(current(credential))

    @staticmethod
    def _shown_once(issued: keys.Issued, status: int) -> Response:
        shown = {**KeySerializer(issued.key).data, "key": issued.token}
        return Response(shown, status=status, headers={"Cache-Control": "no-store"})


_EXPORT = {
    "id": "8TqLw2VbN4kE",
    "name": "aider",
    "hint": "mde_8TqL...p0Xs",
    "created_at": "2026-11-01T09:00:00Z",
    "last_used_at": None,
}


@extend_schema(tags=["keys"])
@extend_schema_view(
    list=extend_schema(
        operation_id="keys_exports_list",
        summary="The export tokens of a key",
        description="The newest first. Revoked ones are gone.",
        examples=[_example(_EXPORT, 200)],
        responses={200: ExportTokenSerializer(many=True)},
    ),
)
class ExportTokenViewSet(OwnKeysMixin, mixins.ListModelMixin, viewsets.GenericViewSet):
    """The tokens with which clients that send no header read the exports of a key."""

    serializer_class = ExportTokenSerializer
    filter_backends = ()
    queryset = ExportToken.objects.none()

    def get_queryset(self) -> QuerySet[ExportToken]:
        return ExportToken.objects.unrevoked().filter(key=self.own_key())

    @extend_schema(
        operation_id="keys_exports_create",
        summary="Make an export token of a key",
        description="The answer holds the token, this once. It reads the exports of what the key sees and nothing "
        "else, counts against the key's limits, and ends with the key.",
        request=ExportTokenWriteSerializer,
        examples=[
            OpenApiExample("For one tool", {"name": "aider"}, request_only=True),
            _example(_EXPORT | {"token": "mde_8TqLw2VbN4kE..."}, 201),
        ],
        responses={201: NewExportTokenSerializer, 409: None},
    )
    def create(self, request: Request, key_id: str) -> Response:
        key = self.own_key()
        sent = self.validated(ExportTokenWriteSerializer(data=request.data))
        issued = exports.create(key, sent["name"], self.actor)
        shown = {**ExportTokenSerializer(issued.export).data, "token": issued.token}
        return Response(shown, status=201, headers={"Cache-Control": "no-store"})

    @extend_schema(
        operation_id="keys_exports_revoke",
        summary="Revoke an export token",
        description="For ever, from the next request on: its exports are then empty.",
        responses={204: OpenApiResponse(description="Revoked.")},
    )
    def destroy(self, request: Request, key_id: str, export_id: str) -> Response:
        export = self.get_queryset().select_related("key").filter(export_id=export_id).first()
        if export is None:
            raise NotFound("There is no such export token.")
        exports.revoke(export, self.actor)
        return Response(status=204)
