"""What the dialects share: the facts of a model, its row in one dialect, cursors, and the views' common part."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import orjson
from django.http import HttpResponse
from django.urls import URLPattern, path, reverse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import viewsets
from rest_framework.exceptions import NotFound, ValidationError

from catalog.access.digests import keyed
from catalog.api import lifecycle
from catalog.api.direct import DirectMixin
from catalog.api.rendering import SHAPE, RenderingMixin, named
from catalog.api.serializers.answers import AnswerSerializer
from catalog.api.snapshot import USABLE, RenderedModel, VisibleCatalog, fitted, snapshot
from catalog.db.unreadable import render_or_report
from catalog.dialects.openai import OpenAIModelSerializer
from catalog.pricing import Tariff
from config.api import protocols
from config.api.conditional import etag
from config.api.openapi import some_of
from config.api.pieces import Pieces
from config.api.protocols import Protocol

REQUIRABLE = ("pricing", "context_length")
REQUIRE = OpenApiParameter(
    "require",
    some_of(REQUIRABLE),
    description="Leaves out models of which `pricing`, `context_length` or either (a comma between) is unknown.",
)
_ABSENT = [name for name, field in OpenAIModelSerializer().fields.items() if not field.required]


class Facts(SimpleNamespace):
    """What one model's row is made of: the fields of OpenAI's row and of its metadata; None is unknown.

    They are read back from that row: a dialect can show no more than `/v1/models` does, and nothing is stored twice.
    """

    @classmethod
    def of(cls, row: bytes) -> Facts:
        shown = orjson.loads(row)
        return cls(**{**dict.fromkeys(_ABSENT), **shown.pop("metadata"), **shown})

    @property
    def created_at(self) -> str:
        """In RFC 3339."""
        return datetime.fromtimestamp(self.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def tariff(self) -> Tariff:
        return Tariff(self.pricing or {})

    def knows(self, *words: str) -> bool:
        """Whether all of these, of REQUIRABLE, are known: of prices those of prompt and completion."""
        return ("pricing" not in words or len(self.tariff.by_token) == 2) and (
            "context_length" not in words or self.context_length is not None
        )

    def can(self, *words: str) -> bool:
        return not {*words}.isdisjoint(self.capabilities)


def required_of(request: Any) -> tuple[str, ...]:
    """What `?require=` leaves rows out for. Raises ValidationError."""
    sent = request.query_params.getlist("require")
    words = {word for text in sent for word in text.split(",")}
    if not words <= {*REQUIRABLE}:
        raise ValidationError({"require": [f"Of {' and '.join(REQUIRABLE)}, with a comma between."]})
    return tuple(sorted(words))


def usable(view: VisibleCatalog, required: tuple[str, ...] = ()) -> Iterator[RenderedModel]:
    """The models of `/v1/models` for this viewer, in rank order, of which all that is required is known."""
    for _, rendered_model in view.having(USABLE):
        if rendered_model.openai is not None and (not required or Facts.of(rendered_model.openai).knows(*required)):
            yield rendered_model


@dataclass(frozen=True)
class Rows:
    """The rows of one dialect. Each is a function of the facts of its model alone, and made once."""

    name: str
    serializer: AnswerSerializer
    # The capabilities that the clients' format has a word for; none: it has for all.
    only: tuple[str, ...] = ()

    def of(self, rendered_model: RenderedModel) -> bytes:
        """b"" where the dialect does not show the model."""
        row = rendered_model.rows.get(self.name)
        if row is None:
            row = render_or_report(rendered_model.model_id, self._made, rendered_model) or b""
            rendered_model.rows[self.name] = row
        return row

    def _made(self, rendered_model: RenderedModel) -> bytes:
        if rendered_model.openai is None:
            return b""
        facts = Facts.of(rendered_model.openai)
        if self.only and not facts.can(*self.only):
            return b""
        return fitted(orjson.dumps(self.serializer.to_representation(facts)))

    def usable(self, view: VisibleCatalog, required: tuple[str, ...] = ()) -> list[bytes]:
        return [row for rendered_model in usable(view, required) if (row := self.of(rendered_model))]

    def one(self, view: VisibleCatalog, model_id: str) -> bytes:
        """Raises ModelNotFound."""
        rendered_model = view.usable(model_id)
        row = self.of(rendered_model) if rendered_model is not None else b""
        if not row:
            raise ModelNotFound(model_id, view.successor_of_retired(model_id))
        return row


@dataclass(frozen=True)
class Dialect:
    """One way to read the catalog. What it needs of the rest of the product is here, and its line in the registry."""

    name: str
    # The address of its list, and the headers that it takes besides the key. An export's holds `{token}`.
    address: str
    # The whole list for a viewer, as the address answers it.
    whole: Callable[[VisibleCatalog], bytes | Pieces]
    routes: tuple[URLPattern, ...] = ()
    protocol: Protocol | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_one_address(
        cls,
        name: str,
        address: str,
        whole: Callable[[VisibleCatalog], bytes | Pieces],
        views: type[DialectViewSet],
        route: str,
        protocol: Protocol | None = None,
    ) -> Dialect:
        """One whose address, with what stands in braces as parameters, is its only route."""
        pattern = address.removeprefix("/").replace("{", "<str:").replace("}", ">")
        return cls(name, address, whole, (path(pattern, views.as_view({"get": "list"}), name=route),), protocol)

    @property
    def label(self) -> str:
        """For staff: the address, and whose words it is asked in where it does not say that by itself."""
        address, _, query = self.address.partition("?")
        return f"{address} ({self.name})" if query else address


def answered(body: Any) -> list[OpenApiExample]:
    """The example of an answer, for the OpenAPI document."""
    return [OpenApiExample("One model", body, response_only=True, status_codes=["200"])]


def error_schema(name: str, properties: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """For a protocol whose refusals are `{"error": {...}}` with these properties."""
    error = {"type": "object", "properties": properties, "required": [*properties]}
    described = f"Every refusal in the dialect of {name}."
    return {
        f"{name}Refusal": {
            "type": "object",
            "description": described,
            "properties": {"error": error},
            "required": ["error"],
        }
    }


class ModelNotFound(NotFound):
    """Unknown, out of the caller's sight, or not for them to use: nobody learns which."""

    default_code = "model_not_found"
    param = "model"

    def __init__(self, model_id: str, successor: str = "") -> None:
        """`successor` is what replaces a retired model, for who sees both."""
        told = f"The model '{named(model_id)}' does not exist or you do not have access to it."
        super().__init__(f"{told} It was retired; '{named(successor)}' replaces it." if successor else told)


