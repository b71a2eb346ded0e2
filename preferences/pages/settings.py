"""/me/settings: the theme, what becomes of new models, and the default model."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from catalog.pages.base import Page, see_other
from catalog.pages.picking import picks
from preferences import defaults, writing
from preferences.models import Profile
from preferences.pages.mine import WHY
from preferences.serializers import SettingsWriteSerializer


class SettingsPage(Page):
    """The reader's own settings, each of which the API has under the same name."""

    section = "settings"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._shown({})

    def _shown(self, mistakes: dict[str, list[str]]) -> HttpResponse:
        profile = Profile.objects.filter(user=self.caller.viewer.user_id).first() or Profile()
        view, sent = self.catalog, self.request.POST
        default = defaults.resolve(view)
        own = view.visibility.own_default
        stored = "" if own is None else view.rendered.by_pk[own].model_id
        chosen = sent.get("default_model", "") if "settings" in sent else stored
        return self.show(
            "me/settings.html",
            {
                "themes": Profile.Theme.choices,
                "auto": "auto" in sent if "settings" in sent else profile.auto_enable_new_models,
                "chosen_theme": sent.get("theme", self.caller.theme or "system"),
                "chosen": chosen,
                **picks(view, sent, [chosen], usable=True),
                "default": None if default.pk is None else view.rendered.by_pk[default.pk].model_id,
                "why": WHY.get(default.source or "", ""),
                "reason": default.reason,
                "mistakes": mistakes,
            },
            400 if mistakes else 200,
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        if "search" in request.POST:
            return self._shown({})
        sent: dict[str, Any] = {"theme": request.POST["theme"]} if "theme" in request.POST else {}
        if "settings" in request.POST:
            # The whole form, in which a box without its tick is not sent.
            sent["auto_enable_new_models"] = "auto" in request.POST
            sent["default_model"] = request.POST.get("default_model", "").strip() or None
        serializer = SettingsWriteSerializer(data=sent)
        if not serializer.is_valid():
            return self._shown({name: [str(text) for text in texts] for name, texts in serializer.errors.items()})
        try:
            writing.change_settings(self.caller.viewer, serializer.validated_data)
        except ValidationError as error:
            return self._shown(error.message_dict)
        if "settings" not in request.POST:
            return self.back(reverse("my-settings"))
        messages.success(request, "Saved.")
        return see_other(reverse("my-settings"))
