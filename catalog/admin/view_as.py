"""“View as”: exactly what a user or a key gets, by the rule that answers them.

Apps above add other kinds of viewer: `subjects["key"] = ...` (a function from the id to a `Subject`, or None).
"""

from __future__ import annotations

import gc
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import slugify

from catalog.access import rights, rules
from catalog.access.callers import Caller, caller_of
from catalog.api.snapshot import VisibleCatalog, snapshot
from catalog.dialects.registry import DIALECTS
from catalog.models import AccessGrant, AIModel
from catalog.validation.text import fold
from config.api.pieces import Pieces

PER_PAGE = 100
# Rows of a dialect's answer on one page.
ROWS = 50


@dataclass(frozen=True, slots=True)
class Subject:
    """A viewer: their name, and a function that reads the caller, again where the catalog has changed."""

    label: str
    caller: Caller
    caller_now: Callable[[], Caller]
    # A sentence on why they get nothing at all, such as that the user is inactive.
    refused: str = ""
    user: Any = None


def _user(key: str) -> Subject | None:
    user = get_user_model()._default_manager.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
    if user is None:
        return None
    refused = "" if user.is_active else "This user is inactive: whatever they send is refused."
    return Subject(f"user {user.get_username()}", caller_of(user), lambda: caller_of(user), refused, user)


def _anybody(key: str) -> Subject:
    return Subject("anyone who is not signed in", caller_of(None), lambda: caller_of(None))


subjects: dict[str, Callable[[str], Subject | None]] = {"user": _user, "anyone": _anybody}
# The permission to view such a subject, besides that to use this page at all.
permissions: dict[str, str] = {"user": "auth.view_user"}

# Route -> a function that makes its answer for a caller, byte for byte. Apps above add theirs.
dialects: dict[str, Callable[[VisibleCatalog], bytes | Pieces]] = {one.label: one.whole for one in DIALECTS}


@dataclass(frozen=True, slots=True)
class Mend:
    """A way to change what decided: a link; with `form` a button that sends these fields there."""

    label: str
    address: str
    form: Mapping[str, Any] | None = None


# The name of a check -> the ways to change what it says of this model, for those who may. Apps above add theirs.
mends: dict[str, list[Callable[[HttpRequest, Subject, AIModel], Iterable[Mend]]]] = defaultdict(list)


def subject_of(request: HttpRequest) -> Subject | None:
    """Whom the address names, or None where it names nobody. Raises Http404 for one who does not exist, and
    PermissionDenied for one of a kind that who asks may not view."""
    for kind, find in subjects.items():
        if kind in request.GET:
            if kind in permissions and not request.user.has_perm(permissions[kind]):
                raise PermissionDenied
            found = find(request.GET[kind])
            if found is None:
                raise Http404
            return found
    return None


def address(kind: str, key: Any) -> str:
    """The address of the page of this subject."""
    return f"{reverse('admin:catalog_aimodel_view_as')}?{kind}={key}"


class WhomForm(forms.Form):
    """Finds a user as the admin's other forms do."""

    def __init__(self, site: admin.AdminSite) -> None:
        super().__init__()
        field: Any = AccessGrant._meta.get_field("user")
        users = get_user_model()._default_manager.all()
        self.fields["user"] = forms.ModelChoiceField(users, widget=AutocompleteSelect(field, site))
        self.fields["model"] = forms.CharField(required=False, label="Why not this model", max_length=255)


def view_as(model_admin: Any, request: HttpRequest) -> HttpResponse:
    if not (request.user.has_perm("catalog.view_as") and model_admin.has_view_or_change_permission(request)):
        raise PermissionDenied
    subject = subject_of(request)
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "title": f"View as {subject.label}" if subject else "View as",
        "opts": model_admin.opts,
        "subject": subject,
        "kept": [(kind, request.GET[kind]) for kind in subjects if kind in request.GET],
        "dialects": list(dialects),
    }
    if subject is None:
        if request.user.has_perm(permissions["user"]):
            context["form"] = WhomForm(model_admin.admin_site)
            context["media"] = context["form"].media
    elif not subject.refused:
        if (dialect := request.GET.get("dialect", "")) in dialects:
            return _dialect(request, subject, dialect, context)
        context |= _lists(request, subject)
    return TemplateResponse(request, "admin/catalog/aimodel/view_as.html", context)