class DialectViewSet(RenderingMixin, DirectMixin, viewsets.ViewSet):
    """Reads for clients of one protocol. Their own query parameters are ignored."""

    query_parameters: frozenset[str] | None = None

    def vary(self) -> tuple[str, ...]:
        return *super().vary(), *protocols.headers_at(self.request.path_info)

    def one_of(self, name: str, rows: Rows, model_id: str, make: Callable[[bytes], bytes] = bytes) -> HttpResponse:
        """One model, with what is known of its end. Raises ModelNotFound, also where the caller has a tag."""
        view = self.visible_catalog()
        row = rows.one(view, model_id)
        response: HttpResponse = self.conditional(etag(SHAPE, name, view.caller.fingerprint), lambda: make(row))
        model = view.rendered.by_pk[view.rendered.pk_of[model_id]]
        successor = view.where_seen(model.successor)
        address = reverse(self.request.resolver_match.view_name, kwargs={"model_id": successor}) if successor else ""
        for header, value in lifecycle.headers(model.deprecated_at, model.retires_at, address).items():
            response[header] = value
        return response

    def part_of(self, view: VisibleCatalog, name: str, part: Any, make: Callable[[], bytes | Pieces]) -> HttpResponse:
        """A part of a list, such as a page. What is asked of it is part of its tag."""
        tag = etag(SHAPE, name, keyed("part", repr(part).encode()), view.caller.fingerprint)
        return self.conditional(tag, make)


class Ordered:
    """The rows of a viewer in one order, for cursors that are ids."""

    def __init__(self, view: VisibleCatalog, name: str, choose: Callable[[VisibleCatalog], list[int]]) -> None:
        """`choose` gives the models' keys, once for each viewer and version."""
        self.view = view
        stored = snapshot.stored(name, view.caller.fingerprint, lambda: array("q", choose(view)).tobytes())
        self.keys = array("q")
        self.keys.frombytes(stored)

    def place(self, parameter: str, model_id: str) -> int:
        """Where the model of this id stands. Raises ValidationError where it is none of these."""
        try:
            return self.keys.index(self.view.rendered.pk_of[model_id])
        except (KeyError, ValueError):
            raise ValidationError({parameter: [f"There is no model '{named(model_id)}' in this list."]}) from None

    def slice(self, rows: Rows, start: int, end: int) -> list[bytes]:
        return [rows.of(self.view.rendered.by_pk[pk]) for pk in self.keys[start:end]]

    def id_at(self, place: int) -> str:
        return self.view.rendered.by_pk[self.keys[place]].model_id
