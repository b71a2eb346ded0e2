"""What the templates of the pages ask for."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from catalog.formatting import display_name

register = template.Library()

# A dash says nothing to somebody who listens to the page.
UNKNOWN = mark_safe('<span aria-hidden="true">&ndash;</span><span class="unseen">unknown</span>')


@register.filter
def known(text: str | None) -> str | SafeString:
    """The text, or where it is "" a dash that is read as "unknown"."""
    return text or UNKNOWN


@register.filter
def tokens(number: Any) -> str | SafeString:
    """A number with its thousands set apart; None, or where a template has none, is unknown."""
    return UNKNOWN if number in (None, "") else f"{number:,}"


@register.filter
def plain(word: Any) -> str:
    """A word of the API as people write it."""
    return str(word).replace("_", " ")


register.filter("person", display_name)
