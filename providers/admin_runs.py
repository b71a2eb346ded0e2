"""The admin of sync runs: what each did, and the decision on one that is held."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse

from providers.held import NotHeld, apply_held, newer_than, reject_held
from providers.models import ProviderModel, SyncRun

CHANGES_A_PAGE = 200
# Seconds after which a browser asks again while a run goes on.
REFRESH = "2"


def waiting(run: SyncRun) -> list[dict[str, Any]]:
    """What a run holds, a line each: the listing, the upstream id, and what would happen to it."""
    lines = [
        {"listing": listing, "id": upstream_id, "what": "would be retired"}
        for listing, ids in run.held.get("removals", {}).items()
        for upstream_id in ids
    ]
    for listing, kept in run.held.get("listings", {}).items():
        wanted = {record["upstream_id"]: record for record in kept["records"]}
        now = {
            offer.upstream_id: offer
            for offer in ProviderModel.objects.filter(provider=run.provider_id).only("upstream_id", "pricing")
        }
        for upstream_id, record in wanted.items():
            offer = now.get(upstream_id)
            if offer is None:
                lines.append({"listing": listing, "id": upstream_id, "what": "would be added"})
                continue
            moved = [
                f"{name}: {offer.pricing.get(name, 'unknown')} to {record['pricing'].get(name, 'unknown')}"
                for name in ("prompt", "completion")
                if offer.pricing.get(name) != record["pricing"].get(name)
            ]
            lines.append({"listing": listing, "id": upstream_id, "what": "; ".join(moved) or "no price changes"})
    return lines


class SyncRunAdmin(admin.ModelAdmin):
    change_form_template = "admin/providers/syncrun/change_form.html"
    list_display = ("id", "provider", "state", "started_at", "took", "summary", "trigger", "decision")
    list_filter = ("state", "provider", "decision")
    list_select_related = ("provider",)
    search_fields = ("provider__slug", "reason", "message")
    date_hierarchy = "started_at"
    fields = readonly_fields = (
        "provider",
        "state",
        "message",
        "started_at",
        "ended_at",
        "summary",
        "trigger",
        "triggered_by",
        "decision",
        "decided_by",
        "decided_at",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncRun]:
        # Neither is shown in the list, and both may be large.
        return super().get_queryset(request).defer("problems", "held")

    @admin.display(description="took")
    def took(self, run: SyncRun) -> str:
        return f"{(run.ended_at - run.started_at).total_seconds():.1f} s" if run.ended_at else "-"

    @admin.display(description="counts")
    def summary(self, run: SyncRun) -> str:
        return ", ".join(f"{number} {name}" for name, number in run.counts.items() if number) or "-"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        run = SyncRun.objects.select_related("provider").filter(pk=object_id).first() if object_id.isdigit() else None
        context: dict[str, Any] = {"title": "Sync run"}
        if run is not None:
            held = run.state == SyncRun.State.HELD and not run.decision
            pages = Paginator(run.changes.order_by("pk"), CHANGES_A_PAGE)
            context |= {
                "run": run,
                "may_sync": request.user.has_perm("providers.sync_provider"),
                "undecided": held,
                "newer": newer_than(run) if held else None,
                "waiting": waiting(run) if held else [],
                "changes": pages.get_page(request.GET.get("p")),
            }
        response = super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})
        if run is not None and run.state == SyncRun.State.RUNNING:
            response["Refresh"] = REFRESH
        return response

    def get_urls(self) -> list[Any]:
        decide = self.admin_site.admin_view(self.decide_view)
        return [path("<int:pk>/decide", decide, name="providers_syncrun_decide"), *super().get_urls()]

    def decide_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not request.user.has_perm("providers.sync_provider"):
            raise PermissionDenied
        run = get_object_or_404(SyncRun, pk=pk)
        answer = HttpResponseRedirect(reverse("admin:providers_syncrun_change", args=[pk]))
        try:
            if "reject" in request.POST:
                reject_held(run, request.user)
                self.message_user(request, "Rejected: the catalog stays as it is.")
                return answer
            chosen = None if "accept_all" in request.POST else request.POST.getlist("id")
            if chosen == []:
                self.message_user(request, "Nothing was chosen: nothing was changed.", messages.WARNING)
                return answer
            counts = apply_held(run, request.user, chosen)
        except NotHeld as error:
            self.message_user(request, str(error), messages.ERROR)
            return answer
        told = ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "nothing"
        self.message_user(request, f"Accepted: {told}.")
        return answer
