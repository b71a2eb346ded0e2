"""For the admin's lists: what filters them now, and cells that name their column where a row is shown as a card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django import template
from django.utils.html import format_html, strip_tags
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

register = template.Library()


@register.simple_tag
def chips(changelist: Any) -> list[dict[str, str]]:
    """Each filter in use, with the address of the list without it."""
    return [chip for spec in changelist.filter_specs for chip in _chips(changelist, spec)]


def _chips(changelist: Any, spec: Any) -> Iterator[dict[str, str]]:
    choices = list(spec.choices(changelist))
    if ends := getattr(spec, "ends", None):
        low, high = (ends.get(name, "") for name in spec.expected_parameters())
        yield {"title": spec.title, "value": f"{low} to {high}".strip(), "without": spec.clear}
    for choice in choices[1:]:
        if choice.get("selected"):
            yield {
                "title": spec.title,
                "value": choice.get("display", ""),
                "without": choices[0].get("query_string", "?"),
            }


@register.filter
def marks(headers: Iterable[dict[str, Any]]) -> list[SafeString]:
    """For each column the attribute that names it in its cells."""
    return [format_html(' data-label="{}"', capfirst(strip_tags(str(one["text"])).strip())) for one in headers]


@register.filter
def labelled(cells: Iterable[SafeString], marks: Iterable[SafeString]) -> SafeString:
    """The cells of a row as Django wrote them, each with the name of its column and whether it is empty."""
    return mark_safe("".join(map(_labelled, cells, marks)))  # noqa: S308 - Django's own cells, and escaped attributes


def _labelled(cell: SafeString, mark: SafeString) -> str:
    # Nothing between its two tags, or Django's dash; a box, a picture or a link also ends with a tag.
    is_empty = cell.endswith(">-</td>") or (cell.endswith("></td>") and cell.count(">") == 2)
    empty = " data-empty" if is_empty else ""
    return cell.replace("<td", f"<td{mark}{empty}", 1)
