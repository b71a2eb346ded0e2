"""The admin's page of what sources disagree about, and what staff do about one of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from catalog.admin import previews
from catalog.admin.audited import author_of
from catalog.editing import entries
from catalog.formatting import label, said
from catalog.models import AIModel
from providers.models import Provider
from providers.reading.namespaces import ENRICHERS
from providers.reports.conflicts import FLAGS, NUMBERS, PRICED, THRESHOLD, Conflict, conflicts

A_PAGE = 100


def conflicts_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """The fields that sources differ about by more than `?beyond=` per cent. Raises PermissionDenied."""
    if not request.user.has_perm("providers.view_providermodel"):
        raise PermissionDenied
    if request.method == "POST":
        _pin(request)
        return HttpResponseRedirect(request.get_full_path())
    beyond, error = _threshold(request.GET.get("beyond", ""))
    field, source = request.GET.get("field", ""), request.GET.get("source", "")
    page = int(text) if (text := request.GET.get("p", "")).isdecimal() and text.isascii() and len(text) < 5 else 1
    start = max(0, page - 1) * A_PAGE
    found = [] if error else list(islice(_matching(beyond, field, source), start, start + A_PAGE + 1))
    sources = {provider.slug: provider for provider in Provider.objects.all()}
    keys = dict(AIModel.objects.filter(model_id__in={one.model_id for one in found}).values_list("model_id", "pk"))
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": "Where sources disagree",
        "beyond": request.GET.get("beyond") or f"{beyond * 100:f}".rstrip("0").rstrip("."),
        "error": error,
        "fields": [(name, label(name)) for name in (*PRICED, *NUMBERS, *FLAGS)],
        "field": field,
        "sources": sorted(sources),
        "source": source,
        "rows": [_row(conflict, sources, keys.get(conflict.model_id)) for conflict in found[:A_PAGE]],
        "earlier": page - 1 if start else None,
        "later": page + 1 if len(found) > A_PAGE else None,
    }
    return TemplateResponse(request, "admin/providers/conflicts.html", context)


def _matching(beyond: Decimal, field: str, source: str) -> Iterator[Conflict]:
    for conflict in conflicts(threshold=beyond):
        if field in ("", conflict.field) and (not source or any(one.source == source for one in conflict.said)):
            yield conflict


def _pin(request: HttpRequest) -> None:
    """Sets a field by hand to what a source says of it, while it says what was shown. Raises PermissionDenied."""
    if not request.user.has_perm("catalog.change_aimodel"):
        raise PermissionDenied
    model_id, field = request.POST.get("model", ""), request.POST.get("field", "")
    source, shown = request.POST.get("source", ""), request.POST.get("value", "")
    told = next((one.said for one in conflicts([model_id], Decimal(0)) if one.field == field), ())
    value = next((one.value for one in told if one.source == source and json.dumps(one.value) == shown), None)
    model = AIModel.objects.filter(model_id=model_id).first()
    if model is None or value is None or field in PRICED:
        messages.warning(request, previews.CHANGED)
        return
    try:
        entries.pin(model, {field: value}, author_of(request))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return
    messages.success(request, f"{model_id}: {label(field)} is pinned to {said(field, value)}, as {source} says.")


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


def _row(conflict: Conflict, sources: dict[str, Provider], key: int | None) -> dict[str, Any]:
    is_price = conflict.field in PRICED
    values = [one.value for one in conflict.said]
    first = sources.get(conflict.said[0].source)
    return {
        "model_id": conflict.model_id,
        "address": reverse("admin:catalog_aimodel_change", args=[key]) if key else "",
        "field": conflict.field,
        "label": label(conflict.field),
        "may_be_pinned": not is_price,
        "said": [
            {
                "source": one.source,
                "words": said(conflict.field, one.value),
                "value": json.dumps(one.value),
                "better": _could_be_preferred(sources.get(one.source), first),
            }
            for one in conflict.said
        ],
        # How far apart something and nothing are is no share.
        "apart": "free or not" if is_price and not all(map(Decimal, values)) else f"{conflict.apart:.0%}",
    }


def _could_be_preferred(source: Provider | None, first: Provider | None) -> Provider | None:
    """The provider, where a better precedence would let its word stand; one that only describes never goes first."""
    if source is None or first is None or source.pk == first.pk:
        return None
    return source if first.kind in ENRICHERS or source.kind not in ENRICHERS else None
