"""The admin's page of what sources disagree about."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from catalog.formatting import in_words
from catalog.pricing import worded
from providers.reports.conflicts import THRESHOLD, Conflict, conflicts

# More than anybody reads; a greater threshold shows the worst of them.
MOST = 500


def conflicts_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """The fields that sources differ about by more than `?beyond=` per cent. Raises PermissionDenied."""
    if not request.user.has_perm("providers.view_providermodel"):
        raise PermissionDenied
    beyond, error = _threshold(request.GET.get("beyond", ""))
    found = [] if error else list(islice(conflicts(threshold=beyond), MOST + 1))
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": "Where sources disagree",
        "beyond": request.GET.get("beyond") or f"{beyond * 100:f}".rstrip("0").rstrip("."),
        "error": error,
        "rows": [_row(conflict) for conflict in found[:MOST]],
        "more": len(found) > MOST,
    }
    return TemplateResponse(request, "admin/providers/conflicts.html", context)


def _threshold(text: str) -> tuple[Decimal, str]:
    if not text:
        return THRESHOLD, ""
    try:
        share = Decimal(text) / 100
    except InvalidOperation:
        share = Decimal(-1)
    if not share.is_finite() or not 0 <= share < 1:
        return THRESHOLD, "Write the threshold as a number of per cent from 0 to 99, such as 10."
    return share, ""


def _row(conflict: Conflict) -> dict[str, Any]:
    _, is_price, kind = conflict.field.rpartition("pricing.")
    return {
        "model_id": conflict.model_id,
        "field": f"{kind} price per million" if is_price else conflict.field,
        "said": [(one.source, worded(kind, one.value) if is_price else in_words(one.value)) for one in conflict.said],
        "apart": f"{conflict.apart:.0%}",
    }
