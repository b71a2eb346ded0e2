"""What the templates of the admin ask for."""

from collections.abc import Mapping
from typing import Any

from django import template

from catalog.formatting import in_words

register = template.Library()


@register.filter
def at(values: Any, key: Any) -> Any:
    """The value under a key, or None."""
    return values.get(key) if isinstance(values, Mapping) else None


@register.filter
def field_name(field: Any) -> str:
    """The name of a field of an admin form, whether it can be written or not."""
    return field["name"] if isinstance(field, Mapping) else field.name


register.filter("in_words", in_words)
