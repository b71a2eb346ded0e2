"""Many provider models switched on or off: the page of the four patterns, and the actions of the list.

Both first show what would change, whom it takes something from, and change exactly that.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers, widgets
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from catalog.admin import previews
from catalog.admin.audited import author_of
from catalog.editing.entries import NotAsShown
from catalog.models import AIModel
from catalog.validation.text import fold
from providers.models import Provider, ProviderModel
from providers.offers.bulk import Counts, Offer, UnknownIds, preview, preview_these, switch, switch_these
from providers.offers.effects import SwitchEffect, effect

SHOWN = 200
FOUND_A_PAGE = 20


class OfferedModels(widgets.AutocompleteSelectMultiple):
    """Finds entries that have offers; with the form's provider (bulk.js), only those that it offers."""

    class Media:
        js = ("providers/bulk.js",)

    def get_url(self) -> str:
        return reverse("admin:providers_providermodel_found")


class BulkForm(forms.Form):
    """The four patterns: enable or disable, all or all but some, of every provider or of one."""

    what = forms.ChoiceField(
        choices=(("enable", "Enable"), ("disable", "Disable")), widget=forms.RadioSelect, label="Do what"
    )
    provider = forms.ModelChoiceField(Provider.objects.all(), required=False, empty_label="every provider")
    chosen = forms.ModelMultipleChoiceField(
        AIModel.objects.all(), required=False, label="All except", help_text="Found by id or name."
    )
    pasted = forms.CharField(
        required=False,
        label="And except",
        widget=forms.Textarea(attrs={"rows": 6, "cols": 60}),
        help_text="Catalog ids or upstream ids, one a line. Empty: none are excepted.",
    )
    ignore_unknown = forms.BooleanField(required=False, label="Ignore ids that no provider model has")

    def __init__(self, site: admin.AdminSite, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = ProviderModel._meta.get_field("model")
        self.fields["chosen"].widget = OfferedModels(field, site)
        self.fields["chosen"].widget.choices = self.fields["chosen"].choices  # type: ignore[attr-defined]

    def wanted(self) -> dict[str, Any]:
        """The arguments of the switch."""
        pasted = [line.strip() for line in self.cleaned_data["pasted"].splitlines() if line.strip()]
        return {
            "provider": self.cleaned_data["provider"],
            "exclude": [*(model.model_id for model in self.cleaned_data["chosen"]), *pasted],
            "ignore_unknown": self.cleaned_data["ignore_unknown"],
        }

    def shown(self) -> tuple[Any, ...]:
        """The choices of the form, for the seal of its preview."""
        wanted = self.wanted()
        provider = wanted["provider"].pk if wanted["provider"] else None
        return "bulk switch", self.cleaned_data["what"], provider, sorted(wanted["exclude"]), wanted["ignore_unknown"]

    def refuse(self, error: UnknownIds) -> None:
        """Says each unknown id at the field that it stands in."""
        chosen = {model.model_id for model in self.cleaned_data["chosen"]}
        provider = self.cleaned_data["provider"]
        for field, ids in (
            ("chosen", [one for one in error.ids if one in chosen]),
            ("pasted", [one for one in error.ids if one not in chosen]),
        ):
            more = f" And {len(ids) - SHOWN} more." if len(ids) > SHOWN else ""
            told = [f"No provider model{f' of {provider}' if provider else ''}: {error.worded(one)}" for one in ids]
            if told:
                self.add_error(field, ValidationError([*told[:SHOWN], *filter(None, [more])]))


def found(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """What the picker of the form asks for."""
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    rows = AIModel.objects.filter(offers__isnull=False)
    if (provider := request.GET.get("provider", "")).isdecimal() and len(provider) < 19:
        rows = rows.filter(offers__provider=int(provider))
    for word in fold(request.GET.get("term", "")).split():
        rows = rows.filter(search_text__contains=word)
    page = Paginator(rows.order_by("model_id").values_list("pk", "model_id").distinct(), FOUND_A_PAGE).get_page(
        request.GET.get("page")
    )
    results = [{"id": str(pk), "text": model_id} for pk, model_id in page]
    return JsonResponse({"results": results, "pagination": {"more": page.has_next()}})


def bulk_page(model_admin: Any, request: HttpRequest) -> HttpResponse:
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    form = BulkForm(model_admin.admin_site, request.POST or None)
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "title": "Enable or disable provider models",
        "opts": model_admin.opts,
        "form": form,
        "media": model_admin.media + form.media,
    }
    if request.method == "POST" and form.is_valid():
        enable, wanted = form.cleaned_data["what"] == "enable", form.wanted()
        try:
            if "apply" in request.POST:
                try:
                    agreed = _agreed(request, enable, *form.shown())
                    counts = switch(enable, author_of(request), agreed=agreed, **wanted)
                except NotAsShown:
                    model_admin.message_user(request, previews.CHANGED, messages.WARNING)
                else:
                    _tell(model_admin, request, counts)
                    return HttpResponseRedirect(reverse("admin:providers_providermodel_changelist"))
            context |= {"previewed": True} | _previewed(request, enable, preview(enable, **wanted), *form.shown())
        except UnknownIds as error:
            form.refuse(error)
    return render(request, "admin/providers/providermodel/bulk.html", context)


def switch_selected(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[ProviderModel], enable: bool
) -> HttpResponse | None:
    """Shows what would change first; changes exactly that when the page is confirmed."""
    keys = sorted(queryset.order_by().values_list("pk", flat=True))
    act = ("switch selected", enable, keys)
    if "apply" in request.POST:
        try:
            agreed = _agreed(request, enable, *act)
            counts = switch_these(keys, enable, author_of(request), agreed=agreed)
        except NotAsShown:
            model_admin.message_user(request, previews.CHANGED, messages.WARNING)
        else:
            _tell(model_admin, request, counts)
            return None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"{'Enable' if enable else 'Disable'} provider models",
        "opts": model_admin.opts,
        "action": request.POST["action"],
        "selected": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "checkbox": helpers.ACTION_CHECKBOX_NAME,
        "back": request.get_full_path(),
        **_previewed(request, enable, preview_these(keys, enable), *act),
    }
    return render(request, "admin/providers/providermodel/switch.html", context)


