"""For the admin's first page."""

from typing import Any

from django import template
from django.template import RequestContext

from catalog.admin.decisions import cards

register = template.Library()


@register.inclusion_tag("admin/catalog/decisions.html", takes_context=True)
def decisions(context: RequestContext) -> dict[str, Any]:
    """What the person has to decide."""
    return {"cards": cards(context["request"].user)}
