"""The first page."""

from django.conf import settings
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from catalog.access.callers import caller_of
from catalog.models import AIModel
from config.api.origin import origin
from providers.reports.freshness import sources


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this is, how much of it the reader sees, and how fresh it is."""
    context: dict[str, object] = {
        "shown": settings.PUBLIC_CATALOG or request.user.is_authenticated,
        "origin": origin(request),
    }
    if context["shown"]:
        viewer = caller_of(request.user).viewer
        context |= (
            AIModel.objects.visible_to(viewer)
            .available()
            .aggregate(models=Count("pk"), authors=Count("author", distinct=True, filter=~Q(author="")))
        )
        context["sources"] = sources(None if viewer.is_staff else viewer.groups)
    response = render(request, "home.html", context)
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ("Cookie",))
    return response
