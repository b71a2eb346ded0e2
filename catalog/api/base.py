"""What every API view shares: who is asking, strict queries, and what rules refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.utils.cache import patch_vary_headers
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request

from catalog.access.callers import Caller, caller_of
from catalog.access.viewers import Viewer
from catalog.api.permissions import HasScope, SignedIn
from config.api import errors, replica
from config.api.openapi import some_of

T = TypeVar("T")

INCLUDABLE = ("hidden", "inactive")
INCLUDE = OpenApiParameter("include", some_of(INCLUDABLE), description="Staff: hidden, inactive, or hidden,inactive.")


class CallerMixin:
    """For DRF views: `self.caller`, refusal of unknown and repeated query parameters, and private answers' headers.

    `query_parameters` are those that the view knows; None: any, as under `/v1`, where clients bring their own.
    """

    permission_classes: Sequence[Any] = (SignedIn, HasScope)
    scopes: dict[str, str] = {"GET": "models:read"}
    personal: frozenset[str] = frozenset()
    query_parameters: frozenset[str] | None = frozenset()
    repeatable_parameters: frozenset[str] = frozenset()
    # What the rules behind the view raise -> the status that it is refused with, in the exception's own words.
    refusals: Mapping[type[Exception], int] = {}
    request: Any

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        # Another method is 405, whatever is asked besides.
        if hasattr(self, str(request.method).lower()):
            self.refuse_unknown(request)

    def refuse_unknown(self, request: Request) -> None:
        """Raises ValidationError naming each query parameter that the view does not know, or knows once only."""
        known = self.known_parameters()
        if known is None:
            return
        if unknown := sorted(set(request.query_params) - known):
            raise ValidationError(
                {name[:64]: ["There is no such query parameter here."] for name in unknown[:20]},
                code="unknown_parameter",
            )
        if repeated := sorted(
            name
            for name, values in request.query_params.lists()
            if len(values) > 1 and name not in self.repeatable_parameters
        ):
            raise ValidationError(
                {name: ["This parameter has one value."] for name in repeated}, code="repeated_parameter"
            )

    def known_parameters(self) -> frozenset[str] | None:
        return self.query_parameters

    @property
    def caller(self) -> Caller:
        """Who is asking: from the row of the key in use, else read now, once a request."""
        request = self.request
        found: Caller | None = getattr(request, "_caller", None)
        if found is None:
            key: Any = request.auth
            found = key.caller if key is not None else caller_of(request.user)
            request._caller = found
        return found

    @property
    def viewer(self) -> Viewer:
        return self.caller.viewer

    def caller_now(self) -> Caller:
        """The caller as of now; the policy of the key in use stays as it was read."""
        viewer = self.caller.viewer
        return caller_of(self.request.user, viewer.policy).including(viewer.include)

    def read(self, make: Callable[[], T]) -> T:
        """What `make` reads of the catalog: of the replica, where it has caught up with all that the caller sees."""
        return replica.read(lambda: self.caller_now().fingerprint == self.caller.fingerprint, make)

    @staticmethod
    def validated(serializer: Any) -> dict[str, Any]:
        """What was sent, as the serializer understands it. Raises ValidationError."""
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def handle_exception(self, exc: Exception) -> Any:
        status = next((status for kind, status in self.refusals.items() if isinstance(exc, kind)), None)
        if status is not None:
            exc = errors.refusal(status, str(exc), getattr(exc, "code", ""))
        return super().handle_exception(exc)  # type: ignore[misc]

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        self.finish(response)
        return response

    def finish(self, response: Any) -> None:
        """The headers of every answer that depends on who asks."""
        if "Cache-Control" not in response:
            response["Cache-Control"] = "private, no-cache"
        patch_vary_headers(response, self.vary())

    def vary(self) -> tuple[str, ...]:
        """The request's headers that every answer of the view depends on."""
        return "Authorization", "Cookie"


class IncludingMixin(CallerMixin):
    """For lists that show staff hidden or inactive models where they ask for them: `?include=hidden,inactive`."""

    @property
    def caller(self) -> Caller:
        words = self.included()
        return super().caller.including(words) if words else super().caller

    def included(self) -> frozenset[str]:
        """What staff want to see besides. Raises PermissionDenied, ValidationError."""
        sent = self.request.query_params.get("include")
        if sent is None:
            return frozenset()
        words = frozenset(sent.split(","))
        if not words <= frozenset(INCLUDABLE):
            raise ValidationError({"include": [f"Of {' and '.join(INCLUDABLE)}, with a comma between."]})
        if not self.request.user.is_staff:
            raise PermissionDenied("Only staff see hidden and inactive models.")
        return words
