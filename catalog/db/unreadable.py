"""Rows with a stored value that cannot be read or shown: they are left out and reported, and stop nobody's answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db.models import Model

from catalog.db.fields import Unreadable

logger = logging.getLogger("modeldex.catalog")

Rendered = TypeVar("Rendered")
Given = ParamSpec("Given")
# How a stored value of the wrong kind shows itself while something is made of it.
_WRONG_VALUES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def render_or_report(
    model_id: str, render: Callable[Given, Rendered], *args: Given.args, **kwargs: Given.kwargs
) -> Rendered | None:
    """What `render` makes of one row; None, with a line in the log, where a stored value prevents that.

    Every way into the product checks its values, so this one was written by other means. The row is left out of
    answers until somebody repairs it, and takes nobody's list away.
    """
    try:
        return render(*args, **kwargs)
    except _WRONG_VALUES as error:
        logger.error("%s is left out of answers: a stored value cannot be rendered: %.200r", model_id, error)
        return None


def refuse_unreadable(row: Model) -> None:
    """Raises ValueError, naming the field, where what was loaded of the row holds JSON that could not be read."""
    for name, value in vars(row).items():
        if isinstance(value, Unreadable):
            raise ValueError(f"{name} is not readable JSON of its kind")
