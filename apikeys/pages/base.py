"""What the pages of keys share: who acts, keys in words, and the one page that shows a secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from apikeys import keys, limits
from apikeys.models import ApiKey
from apikeys.policy import policy_of
from catalog.access import rules
from catalog.access.viewers import Viewer
from catalog.editing import once
from catalog.editing.history import Author
from catalog.models import AIModel
from catalog.pages.base import Page

# Keys on the page; each is counted through the whole catalog.
MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """A key as its owner, or a member of the group that owns it, is shown it."""

    key: ApiKey
    state: str
    # 0 while it does not work.
    reaches: int
    windows: list[limits.Window]


class KeysBase(Page):
    section = "keys"

    @property
    def actor(self) -> keys.Actor:
        return keys.Actor(Author.person(self.request.user), self.caller.viewer)

    def own_key(self, key_id: str) -> ApiKey:
        """A key of the reader's. Raises Http404: another's is not there."""
        found = ApiKey.objects.of_user(self.request.user).select_related("user", "made_with")
        return get_object_or_404(found, key_id=key_id[:64])

    @property
    def form_key(self) -> str:
        """The key under which what this form makes is remembered."""
        return once.key_of(self.request.user, self.request.path, self.request.POST.get(once.FIELD, ""))

    def secret(self, issued: keys.Issued, what: str) -> HttpResponse:
        context = {"key": issued.key, "token": issued.token, "what": what, "origin": self.origin}
        return self.show_once("me/key_once.html", context)

    def show_once(self, template: str, context: dict[str, Any]) -> HttpResponse:
        """The answer to the form is the only place where the secret is: no session, message or address holds it."""
        response = self.show(template, context)
        response["Cache-Control"] = "no-store"
        return response


def shown(found: Sequence[tuple[ApiKey, Viewer]]) -> list[Shown]:
    """Two statements: of each key the number of models that it reaches now, and what is left of its limits.

    With each stands its owner as a viewer.
    """
    if not found:
        return []
    states = {key.pk: state_of(key) for key, _ in found}
    counts = {
        f"key_{key.pk}": Count("pk", filter=rules.visible(AIModel, replace(viewer, policy=policy_of(key))))
        for key, viewer in found
        if not states[key.pk]
    }
    reaches = AIModel.objects.aggregate(**counts)
    windows = limits.left([key for key, _ in found])
    return [Shown(key, states[key.pk], reaches.get(f"key_{key.pk}", 0), windows[key.pk]) for key, _ in found]


def state_of(key: ApiKey) -> str:
    """Why the key does not work; "" where it does."""
    reason = key.why_not(timezone.now())
    return str(reason.label) if reason else ""
