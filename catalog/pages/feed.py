"""The page of changes as an Atom feed: /changes.atom by session, /export/{token}/changes.atom for readers of feeds."""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from catalog import changes
from catalog.access.digests import keyed
from catalog.api.rendering import SHAPE
from catalog.changes import Cursor
from catalog.dialects.exports import ExportViewSet
from catalog.models import FieldChange
from catalog.pages.changes import ChangesPage, line_of, newest
from config.api.conditional import etag
from config.api.origin import origin

MOST = 50
# What XML 1.0 cannot hold, even escaped, whatever stands in old rows or comes from upstream.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ChangesFeed(ChangesPage):
    """The same as an Atom feed, for whoever is signed in."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return _feed(self.rows()[:MOST], self.origin)


class ChangesExportViewSet(ExportViewSet):
    """A token that has ended gets a feed without entries."""

    query_parameters = frozenset()

    @extend_schema(
        operation_id="export_changes",
        summary="What changed of the models that the token's key sees, the newest first, as an Atom feed",
        description="The token in the address is all that is asked for. One that has ended, or whose key has, gets "
        "a feed without entries; one that never was, 404.",
        parameters=[
            OpenApiParameter("token", str, OpenApiParameter.PATH, description="Of POST /api/keys/{id}/exports.")
        ],
        responses={(200, "application/atom+xml"): str, 404: None},
        tags=["exports"],
    )
    def list(self, request: Request, token: str) -> HttpResponse:
        rows = list(newest(self.viewer)[:MOST]) if self.request.auth is not None else []
        site = origin(request)
        # A change is never changed itself.
        tag = etag(SHAPE, "feed", keyed("feed", f"{site} {[str(Cursor.of(row)) for row in rows]}".encode()))
        return self.conditional(tag, lambda: _feed(rows, site))


def _feed(rows: list[FieldChange], site: str) -> HttpResponse:
    page = site + reverse("changes-page")
    # Never the address with a token in it: readers show it, and keep it.
    address = site + reverse("changes-feed")
    feed = Atom1Feed("Modeldex: what changed", page, "Changes of the models that you see.", feed_url=address)
    for row, line in changes.rendered(rows, line_of):
        feed.add_item(
            _NOT_XML.sub("", f"{line.model_id}: {line.text}"),
            site + reverse("model-page", args=[line.model_id]),
            "",
            unique_id=f"{page}#{Cursor.of(row)}",
            pubdate=row.changed_at,
            updateddate=row.changed_at,
        )
    return HttpResponse(feed.writeString("utf-8"), content_type=Atom1Feed.content_type)