def _tell(model_admin: Any, request: HttpRequest, counts: Counts) -> None:
    told = f"{counts.updated} updated, {counts.skipped} skipped, {counts.checked} checked."
    model_admin.message_user(request, told, messages.SUCCESS)


def _agreed(request: HttpRequest, enable: bool, *act: Any) -> Any:
    return lambda counts, changing: previews.holds(request, *act, *_shown(counts, changing, effect(changing, enable)))


def _previewed(request: HttpRequest, enable: bool, found: tuple[Counts, list[Offer]], *act: Any) -> dict[str, Any]:
    """What the page shows of it."""
    counts, changing = found
    comes_to = effect(changing, enable)
    gone = set(comes_to.gone)
    lines = [
        {
            "offer": offer,
            "others": comes_to.others.get(offer.model.pk, ()) if offer.model else (),
            "gone": offer.model is not None and offer.model.model_id in gone,
        }
        for offer in changing[:SHOWN]
    ]
    return {
        "counts": counts,
        "changing": changing[:SHOWN],
        "lines": lines,
        "more": max(0, len(changing) - SHOWN),
        "verb": "enabled" if enable else "disabled",
        "effect": comes_to,
        "seal": previews.seal(request, *act, *_shown(counts, changing, comes_to)),
        "reason": request.POST.get("_reason", ""),
    }


def _shown(counts: Counts, changing: list[Offer], comes_to: SwitchEffect) -> tuple[Any, ...]:
    """What a preview of a switch shows, for its seal."""
    loss = comes_to.loss
    told = loss and (loss.users, loss.keys, loss.anybody)
    return counts.checked, [offer.pk for offer in changing], comes_to.gone, comes_to.come, comes_to.stay, told
