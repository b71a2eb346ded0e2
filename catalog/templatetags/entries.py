"""What the templates of the admin ask for."""

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.safestring import mark_safe

from catalog.formatting import before_and_after, label

register = template.Library()


@register.filter
def at(values: Any, key: Any) -> Any:
    """The value under a key, or None."""
    return values.get(key) if isinstance(values, Mapping) else None


@register.filter
def field_name(field: Any) -> str:
    """The name of a field of an admin form, whether it can be written or not."""
    return field["name"] if isinstance(field, Mapping) else field.name


register.filter("label", label)


@register.filter
def beside_tabs(row: str) -> str:
    """A row of buttons that Tab passes by, since another one on the page does the same."""
    found = row.replace('<input type="submit"', '<input tabindex="-1" type="submit"').replace(
        "<a ", '<a tabindex="-1" '
    )
    return mark_safe(found)  # noqa: S308 - as Django has rendered it


@register.filter
def before_and_after_of(change: Any) -> tuple[str, str]:
    """What a field was and is, in words, of a change as history or a plan has it."""
    return before_and_after(change.field, change.old, change.new)
