"""For the admin's first page."""

from typing import Any

from django import template
from django.template import RequestContext

from providers.freshness import sources
from providers.models import SyncRun

register = template.Library()


@register.inclusion_tag("admin/providers/freshness.html", takes_context=True)
def freshness(context: RequestContext) -> dict[str, Any]:
    """How fresh each source is, and which runs wait for a decision; nothing for who may not view providers."""
    user: Any = context["request"].user
    if not user.has_perm("providers.view_provider"):
        return {}
    held = SyncRun.objects.filter(state=SyncRun.State.HELD, decision="").select_related("provider").order_by("-pk")
    return {"shown": True, "sources": sources(), "held": held.defer("held", "problems")[:10]}
