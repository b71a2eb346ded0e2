"""The state of one edit in the admin, for the hooks of Django's admin, which share nothing but the request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

from catalog.access import audience
from catalog.models import AIModel


@dataclass(slots=True)
class Edit:
    """An edit from the hook that reads the row to the hook that answers."""

    # The model as it is stored, locked until the transaction ends; the form writes into another instance.
    stored: AIModel | None = None
    # The names of the fields that were written; None before anything was saved.
    written: list[str] | None = None
    # Who saw the models in question before anything was written.
    audience: audience.Audience | None = None
    # The values of a row of any kind before the edit, for the audit log.
    before: dict[str, Any] = field(default_factory=dict)

    def look(self, models: Iterable[int]) -> None:
        """Notes who sees these models now."""
        self.audience = audience.of(models)


def of(request: HttpRequest) -> Edit:
    """The edit that the request makes, the same for all hooks."""
    found: Edit | None = getattr(request, "edit", None)
    if found is None:
        found = Edit()
        request.edit = found  # type: ignore[attr-defined]
    return found
