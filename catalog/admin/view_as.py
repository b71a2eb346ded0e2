"""“View as”: exactly what a user or a key gets, by the rule that answers them.

Apps above add other kinds of viewer: `subjects["key"] = ...` (a function from the id to a `Subject`, or None).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from catalog.access import rules
from catalog.access.callers import Caller, caller_of
from catalog.api.snapshot import VisibleCatalog, snapshot
from catalog.dialects.registry import DIALECTS
from catalog.models import AIModel
from catalog.validation.text import fold

PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Subject:
    """A viewer: their name, and a function that reads the caller, again where the catalog has changed."""

    label: str
    caller: Caller
    caller_now: Callable[[], Caller]
    # A sentence on why they get nothing at all, such as that the user is inactive.
    refused: str = ""


def _user(key: str) -> Subject | None:
    user = get_user_model()._default_manager.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
    if user is None:
        return None
    refused = "" if user.is_active else "This user is inactive: whatever they send is refused."
    return Subject(f"user {user.get_username()}", caller_of(user), lambda: caller_of(user), refused)


def _anybody(key: str) -> Subject:
    return Subject("anyone who is not signed in", caller_of(None), lambda: caller_of(None))


subjects: dict[str, Callable[[str], Subject | None]] = {"user": _user, "anyone": _anybody}
# The permission to view such a subject, besides that to use this page at all.
permissions: dict[str, str] = {"user": "auth.view_user"}

# Route -> a function that makes its answer for a caller, byte for byte. Apps above add theirs.
dialects: dict[str, Callable[[VisibleCatalog], bytes]] = {one.label: one.whole for one in DIALECTS}


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
        users = get_user_model()._default_manager.order_by("username")
        context["users"] = users[:500] if request.user.has_perm(permissions["user"]) else ()
    elif not subject.refused:
        context |= _lists(request, subject)
    return TemplateResponse(request, "admin/catalog/aimodel/view_as.html", context)


def _lists(request: HttpRequest, subject: Subject) -> dict[str, Any]:
    viewer = subject.caller.viewer
    shown = request.GET.get("show", "visible")
    query = request.GET.get("q", "")[:200]
    dialect = request.GET.get("dialect", "")
    # A dialect's answer has custom models too.
    custom = any(request.user.has_perm(f"catalog.{verb}_custommodel") for verb in ("view", "change"))
    rows = AIModel.objects.all() if custom else AIModel.objects.filter(kind=AIModel.Kind.CATALOG)
    visible = rows.visible_to(viewer)
    context: dict[str, Any] = {"show": shown, "q": query, "dialect": dialect}
    if dialect in dialects:
        if not custom:
            raise PermissionDenied
        body = dialects[dialect](snapshot.view(subject.caller, subject.caller_now))
        context["text"] = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
        return context
    context |= {"visible": visible.count(), "usable": rows.usable_by(viewer).count(), "total": rows.count()}
    chosen: QuerySet[AIModel] = {"usable": rows.usable_by(viewer), "visible": visible}.get(
        shown, rows.exclude(pk__in=visible.values("pk")) if shown == "unseen" else rows
    )
    for word in fold(query).split():
        chosen = chosen.filter(search_text__contains=word)
    chosen = chosen.select_related("base_model__base_model").prefetch_related(
        "grants",
        "base_model__grants",
        "base_model__base_model__grants",
        *(f"{'stands_for__' * link}grants" for link in range(1, rules.MAX_ALIASES + 1)),
    )
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
        context |= {"explained": model, "checks": rules.explain(viewer, model) if model else [], "wanted": wanted[:255]}
    return context
