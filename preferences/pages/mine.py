"""/me/models: what is mine, shared with me and switched off by me, and my default model."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from catalog.api.snapshot import SWITCHED_OFF
from catalog.models import AIModel
from catalog.pages.base import Page
from preferences import defaults, writing

# Whose word the default model is.
WHY = {
    "user": "because you chose it",
    "group": "because it is the default of a group of yours",
    "site": "because it is the default of this site",
    "first_usable": "because it is the first model for conversation that you may use, and nobody has chosen one",
}


class MyModelsPage(Page):
    """The reader's own view of the catalog. A form here, or elsewhere, switches a model on or off or makes it mine."""

    section = "mine"

    def get(self, request: HttpRequest) -> HttpResponse:
        viewer, view = self.caller.viewer, self.catalog
        custom = AIModel.objects.shown_to(viewer).findable_by(viewer).filter(kind=AIModel.Kind.CUSTOM)
        mine = list(custom.filter(owner=viewer.user_id).order_by("name_key", "model_id"))
        default = defaults.resolve(view)
        own = view.visibility.own_default
        return self.show(
            "me/models.html",
            {
                "mine": mine,
                "broken": self._own().count() - len(mine),
                "shared": list(custom.exclude(owner=viewer.user_id).order_by("name_key", "model_id")),
                "off": [{**self.item(pk), "is_on": False} for pk, _ in view.having(SWITCHED_OFF)],
                "default": None if default.pk is None else self.item(default.pk),
                "why": WHY.get(default.source or "", ""),
                "reason": default.reason,
                # Stored, and passed over while it cannot be used.
                "waiting": None if own is None or own == default.pk or default.reason else self.item(own),
                "address": request.path,
            },
        )

    def _own(self) -> QuerySet[AIModel]:
        return AIModel.objects.custom().filter(owner=self.caller.viewer.user_id)

    def post(self, request: HttpRequest) -> HttpResponse:
        sent, viewer = request.POST, self.caller.viewer
        here = reverse("my-models")
        try:
            if "default" in sent:
                writing.change_settings(viewer, {"default_model": sent["default"] or None})
            else:
                wanted = {model_id: word == "on" for word in ("on", "off") for model_id in sent.getlist(word)}
                writing.switch(viewer, dict(list(wanted.items())[: writing.MAX_SWITCHES]))
        except writing.UnknownModels as unknown:
            raise Http404 from unknown
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        return self.back(here)
