"""/api/changes"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import orjson
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request

from catalog import changes
from catalog.api.base import CallerMixin
from catalog.api.direct import DirectMixin
from catalog.api.examples import CHANGES, answered
from catalog.api.permissions import KEY_OF_A_GROUP, HasScope, SignedInOrPublic
from catalog.api.serializers.changes import ChangeSerializer, ChangesSerializer
from catalog.api.snapshot import snapshot
from catalog.changes import Cursor
from catalog.models import FieldChange
from catalog.validation import moments
from config.api.conditional import ConditionalMixin, etag
from config.api.openapi import whole
from config.api.pagination import whole_number

MOST, USUAL = 500, 100
_CHANGE = ChangeSerializer()


class ChangesViewSet(ConditionalMixin, DirectMixin, CallerMixin, viewsets.ViewSet):
    """What changed of the models that the caller sees now."""

    permission_classes = (SignedInOrPublic, HasScope)
    refusals = {changes.Gone: 410}
    query_parameters = frozenset({"since", "limit", "model_id", "kind", "field", "provider", "from", "to", "mine"})

    @extend_schema(
        operation_id="changes_list",
        summary="What changed, in the order in which it was committed",
        description="Complete and resumable: send `next` of an answer as `since` of the following call, also when "
        "`items` is empty. Without `since` it begins where what is kept is whole. A cursor from before what is "
        "kept is 410: begin anew. Only changes of models that the caller sees now, and of those not what changed "
        "before they last came into sight; of custom models for those who may change them.",
        tags=["models"],
        parameters=[
            OpenApiParameter("since", str, description="A cursor: `next` of an answer before."),
            OpenApiParameter("limit", whole(1, MOST), description=f"Up to {MOST}; {USUAL} where it is left out."),
            OpenApiParameter("model_id", str),
            OpenApiParameter("kind", str, enum=changes.KINDS),
            OpenApiParameter("field", str, description="The name of a field, such as pricing."),
            OpenApiParameter("provider", str, description="The slug of the provider whose sync made the change."),
            OpenApiParameter("from", OpenApiTypes.DATETIME, description="ISO 8601; a bare date is its begin, UTC."),
            OpenApiParameter("to", OpenApiTypes.DATETIME, description="ISO 8601; a bare date is its end, UTC."),
            OpenApiParameter(
                "mine",
                bool,
                description="Only models that the caller has switched on, set as default, named or built on; 403 with "
                "the key of a group.",
            ),
        ],
        examples=[answered("A price and a new model", CHANGES)],
        responses={200: ChangesSerializer, 410: None},
    )
    def list(self, request: Request) -> HttpResponse:
        sent = request.query_params
        limit, since = whole_number(request, "limit", USUAL, MOST), changes.place(self._read("since", Cursor.read))
        found = self._filtered(changes.after(changes.shown_to(self.viewer), since))

        def page() -> bytes:
            rows = list(found[:limit])
            values = changes.values_for(rows, self.viewer)
            items = changes.rendered(rows, lambda row: orjson.dumps(_CHANGE.to_representation(row) | values(row)))
            after = orjson.dumps(str(Cursor.of(rows[-1]) if rows else since))
            return b'{"items":[%b],"next":%b}' % (b",".join(item for _, item in items), after)

        if "mine" in sent:
            # What is mine depends on more than a tag of the caller names, such as the lists of other keys.
            return HttpResponse(page(), content_type="application/json")
        fingerprint = self.caller.fingerprint
        name = f"changes {since} " + sha256(request.META["QUERY_STRING"].encode()).hexdigest()
        return self.conditional(etag(fingerprint), lambda: snapshot.stored(name, fingerprint, lambda: self.read(page)))

    def _filtered(self, rows: QuerySet[FieldChange]) -> QuerySet[FieldChange]:
        """Raises ValidationError."""
        sent = self.request.query_params
        if (model_id := sent.get("model_id")) is not None:
            rows = rows.filter(model__model_id=model_id)
        if (kind := sent.get("kind")) is not None:
            if kind not in changes.KINDS:
                raise ValidationError({"kind": [f"One of {', '.join(changes.KINDS)}."]})
            rows = rows.filter(changes.of_kind(kind))
        if (field := sent.get("field")) is not None:
            if field not in changes.FIELDS:
                raise ValidationError({"field": [f"There are no changes of such a field; one of {_FIELDS}."]})
            rows = rows.filter(field=field)
        if (provider := sent.get("provider")) is not None:
            rows = rows.filter(changes.by_provider(provider))
        if (begin := self._read("from", moments.since)) is not None:
            rows = rows.filter(changed_at__gte=begin)
        if (end := self._read("to", moments.until)) is not None:
            rows = rows.filter(changed_at__lte=end)
        return self._own(rows, sent.get("mine"))

    def _own(self, rows: QuerySet[FieldChange], mine: str | None) -> QuerySet[FieldChange]:
        if mine in (None, "false"):
            return rows
        if mine != "true":
            raise ValidationError({"mine": ["true or false."]})
        if self.viewer.is_anonymous:
            raise ValidationError({"mine": ["Sign in, or send an API key: without, nothing is yours."]})
        if self.viewer.user_id is None:
            raise PermissionDenied(KEY_OF_A_GROUP)
        return rows.filter(changes.of_interest_to(self.viewer.user_id))

    def _read(self, name: str, read: Callable[[str], Any]) -> Any:
        """What `read` makes of a parameter; None where it is not sent. Raises ValidationError."""
        text = self.request.query_params.get(name)
        try:
            return None if text is None else read(text)
        except ValueError as error:
            raise ValidationError({name: [str(error)]}) from error


_FIELDS = ", ".join(sorted(changes.FIELDS))
