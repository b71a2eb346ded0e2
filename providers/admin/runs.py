"""The admin of sync runs: what each did, and the decision on a held run."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
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
from catalog.admin.history import ReadOnlyAdmin
from catalog.editing.entries import NotAsShown
from providers.admin import run_tables
from providers.models import ProviderModel, SyncRun
from providers.offers.effects import loss_of, others
from providers.sync.guards import limits
from providers.sync.held_runs import ADDED, Line, NotHeld, apply_held, effect, lines, newer_than, reject_held
from providers.sync.plan import keys_of

CHANGES_A_PAGE = 200
# Each line that waits has a box, and a form of more than a thousand fields is refused.
WAITING_A_PAGE = 200
# Fewer lines than this are all unfolded.
FEW_LINES = 60
UNAVAILABLE_SHOWN = 100
# Runs that the source may answer better if it is asked once more.
_UNFINISHED = (SyncRun.State.FAILED, SyncRun.State.PARTIAL, SyncRun.State.INTERRUPTED)
# Seconds after which a browser asks again while a run goes on.
REFRESH = "2"


class SyncRunAdmin(ReadOnlyAdmin):
    show_full_result_count = True
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

    def get_fields(self, request: HttpRequest, obj: SyncRun | None = None) -> Any:
        # Above what waits the message stands already.
        return [name for name in self.fields if not (name == "told" and _waits(obj))]

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
            held = _waits(run)
            waiting = lines(run) if held else []
            shown = Paginator(run.changes.order_by("pk"), CHANGES_A_PAGE).get_page(request.GET.get("p"))
            context |= {
                "run": run,
                "undecided": held,
                "again": run.state in _UNFINISHED and run.provider is not None and run.provider.is_active,
                "newer": newer_than(run) if held else None,
                **_tree(request, run, waiting),
                "seal": previews.seal(request, *_shown(run, waiting)),
                "changes": shown,
                "faults": run_tables.faults(run.problems),
                "new": run_tables.of_changes(run, shown),
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
        chosen = None if "accept_all" in request.POST else _chosen(request, run)
        try:
            if "reject" in request.POST:
                reject_held(run, request.user)
                self.message_user(request, "Rejected: the catalog stays as it is.")
            elif chosen == []:
                self.message_user(request, "Nothing was chosen: nothing was changed.", messages.WARNING)
            elif "confirmed" not in request.POST and (asked := self._confirm(request, run, chosen)):
                return asked
            else:
                done = apply_held(
                    run,
                    request.user,
                    chosen,
                    agreed=lambda lines: previews.holds(request, *_shown(run, lines)),
                )
                self.message_user(request, f"Accepted: {_in_words(done)}.")
                if "accept_and_reject" in request.POST and not run.decision:
                    reject_held(run, request.user)
                    self.message_user(request, "The rest was rejected: of it the catalog stays as it is.")
        except NotAsShown:
            self.message_user(request, previews.CHANGED, messages.WARNING)
        except NotHeld as error:
            self.message_user(request, str(error), messages.ERROR)
        return page

    def _confirm(self, request: HttpRequest, run: SyncRun, chosen: list[str] | None) -> HttpResponse | None:
        """What accepting comes to, to be confirmed; None where it takes nobody anything, and is not of everything.

        Raises NotHeld where there is nothing to decide, and NotAsShown.
        """
        waiting = lines(run)
        if run.state != SyncRun.State.HELD or run.decision or newer_than(run):
            raise NotHeld("This run cannot be decided on any more.")
        if chosen is not None and not previews.holds(request, *_shown(run, waiting)):
            raise NotAsShown
        found = effect(run, chosen)
        if chosen is not None and not found.unavailable:
            return None
        number = len(waiting) if chosen is None else sum(line.upstream_id in {*chosen} for line in waiting)
        part = f"all {number}" if chosen is None else f"{number} of the {len(waiting)}"
        context = {
            **self.admin_site.each_context(request),
            "title": f"Accept {part} that run {run.pk} of {run.source} holds?",
            "opts": self.opts,
            "run": run,
            "part": part,
            "rejects": "accept_and_reject" in request.POST,
            # What chose them is sent again, as it was.
            "sent": [
                (name, value)
                for name in ("accept_all", "accept_chosen", "accept_and_reject", "id", "author")
                for value in request.POST.getlist(name)
            ],
            "told": _in_words(found.counts),
            "unavailable": found.unavailable[:UNAVAILABLE_SHOWN],
            "more": max(0, len(found.unavailable) - UNAVAILABLE_SHOWN),
            "unavailable_count": len(found.unavailable),
            "loss": loss_of(set(keys_of(found.unavailable).values())),
            "seal": previews.seal(request, *_shown(run, waiting)),
        }
        return TemplateResponse(request, "admin/providers/syncrun/accept.html", context)


def _chosen(request: HttpRequest, run: SyncRun) -> list[str]:
    """The ids that are ticked, and those of each author that is ticked whole, on other pages of the list too."""
    ids, authors = request.POST.getlist("id"), set(request.POST.getlist("author"))
    return [*ids, *(line.upstream_id for line in lines(run) if line.author in authors)] if authors else ids


def _waits(run: SyncRun | None) -> bool:
    """Whether the run is held, and may be decided on."""
    return run is not None and run.state == SyncRun.State.HELD and not run.decision and run.provider is not None


def _tree(request: HttpRequest, run: SyncRun, waiting: list[Line]) -> dict[str, Any]:
    """What waits, by author: a page of the lines that the search finds, each with where it leads."""
    query = request.GET.get("q", "")[:200]
    words = query.lower().split()
    matching = [line for line in waiting if all(word in line.upstream_id.lower() for word in words)]
    matching.sort(key=lambda line: (line.author, line.listing, line.upstream_id))
    page = Paginator(matching, WAITING_A_PAGE).get_page(request.GET.get("w"))
    added = [line.upstream_id for line in page if line.what == ADDED]
    offers = {
        upstream_id: (pk, model)
        for pk, upstream_id, model in ProviderModel.objects.filter(
            provider=run.provider_id, upstream_id__in=[line.upstream_id for line in page]
        ).values_list("pk", "upstream_id", "model_id")
    }
    elsewhere = others({model for _, model in offers.values() if model}, {pk for pk, _ in offers.values()})
    number = Counter(line.author for line in waiting)
    tree = [
        {
            "author": author,
            "count": number[author],
            "lines": [
                {
                    "line": line,
                    "offer": offers.get(line.upstream_id, (None, None))[0],
                    "others": elsewhere.get(offers.get(line.upstream_id, (None, None))[1] or 0, ()),
                }
                for line in group
            ],
        }
        for author, group in groupby(page, key=lambda line: line.author)
    ]
    return {
        "waiting": page,
        "waiting_count": len(waiting),
        "tree": tree,
        "open": len(page) <= FEW_LINES,
        "wanted": query,
        "limits": limits(run.held),
        "waiting_new": run_tables.of_held(run, added) if added else [],
    }


def _shown(run: SyncRun, waiting: list[Line]) -> tuple[Any, ...]:
    """What the page of a held run shows, for its seal."""
    return "held run", run.pk, waiting


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "nothing"
