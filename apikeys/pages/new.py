"""/me/keys/new: a new key in three questions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from apikeys import keys
from apikeys.models import ApiKey, Scope, default_scopes
from apikeys.pages.base import KeysBase
from apikeys.policy import MAX_PATTERNS, chosen
from apikeys.policy_preview import told
from apikeys.serializers import KeyWriteSerializer
from catalog.editing import once
from catalog.pages.base import see_other
from catalog.pages.picking import picks

# Days until it expires -> what the form calls it.
ENDS = {"30": "in 30 days", "90": "in 90 days", "365": "in a year", "": "never"}
_LISTS = {ApiKey.Mode.ALLOW_LIST: "allowed_models", ApiKey.Mode.DENY_LIST: "denied_models"}


class NewKeyPage(KeysBase):
    """What is it for, what may it reach, and how long and how much."""

    def get(self, request: HttpRequest) -> HttpResponse:
        start = {"mode": "all", "ends": "90", "scopes": default_scopes(), "patterns": "", "picked": []}
        return self._shown(start, {})

    def post(self, request: HttpRequest) -> HttpResponse:
        if sent := once.made_before(self.form_key):
            return self._made(sent.told)
        typed = self._typed()
        if request.POST.keys() & {"count", "search"}:
            return self._shown(typed, {})
        try:
            with transaction.atomic():
                issued = self._issued(typed)
                once.remember(self.form_key, issued.key)
        except IntegrityError:
            # The same form was sent twice at once, and the other request came first.
            if sent := once.made_before(self.form_key):
                return self._made(sent.told)
            raise
        except ValidationError as error:
            found = error.message_dict if hasattr(error, "error_dict") else {"name": error.messages}
            return self._shown(typed, _by_question(found))
        except keys.Refused as refusal:
            return self._shown(typed, {"name": [str(refusal)]})
        return self.secret(issued, "made")

    def _made(self, name: str) -> HttpResponse:
        messages.warning(self.request, f"This form was sent before, and made {name} then. Nothing was made again.")
        return see_other(reverse("my-keys"))

    def _typed(self) -> dict[str, Any]:
        sent = self.request.POST
        typed: dict[str, Any] = {name: sent.get(name, "").strip() for name in ("mode", "per_minute", "per_day")}
        # The serializer says what a name may be, blanks at its ends too.
        typed["name"] = sent.get("name", "")
        typed["patterns"], typed["picked"] = sent.get("patterns", ""), sent.getlist("picked")
        typed["ends"] = sent.get("ends", "") if sent.get("ends", "") in ENDS else ""
        typed["scopes"] = sent.getlist("scopes")
        return typed

    def _issued(self, typed: dict[str, Any]) -> keys.Issued:
        """By the serializer of the API, so that both refuse the same. Raises ValidationError, keys.Refused."""
        mistakes: dict[str, list[str]] = {}
        data: dict[str, Any] = {"name": typed["name"], "mode": typed["mode"], "scopes": typed["scopes"]}
        if typed["mode"] in _LISTS:
            data[_LISTS[typed["mode"]]] = _patterns(typed)
            if not _patterns(typed):
                mistakes["patterns"] = ["The list is empty. Name a model, or choose every model."]
        for name in ("per_minute", "per_day"):
            text = typed[name].replace(",", "")
            if text and text.isascii() and text.isdigit() and len(text) < 12:
                data[name] = int(text)
            elif text:
                mistakes[name] = ["A whole number, or nothing for no limit."]
        if typed["ends"]:
            data["expires_at"] = (timezone.now() + timedelta(days=int(typed["ends"]))).isoformat()
        serializer = KeyWriteSerializer(data=data)
        if not serializer.is_valid():
            mistakes |= {name: [str(text) for text in texts] for name, texts in serializer.errors.items()}
        if mistakes:
            raise ValidationError(mistakes)
        values = dict(serializer.validated_data)
        return keys.create(self.request.user, values, chosen(None, values), self.actor)

    def _shown(self, typed: dict[str, Any], mistakes: dict[str, list[str]]) -> HttpResponse:
        mode = typed["mode"] if typed["mode"] in ApiKey.Mode.values else ApiKey.Mode.ALL
        patterns = _patterns(typed)[: MAX_PATTERNS + 1]
        context = {
            "typed": typed,
            "mistakes": mistakes,
            "reach": told(self.request.user, mode, patterns if mode in _LISTS else []),
            "modes": ApiKey.Mode.choices,
            "ends": ENDS.items(),
            "scopes": Scope.choices,
            **picks(self.catalog, self.request.POST, typed["picked"]),
            "once": self.request.POST.get(once.FIELD) or once.word(),
        }
        return self.show("me/key_new.html", context, 400 if mistakes else 200)


def _patterns(typed: dict[str, Any]) -> list[str]:
    """The lines and the ticked models, each once."""
    lines = [line.strip() for line in (*typed["patterns"].splitlines(), *typed["picked"])]
    return list(dict.fromkeys(line for line in lines if line))


def _by_question(errors: dict[str, list[str]]) -> dict[str, list[str]]:
    """Errors by the field of the form: those of single patterns stand at their list."""
    found: dict[str, list[str]] = {}
    for name, texts in errors.items():
        is_pattern = name.startswith(("allowed_models", "denied_models", "patterns"))
        known = ("mode", "scopes", "per_minute", "per_day", "expires_at")
        found.setdefault("patterns" if is_pattern else name if name in known else "name", []).extend(texts)
    return found
