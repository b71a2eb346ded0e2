"""/models/{id}: decide on a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_datetime

from catalog import changes, extensions
from catalog.access import rules
from catalog.api.serializers import item_bytes
from catalog.capabilities import CHAT
from catalog.models import AIModel
from catalog.pages import past, words
from catalog.pages.base import Page
from catalog.pages.calling import examples, tools
from catalog.validation.variants import variant_of
from config.api import errors

ASK_STAFF = "Ask your staff."
# The check of the rule that fails first -> whether it stands in the way, and what it means to the reader.
_WHY_NOT = {
    "active": "It is switched off for everyone. You can switch it on again under My models.",
    "available": "You may see it, but no provider offers it now. It returns by itself when one lists it again; "
    "ask your staff if you need it sooner.",
    "enabled": "You may use it once you switch it on: it is off for you.",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact with where it is from."""

    label: str
    text: str
    source: str = ""


class ModelPage(Page):
    """One model as the reader sees it. One out of their sight is not there, like one that nobody has."""

    public = True
    section = "models"

    def get(self, request: HttpRequest, model_id: str) -> HttpResponse:
        viewer = self.caller.viewer
        model = AIModel.objects.find(viewer, model_id)
        shown = None if model is None else item_bytes.shown_or_none(model, viewer)
        if model is None or shown is None:
            return errors.answer(request, 404, f"There is no model with this id, or you may not see it. {ASK_STAFF}")
        item: dict[str, Any] = orjson.loads(shown.body)
        providers = dict(extensions.provider_names())
        steps = self._steps(model)
        verdict, detail = self._verdict(model)
        prices = words.prices(item.get("pricing", {}))
        return self.show(
            "models/one.html",
            {
                "model": {
                    **item,
                    "is_on": model.shown_enabled,
                    "is_offered": model.is_available,
                    "is_custom": model.kind == AIModel.Kind.CUSTOM,
                    "variant": variant_of(model.model_id) if model.kind == AIModel.Kind.CATALOG else None,
                },
                "verdict": verdict,
                "is_default": self.catalog.visibility.own_default == model.pk,
                "detail": detail,
                "facts": _facts(model, item, providers),
                "prices": prices,
                "tiers": words.tiers(item.get("pricing", {})),
                "price_source": source_of(model, "pricing", providers) if any(text for _, text in prices) else "",
                "offers": self._offers(model),
                "offered_by": [providers.get(slug, slug) for slug in model.offered_by],
                "steps": list(reversed(steps)),
                "chart": past.chart(steps),
                "changes": past.sentences(model, viewer, providers) if model.kind == AIModel.Kind.CATALOG else [],
                "examples": examples(self.origin, model.model_id),
                "tools": tools(item) if CHAT in model.capabilities else [],
                "address": request.path,
            },
        )

    def _verdict(self, model: Any) -> tuple[str, str]:
        """One sentence on whether this reader may use it; and `good` or `warn`."""
        if self.caller.viewer.user_id is None:
            state = "Anyone may read about it." if model.is_available else "No provider offers it now."
            return f"{state} Sign in to see whether you may use it.", ""
        failed = next((check.check for check in rules.explain(self.caller.viewer, model) if not check.ok), None)
        if failed is not None:
            return _WHY_NOT.get(failed, f"You may not use it. {ASK_STAFF}"), "warn"
        is_default = self.catalog.visibility.own_default == model.pk
        return "You may use it, and it is your default model." if is_default else "You may use it.", "good"

    def _offers(self, model: Any) -> list[tuple[str, str, str, str]]:
        """What each provider offers, for those who may see that: name, context, prompt and completion."""
        offers = extensions.offers_of(self.request.user, model) or []
        return [
            (name, words.fact("context_length", facts.get("context_length")), *words.token_prices(prices))
            for name, facts, prices in offers
        ]

    def _steps(self, model: Any) -> list[past.PriceStep]:
        """Of the source that the entry has its price from: what others ask is for those who may see offers."""
        said = model.upstream.get("pricing")
        if model.kind != AIModel.Kind.CATALOG or not said:
            return []
        history = extensions.price_history_of(model)
        told = ((since, pricing) for provider, since, pricing in history if provider == said.get("source"))
        return past.steps(told, changes.opened_at(model))


def source_of(model: Any, field: str, providers: Mapping[str, str]) -> str:
    """Where a field's value is from, and since when, in words; "" where nobody knows."""
    if model.kind != AIModel.Kind.CATALOG:
        return ""
    if field in model.pinned_fields or model.frozen:
        return "set by your staff"
    said = model.upstream.get(field)
    if not said:
        return ""
    since = parse_datetime(str(said.get("since", "")))
    source = providers.get(said["source"], "the curated list" if said["source"] == "curated" else said["source"])
    return f"{source}, since {since:%-d %b %Y}" if since else source


def _facts(model: Any, item: Mapping[str, Any], providers: Mapping[str, str]) -> list[Fact]:
    fields = {"capabilities": "task"}
    return [
        Fact(label, text, source_of(model, fields.get(name, name), providers) if text else "")
        for name, (label, text) in words.facts(item).items()
    ]