def _dialect(request: HttpRequest, subject: Subject, dialect: str, context: dict[str, Any]) -> HttpResponse:
    """The answer of a dialect: its bytes to be kept, or a page of its rows to be read."""
    # It has custom models too.
    if AIModel.Kind.CUSTOM not in rights.of(request).kinds_shown:
        raise PermissionDenied
    body = bytes(dialects[dialect](snapshot.view(subject.caller, subject.caller_now)))
    if "download" in request.GET:
        named = slugify(f"{subject.label} {dialect.replace('/', ' ')}")
        headers = {"Content-Disposition": f'attachment; filename="{named}.json"'}
        return HttpResponse(body, content_type="application/json", headers=headers)
    answer, page = _rows(body, request.GET.get("p"))
    text = json.dumps(answer, indent=2, ensure_ascii=False)
    context |= {"dialect": dialect, "size": len(body), "page": page, "text": text}
    return TemplateResponse(request, "admin/catalog/aimodel/view_as.html", context)


def _rows(body: bytes, number: str | None) -> tuple[Any, Any]:
    """The answer with the rows of one page alone, and the page: see `_page_of`."""
    # A large answer is a hundred thousand objects, all of them dropped again below. Python would stop to look for
    # garbage among them and all else that the process holds, which takes longer than to read them.
    gc.disable()
    try:
        return _page_of(orjson.loads(body), number)
    finally:
        gc.enable()


def _page_of(answer: Any, number: str | None) -> tuple[Any, Any]:
    """The answer with the rows of one page alone: those of each list in it, or of the list or map that it is."""
    inside = answer.items() if isinstance(answer, dict) else ()
    held = {name: part for name, part in inside if isinstance(part, list)}
    rows = max(held.values(), key=len) if held else answer
    # Of numbers: a page of the rows would hold them all.
    page = Paginator(range(len(rows)), ROWS).get_page(number)
    start = (page.number - 1) * ROWS
    end = start + ROWS
    if held:
        return answer | {name: part[start:end] for name, part in held.items()}, page
    return (dict([*rows.items()][start:end]) if isinstance(rows, dict) else rows[start:end]), page


def _lists(request: HttpRequest, subject: Subject) -> dict[str, Any]:
    viewer = subject.caller.viewer
    shown = request.GET.get("show", "visible")
    query = request.GET.get("q", "")[:200]
    sees_custom = AIModel.Kind.CUSTOM in rights.of(request).kinds_shown
    rows = AIModel.objects.all() if sees_custom else AIModel.objects.catalog_entries()
    visible = rows.visible_to(viewer)
    context: dict[str, Any] = {"show": shown, "q": query}
    context |= {"visible": visible.count(), "usable": rows.usable_by(viewer).count(), "total": rows.count()}
    chosen: QuerySet[AIModel] = {"usable": rows.usable_by(viewer), "visible": visible}.get(
        shown, rows.exclude(pk__in=visible.values("pk")) if shown == "unseen" else rows
    )
    for word in fold(query).split():
        chosen = chosen.filter(search_text__contains=word)
    chosen = chosen.select_related(rules.LAST_BASE).prefetch_related(*rules.GRANTS)
    page = Paginator(chosen.order_by("-priority", "model_id"), PER_PAGE).get_page(request.GET.get("p"))
    keys = [row.pk for row in page]
    usable = set(rows.filter(pk__in=keys).usable_by(viewer).values_list("pk", flat=True))
    enabled = set(rows.filter(pk__in=keys).enabled_for(viewer).values_list("pk", flat=True))
    available = set(rows.filter(pk__in=keys).available().values_list("pk", flat=True))
    context["page"] = page
    context["lines"] = [
        {
            "row": row,
            "sight": [check for check in rules.sight(viewer, row) if not check.ok],
            "usable": row.pk in usable,
            "enabled": row.pk in enabled,
            "available": row.pk in available,
        }
        for row in page
    ]
    if wanted := request.GET.get("model"):
        model = rows.filter(model_id=wanted).prefetch_related("grants").first()
        context |= {"wanted": wanted[:255], "explained": model}
        if model:
            context |= _explained(request, subject, model)
    return context


def _explained(request: HttpRequest, subject: Subject, model: AIModel) -> dict[str, Any]:
    """Each check of the rule, and the first that fails, which decides, with the ways to change it."""
    checks = rules.explain(subject.caller.viewer, model)
    deciding = next((check for check in checks if not check.ok), None)
    ways = [way for find in mends[deciding.check] for way in find(request, subject, model)] if deciding else []
    is_seen = deciding is None or deciding.check in ("available", "enabled")
    return {"checks": checks, "deciding": deciding, "is_seen": is_seen, "mends": ways}
