"""The admin of provider models: price lines, limits, switches and pins. The bulk switch: switching.py."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html

from catalog import pricing
from catalog.admin import previews, view_as
from catalog.admin.audited import author_of
from catalog.admin.entries import address_of
from catalog.admin.entry_form import RELEASE
from catalog.editing.entries import NotAsShown
from catalog.formatting import label, said
from catalog.models import AIModel, FieldChange
from catalog.validation import strict_json
from providers.admin import switching
from providers.admin.conflicts import conflicts_page
from providers.models import ProviderModel
from providers.offers import editing
from providers.offers.history import Price, availability, price_history
from providers.sync.diff import OFFER_FIELDS

# The kinds of price that have a line of their own in the form.
LINES = (
    "prompt", "completion", "request", "image", "web_search", "internal_reasoning", "input_cache_read",
    "input_cache_write", "audio",
)  # fmt: skip


class StrictJSONField(forms.JSONField):
    """JSON by the strict parser: what Python's accepts and a database does not store is refused in words."""

    def to_python(self, value: Any) -> Any:
        return strict_json.parse(value) if isinstance(value, str) and value.strip() else super().to_python(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return super().bound_data(data, initial)
        except (ValueError, RecursionError):
            # Text that cannot be parsed is shown again as it was typed.
            return InvalidJSONInput(data)

    def prepare_value(self, value: Any) -> Any:
        """Blank where there is nothing, not the word `null`."""
        return "" if value is None else super().prepare_value(value)


class OfferForm(forms.ModelForm):
    """A provider model, with a line for each kind of price. Only fields that the person changed are written."""

    overrides = StrictJSONField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "json"}),
        help_text="Prices under conditions, per token, as a list; empty where there are none.",
    )

    class Meta:
        model = ProviderModel
        fields = ("display_name", "category", "order", "active", "context_length", "max_output_tokens", "flags")
        widgets = {"flags": forms.Textarea(attrs={"rows": 4, "class": "json"})}
        field_classes = {"flags": StrictJSONField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.pricing
        for name in LINES:
            known = stored.get(name)
            self.fields[f"price_{name}"] = forms.CharField(
                required=False,
                label=pricing.label(name).capitalize(),
                initial=pricing.typed(name, known) if known else "",
                help_text=f"Stored: {known} a token." if known and name in pricing.BY_TOKEN else "",
                max_length=60,
            )
        self.fields["overrides"].initial = stored.get("overrides") or None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        prices = {k: v for k, v in self.instance.pricing.items() if k not in (*LINES, "overrides")}
        for name in LINES:
            if text := data.get(f"price_{name}"):
                self._read(name, text, prices)
        if data.get("overrides"):
            try:
                prices |= pricing.read({"overrides": data["overrides"]})
            except ValidationError as error:
                self.add_error("overrides", error)
        data["pricing"] = prices
        if RELEASE in self.data and self.changed_data:
            named = ", ".join(str(self.fields[name].label or name).lower() for name in self.changed_data)
            raise ValidationError(
                f"Nothing was released: there are changes that are not saved yet ({named}). Save them, or undo them, "
                "and release then.",
                code="unsaved",
            )
        return data

    def _read(self, name: str, text: str, prices: dict[str, Any]) -> None:
        """Adds the price to `prices`. One far from what is stored is refused until it is said to be meant."""
        try:
            price = prices[name] = pricing.normalise(text, per_million=name in pricing.BY_TOKEN)
        except pricing.NotAPrice as error:
            example = "2.50" if name in pricing.BY_TOKEN else "0.01"
            self.add_error(
                f"price_{name}",
                f"This {error}: write USD as a plain number, such as {example}; nothing where it is not known.",
            )
            return
        before = self.instance.pricing.get(name)
        far = pricing.moved_far(before, price) if before else ""
        if far and self.data.get(f"meant_{name}") != price:
            question = format_html(
                'From {} to {}: {}. <label><input type="checkbox" name="meant_{}" value="{}"> This is meant</label>',
                *(pricing.worded(name, before), pricing.worded(name, price), far, name, price),
            )
            self.add_error(f"price_{name}", ValidationError(question, code="far"))

    def wanted(self) -> dict[str, Any]:
        """The values that the person changed, by field."""
        priced = any(name.startswith("price_") or name == "overrides" for name in self.changed_data)
        names = [name for name in self.changed_data if name in OfferForm.Meta.fields]
        values = {name: self.cleaned_data[name] for name in names}
        return values | ({"pricing": self.cleaned_data["pricing"]} if priced else {})


class ProviderModelAdmin(admin.ModelAdmin):
    form = OfferForm
    change_form_template = "admin/providers/providermodel/change_form.html"
    change_list_template = "admin/providers/providermodel/change_list.html"
    list_display = (
        "upstream_id",
        "provider",
        "entry",
        "listing",
        "prices",
        "context",
        "state",
        "order",
    )
    list_filter = ("provider", "listing", "active", "is_listed", "category")
    list_select_related = ("provider", "model")
    search_fields = ("upstream_id", "model__model_id", "model__name", "display_name")
    actions = ("enable_selected", "disable_selected")
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("active", "category", "order", "flags")}),
        ("Upstream says", {"fields": ("display_name", "context_length", "max_output_tokens")}),
        (
            "Price, in USD per million tokens (for one request, image or search where so named)",
            {
                "fields": (*(f"price_{name}" for name in LINES), "overrides"),
                "description": "Empty: not known. 0: free. A price set here stays when upstream's changes.",
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderModel]:
        return super().get_queryset(request).defer("facts", "upstream", "flags", "model__search_text")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        # The price lines are made in the form itself, so the fields of the fieldsets are not all the model's.
        kwargs["fields"] = OfferForm.Meta.fields
        return super().get_form(request, obj, change, **kwargs)

    @admin.display(description="entry", ordering="model__model_id")
    def entry(self, offer: ProviderModel) -> str:
        return offer.model.model_id if offer.model else "-"

    @admin.display(description="$ per million, in / out")
    def prices(self, offer: ProviderModel) -> str:
        return pricing.in_and_out(offer.pricing)

    @admin.display(description="context", ordering="context_length")
    def context(self, offer: ProviderModel) -> str:
        return "" if offer.context_length is None else f"{offer.context_length:,}"

    @admin.display(description="state", ordering="active")
    def state(self, offer: ProviderModel) -> str:
        return offer.state

    def save_model(self, request: HttpRequest, obj: ProviderModel, form: Any, change: bool) -> None:
        if RELEASE in request.POST:
            self._release(request, obj, request.POST[RELEASE])
            return
        # On the stored row, not on what the form has made of `obj`: only what the person changed is written.
        editing.edit(obj, form.wanted(), author_of(request))

    def _release(self, request: HttpRequest, offer: ProviderModel, field: str) -> None:
        """Releases one pinned field. The form itself has no change."""
        try:
            editing.release(offer, field, author_of(request), lambda row: previews.holds(request, *_pins(row)))
            self.message_user(request, f"Handed back to sync: {label(field)}.")
        except NotAsShown:
            self.message_user(request, previews.CHANGED, messages.WARNING)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)

    def response_change(self, request: HttpRequest, obj: ProviderModel) -> HttpResponse:
        if RELEASE in request.POST:
            return HttpResponseRedirect(request.get_full_path())
        return super().response_change(request, obj)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        offer = kwargs.get("obj")
        if offer is not None:
            context["seal"] = previews.seal(request, *_pins(offer))
            context["pins"] = [
                {
                    "name": name,
                    "label": label(name),
                    "ours": said(name, getattr(offer, name)),
                    "upstream": said(name, offer.upstream.get(name)) if name in offer.upstream else "nothing yet",
                }
                for name in OFFER_FIELDS
                if name in offer.pinned_fields
            ]
            subject = offer.model.model_id if offer.model else offer.upstream_id
            history = FieldChange.objects.filter(subject=subject, offered_by=offer.provider.slug)
            context["history"] = history.select_related("user")[:30]
            if offer.model:
                if request.user.has_perm("catalog.view_aimodel"):
                    context["entry_address"] = address_of(offer.model)
                slug = offer.provider.slug
                context["prices"] = [priced(step) for step in price_history(offer.model) if step.provider == slug]
                context["spans"] = [span for span in availability(offer.model) if span.provider == slug]
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[Any]:
        def named(route: str, view: Any, name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"providers_providermodel_{name}")

        return [
            named("bulk", partial(switching.bulk_page, self), "bulk"),
            named("bulk/found", partial(switching.found, self), "found"),
            named("conflicts", partial(conflicts_page, self.admin_site), "conflicts"),
            *super().get_urls(),
        ]

    @admin.action(description="Enable the selected provider models", permissions=["change"])
    def enable_selected(self, request: HttpRequest, queryset: QuerySet[ProviderModel]) -> HttpResponse | None:
        return switching.switch_selected(self, request, queryset, True)

    @admin.action(description="Disable the selected provider models", permissions=["change"])
    def disable_selected(self, request: HttpRequest, queryset: QuerySet[ProviderModel]) -> HttpResponse | None:
        return switching.switch_selected(self, request, queryset, False)


def _pins(offer: ProviderModel) -> tuple[Any, ...]:
    """What the page of an offer shows of its pins, for the seal of what releasing them would do."""
    return "release", offer.pk, [(name, getattr(offer, name), offer.upstream.get(name)) for name in offer.pinned_fields]


def priced(step: Price) -> dict[str, Any]:
    """A step of the price history in words."""
    others = {kind: price for kind, price in step.pricing.items() if kind not in ("prompt", "completion", "overrides")}
    return {
        "since": step.since,
        "prompt": pricing.worded("prompt", step.pricing.get("prompt")),
        "completion": pricing.worded("completion", step.pricing.get("completion")),
        "others": pricing.in_words(others) if others else "",
        "conditions": len(step.pricing.get("overrides", [])),
    }


def _its_offers(request: HttpRequest, subject: view_as.Subject, model: AIModel) -> Iterable[view_as.Mend]:
    if request.user.has_perm("providers.view_providermodel"):
        query = urlencode({"q": model.model_id})
        yield view_as.Mend("Its offers", f"{reverse('admin:providers_providermodel_changelist')}?{query}")


view_as.mends["available"].append(_its_offers)
