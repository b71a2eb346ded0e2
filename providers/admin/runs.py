"""The admin of sync runs: what each did, and the decision on a held run."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse

from catalog.admin import previews
from catalog.editing.entries import NotAsShown
from providers.models import SyncRun
from providers.sync.held_runs import Line, NotHeld, apply_held, effect, lines, newer_than, reject_held

CHANGES_A_PAGE = 200
# Each line that waits has a box, and a form of more than a thousand fields is refused.
WAITING_A_PAGE = 200
UNAVAILABLE_SHOWN = 100
# Seconds after which a browser asks again while a run goes on.
REFRESH = "2"


class SyncRunAdmin(admin.ModelAdmin):
    change_form_template = "admin/providers/syncrun/change_form.html"
    list_display = ("id", "source", "outcome", "started_at", "took", "summary", "trigger", "decision")
    list_filter = ("state", "provider", "decision")
    list_select_related = ("provider",)
    search_fields = ("provider__slug", "deleted_provider", "reason", "message")
    date_hierarchy = "started_at"
    fields = readonly_fields = (
        "source",
        "outcome",
        "told",
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

    @admin.display(description="provider", ordering="provider__slug")
    def source(self, run: SyncRun) -> str:
        return run.source if run.provider else f"{run.source} (deleted)"

    @admin.display(description="state", ordering="state")
    def outcome(self, run: SyncRun) -> str:
        return run.outcome

    @admin.display(description="took")
    def took(self, run: SyncRun) -> str:
        return f"{(run.ended_at - run.started_at).total_seconds():.1f} s" if run.ended_at else "-"

    @admin.display(description="counts")
    def summary(self, run: SyncRun) -> str:
        return ", ".join(f"{number} {name}" for name, number in run.counts.items() if number) or "-"

    @admin.display(description="message")
    def told(self, run: SyncRun) -> str:
        return run.told or "-"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        run = self.get_object(request, unquote(object_id))
        context: dict[str, Any] = {"title": "Sync run"}
        if run is not None:
            held = run.state == SyncRun.State.HELD and not run.decision and run.provider is not None
            waiting = lines(run) if held else []
            pages = Paginator(run.changes.order_by("pk"), CHANGES_A_PAGE)
            context |= {
                "run": run,
                "may_sync": request.user.has_perm("providers.sync_provider"),
                "undecided": held,
                "newer": newer_than(run) if held else None,
                "waiting": Paginator(waiting, WAITING_A_PAGE).get_page(request.GET.get("w")),
                "seal": previews.seal(request, *_shown(run, waiting)),
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
        run = get_object_or_404(SyncRun.objects.select_related("provider"), pk=pk)
        page = HttpResponseRedirect(reverse("admin:providers_syncrun_change", args=[pk]))
        chosen = None if "accept_all" in request.POST else request.POST.getlist("id")
        try:
            if "reject" in request.POST:
                reject_held(run, request.user)
                self.message_user(request, "Rejected: the catalog stays as it is.")
            elif chosen is None and "confirmed" not in request.POST:
                return self._confirm(request, run)
            elif chosen == []:
                self.message_user(request, "Nothing was chosen: nothing was changed.", messages.WARNING)
            else:
                done = apply_held(
                    run,
                    request.user,
                    chosen,
                    agreed=lambda lines: previews.holds(request, *_shown(run, lines)),
                )
                self.message_user(request, f"Accepted: {_in_words(done)}.")
        except NotAsShown:
            self.message_user(request, previews.CHANGED, messages.WARNING)
        except NotHeld as error:
            self.message_user(request, str(error), messages.ERROR)
        return page

    def _confirm(self, request: HttpRequest, run: SyncRun) -> HttpResponse:
        """What accepting everything comes to, to be confirmed. Raises NotHeld where there is nothing to decide."""
        waiting = lines(run)
        if run.state != SyncRun.State.HELD or run.decision or newer_than(run):
            raise NotHeld("This run cannot be decided on any more.")
        found = effect(run)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Accept all that run {run.pk} of {run.source} holds?",
            "opts": self.opts,
            "run": run,
            "waiting": len(waiting),
            "told": _in_words(found.counts),
            "unavailable": found.unavailable[:UNAVAILABLE_SHOWN],
            "more": max(0, len(found.unavailable) - UNAVAILABLE_SHOWN),
            "unavailable_count": len(found.unavailable),
            "seal": previews.seal(request, *_shown(run, waiting)),
        }
        return TemplateResponse(request, "admin/providers/syncrun/accept.html", context)


def _shown(run: SyncRun, waiting: list[Line]) -> tuple[Any, ...]:
    """What the page of a held run shows, for its seal."""
    return "held run", run.pk, waiting


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "nothing"
