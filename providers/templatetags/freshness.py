"""For the admin's first page."""

from typing import Any

from django import template
from django.template import RequestContext

from providers.reports.freshness import sources

register = template.Library()


@register.inclusion_tag("admin/providers/freshness.html", takes_context=True)
def freshness(context: RequestContext) -> dict[str, Any]:
    """How fresh each source is; nothing for who may not view providers."""
    user: Any = context["request"].user
    if not user.has_perm("providers.view_provider"):
        return {}
    return {"shown": True, "sources": sources(), "may_view_runs": user.has_perm("providers.view_syncrun")}
