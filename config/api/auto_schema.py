"""How drf-spectacular describes one operation: by what its view declares, without guesses from names."""

import copy
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import is_list_serializer
from drf_spectacular.utils import PolymorphicProxySerializer

from config.api.conditional import ConditionalMixin


class DeclaredSchema(AutoSchema):
    """REST_FRAMEWORK's DEFAULT_SCHEMA_CLASS."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Whether the answer is an array: where the view says `many=True`, whatever its action is called."""
        if serializer is None:
            serializer = self.get_response_serializers()
        if isinstance(serializer, dict) and serializer:
            # By status; the lowest is the success.
            serializer = min(serializer.items(), key=lambda answer: str(answer[0]))[1]
        return bool(is_list_serializer(serializer))

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if self.method == "GET" and isinstance(self.view, ConditionalMixin):
            bodies["304"] = {"description": "The caller has this answer already: If-None-Match."}
        return bodies

    def _get_request_for_media_type(self, serializer: Any, direction: Any = "request") -> tuple[Any, bool]:
        schema, required = super()._get_request_for_media_type(serializer, direction)
        return schema, required or isinstance(serializer, PolymorphicProxySerializer)

    def resolve_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        if isinstance(serializer, PolymorphicProxySerializer):
            # Every body of a PATCH is described as partial, but required fields tell one of several kinds from another.
            serializer = copy.copy(serializer)
            serializer.partial = False
        return super().resolve_serializer(serializer, direction, bypass_extensions)

    def get_auth(self) -> list[dict[str, Any]]:
        """Besides the credentials, `{}` where a permission says that anonymous callers are answered."""
        auths: list[dict[str, Any]] = super().get_auth()
        if any(
            permission.is_public(self.method)
            for permission in self.view.get_permissions()
            if hasattr(permission, "is_public")
        ):
            auths.append({})
        return auths
