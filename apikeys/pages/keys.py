"""/me/keys: my keys and those of my groups, what each reaches and what is left of its limits; and one of mine, to
rotate or revoke."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from apikeys import keys
from apikeys.authentication import with_callers
from apikeys.models import ApiKey
from apikeys.pages.base import MOST_SHOWN, KeysBase, shown
from catalog.editing import once
from catalog.pages.base import see_other

# Seconds for which the present secret still works -> what the form calls it.
OVERLAPS = {0: "at once", 3_600: "after an hour", 86_400: "after a day", keys.MAX_OVERLAP: "after a week"}


class KeysPage(KeysBase):
    def get(self, request: HttpRequest) -> HttpResponse:
        found = list(ApiKey.objects.of_user(request.user).select_related("user", "made_with")[: MOST_SHOWN + 1])
        groups = self.caller.viewer.groups
        of_groups = with_callers(ApiKey.objects.of_groups(groups)[: MOST_SHOWN + 1]) if groups else []
        context = {
            "rows": shown([(key, self.caller.viewer) for key in found[:MOST_SHOWN]]),
            "more": len(found) > MOST_SHOWN,
            # To be looked at: staff alone change them.
            "group_rows": shown([(key, caller.viewer) for key, caller in of_groups[:MOST_SHOWN]]),
            "more_of_groups": len(of_groups) > MOST_SHOWN,
        }
        return self.show("me/keys.html", context)


class KeyPage(KeysBase):
    """One key of the reader's. Another's is not there."""

    def get(self, request: HttpRequest, key_id: str) -> HttpResponse:
        return self._shown(self.own_key(key_id))

    def _shown(self, key: ApiKey, mistake: str = "") -> HttpResponse:
        now = timezone.now()
        context: dict[str, Any] = {
            "row": shown([(key, self.caller.viewer)])[0],
            "made": ApiKey.objects.of_user(self.request.user).filter(made_with=key),
            "overlaps": OVERLAPS.items(),
            "overlap_runs": key.previous_until if key.previous_until and key.previous_until > now else None,
            "once": self.request.POST.get(once.FIELD) or once.word(),
            "mistake": mistake,
        }
        return self.show("me/key.html", context, 409 if mistake else 200)

    def post(self, request: HttpRequest, key_id: str) -> HttpResponse:
        if once.made_before(self.form_key):
            messages.warning(request, "This form was sent before. Nothing was done again.")
            return see_other(reverse("my-key", args=[key_id]))
        key = self.own_key(key_id)
        try:
            if "revoke" in request.POST:
                return self._revoked(key)
            return self._rotated(key)
        except keys.Refused as refusal:
            return self._shown(self.own_key(key_id), str(refusal))
        except ValidationError as error:
            return self._shown(key, " ".join(error.messages))

    def _revoked(self, key: ApiKey) -> HttpResponse:
        if "sure" not in self.request.POST:
            return self._shown(key, "Tick that you are sure: a revoked key never works again.")
        keys.revoke(key, self.actor)
        messages.success(self.request, f"Revoked: {key.name}.")
        return see_other(reverse("my-keys"))

    def _rotated(self, key: ApiKey) -> HttpResponse:
        if self.request.POST.get("hint") != key.hint:
            raise keys.Conflict("The key was rotated meanwhile. Nothing was done.")
        overlap = self.request.POST.get("overlap", "")
        seconds = next((number for number in OVERLAPS if str(number) == overlap), 0)
        try:
            with transaction.atomic():
                issued = keys.rotate(key, seconds, self.actor)
                once.remember(self.form_key, issued.key)
        except IntegrityError as error:
            raise keys.Conflict("This form was sent twice. Nothing was done again.") from error
        return self.secret(issued, "rotated")
