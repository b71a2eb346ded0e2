"""The admin of providers: settings, credential, connection test, sync and dry run."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import path, resolve, reverse
from django.utils.html import format_html
from django.utils.timesince import timesince

from catalog.access import rights
from catalog.admin.audited import author_of
from catalog.admin.once import MadeOnce
from catalog.editing.history import Author, audit
from catalog.formatting import counted
from config.api import base_urls
from providers import adapters
from providers.admin import run_tables
from providers.client.addresses import check_url
from providers.client.errors import UpstreamError
from providers.client.http import Limits, UpstreamClient
from providers.connection import credentials, endpoints
from providers.connection.sealing import CredentialError
from providers.models import Provider, SyncRun
from providers.offers import deletion
from providers.offers.bulk import recompute
from providers.reading import claims
from providers.reading.reader import Reader
from providers.sync import background
from providers.sync.lease import AlreadyRunning
from providers.sync.run import preview

# A page waits for an upstream no longer than this, in seconds.
TEST_LIMITS = Limits(connect=3.0, read=5.0, total=8.0, attempts=1)
DRY_RUN_CHANGES = 500
AUDITED = ("slug", "name", "kind", "base_url", "precedence", "is_active", "new_models_active")


class ProviderForm(forms.ModelForm):
    """`rights` are those of the person who edits; the admin sets them for each request."""

    rights: rights.Rights
    kind = forms.ChoiceField(
        choices=[
            (kind, f"{adapter.title}, such as {adapter.default_base_url or adapter.example}")
            for kind, adapter in adapters.ADAPTERS.items()
        ],
        help_text="Whose API it speaks, with an example of its address.",
    )
    new_credential = forms.CharField(
        required=False,
        strip=True,
        max_length=4096,
        label="Credential",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}, render_value=False),
    )
    forget_credential = forms.BooleanField(required=False, label="Forget the stored credential")

    class Meta:
        model = Provider
        fields = (
            "slug",
            "name",
            "kind",
            "base_url",
            "precedence",
            "is_active",
            "new_models_active",
            "new_models_groups",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row: Provider = self.instance
        if row.credential:
            stored = f"Stored: {row.credential_hint}, for {row.credential_origin}. Empty keeps it."
        else:
            stored = "None is stored; the environment's is used where there is one for this kind of provider."
        self.fields["new_credential"].help_text = f"{stored} It is encrypted, and never shown again."

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        row: Provider = self.instance
        kind, url = data.get("kind", ""), data.get("base_url", "")
        if url and (problem := base_urls.problem_of(url)):
            self.add_error("base_url", f"The address {problem}.")
        elif url and kind:
            trusted = endpoints.trusted_for(Provider(kind=kind))
            try:
                check_url(url, settings.PROVIDER_ALLOWED_HOSTS, trusted)
            except UpstreamError as error:
                self.add_error("base_url", error.message)
        elif kind and not endpoints.default(kind):
            self.add_error("base_url", "This kind of provider has no address of its own: enter one.")
        if row.pk and self.initial.get("slug") not in (None, data.get("slug")) and row.offers.exists():
            self.add_error(
                "slug", "The ids of its models begin with it: delete this provider, and add it under the other."
            )
        slug = data.get("slug")
        if slug and slug != self.initial.get("slug") and resolve(f"/api/models/{slug}/model").url_name != "model":
            self.add_error("slug", f"Below /api/models/{slug}/ is something else than models: choose another slug.")
        self._check_claim(data)
        self._check_groups(data)
        if data.get("new_credential") and data.get("forget_credential"):
            self.add_error("forget_credential", "Either enter a new one or forget the stored one.")
        return data

    def _check_groups(self, data: dict[str, Any]) -> None:
        """Refuses to show new models to people whom this person may not show models to."""
        before = set(self.instance.new_models_groups.all()) if self.instance.pk else set()
        after = set(data.get("new_models_groups") or ())
        if self.rights.is_superuser or before == after:
            return
        beyond = (after - before) - set(self.rights.givable_groups())
        if before - after:
            # Without a group they arrive for all.
            beyond |= {group for group in before if group.pk not in self.rights.sight.groups}
        if beyond:
            names = ", ".join(sorted(map(str, beyond)))
            self.add_error("new_models_groups", f"Who sees new models is for members of {names} to decide.")

    def _check_claim(self, data: dict[str, Any]) -> None:
        """Refuses a slug under which others have entries, for a provider that is new or would be active."""
        row: Provider = self.instance
        slug, kind = data.get("slug"), data.get("kind")
        if not slug or not kind or (row.pk and not data.get("is_active")):
            return
        claimant = Provider(pk=row.pk, slug=slug, kind=kind)
        again = "It can stay switched off; to use it, delete it and add it under another slug."
        way_out = again if row.pk else "Add it under a slug of its own."
        if other := claims.rival(claimant):
            self.add_error(
                "slug" if not row.pk or slug != self.initial.get("slug") else "is_active",
                f"The ids that begin with {slug}/ are those of {other}: this provider would touch them. {way_out}",
            )
        elif model_id := claims.foreign_entry(claimant):
            way_out = again if row.pk else "Add it under a slug without models."
            self.add_error("slug", f"There is a model {model_id} already. {way_out}")


class ProviderAdmin(MadeOnce):
    form = ProviderForm
    change_form_template = "admin/providers/provider/change_form.html"
    list_display = ("slug", "name", "kind_in_words", "precedence", "is_active", "listed", "freshness", "last_run")
    list_filter = ("kind", "is_active")
    search_fields = ("slug", "name")
    # Providers are deleted one at a time, from a page that shows what becomes unavailable.
    actions = None
    filter_horizontal = ("new_models_groups",)
    fieldsets = (
        (None, {"fields": ("slug", "name", "kind", "base_url", "is_active", "precedence")}),
        ("Credential", {"fields": ("new_credential", "forget_credential")}),
        ("New models", {"fields": ("new_models_active", "new_models_groups")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        last = SyncRun.objects.filter(provider=OuterRef("pk")).order_by("-pk")
        return (
            super()
            .get_queryset(request)
            .annotate(
                listed_count=Count("offers", filter=Q(offers__is_listed=True)),
                last_state=Subquery(last.values("state")[:1]),
                last_decision=Subquery(last.values("decision")[:1]),
                last_run_pk=Subquery(last.values("pk")[:1]),
            )
        )

    @admin.display(description="kind", ordering="kind")
    def kind_in_words(self, row: Provider) -> str:
        adapter = adapters.ADAPTERS.get(row.kind)
        return adapter.title if adapter else row.kind

    @admin.display(description="models listed")
    def listed(self, row: Any) -> int:
        return row.listed_count

    @admin.display(description="last success", ordering="last_success_at")
    def freshness(self, row: Provider) -> str:
        return f"{timesince(row.last_success_at, depth=1)} ago" if row.last_success_at else "never"

    @admin.display(description="last run")
    def last_run(self, row: Any) -> str:
        if row.last_run_pk is None:
            return "-"
        outcome = SyncRun(state=row.last_state, decision=row.last_decision).outcome.lower()
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:providers_syncrun_change", args=[row.last_run_pk]), outcome
        )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.rights = rights.of(request)
        return form

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        provider = form.instance
        before = sorted(map(str, provider.new_models_groups.all()))
        super().save_related(request, form, formsets, change)
        after = sorted(map(str, provider.new_models_groups.all()))
        if before != after:
            audit(author_of(request), provider, "change", {"new_models_groups": [before, after]})

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        before = Provider.objects.filter(pk=obj.pk).values(*AUDITED).first() or {}
        secret, forget = form.cleaned_data.get("new_credential"), form.cleaned_data.get("forget_credential")
        if secret:
            credentials.store(obj, secret)
        elif forget:
            credentials.forget(obj)
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            changes = {n: [before.get(n), getattr(obj, n)] for n in AUDITED if before.get(n) != getattr(obj, n)}
            if secret or forget:
                changes["credential"] = ["", "entered" if secret else "forgotten"]
            if changes:
                audit(author_of(request), obj, "change" if change else "add", changes)
        if change and before and {"precedence", "is_active"} & set(changes):
            count = recompute(obj, Author.person(request.user))
            self.message_user(request, f"{counted(count, 'entry follows', 'entries follow')} in the catalog.")

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Shows what a deletion would do, where that is asked for, and does exactly that when it is confirmed."""
        if not self.has_delete_permission(request):
            raise PermissionDenied
        provider = self.get_object(request, unquote(object_id))
        if provider is None:
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "title": f"Delete the provider {provider.slug}?",
            "provider": provider,
            "opts": self.opts,
        }
        if request.method != "POST":
            return render(
                request, "admin/providers/provider/delete.html", context | {"offers": provider.offers.count()}
            )
        confirmed = request.POST.get("confirmed", "")
        found = deletion.delete(provider, author_of(request), confirmed)
        if confirmed == found.digest:
            self.message_user(
                request,
                f"{provider.slug} is deleted with {counted(found.offers, 'offer')}; "
                f"{counted(len(found.unavailable), 'entry', 'entries')} became unavailable, "
                f"{counted(len(found.available), 'stays', 'stay')} available.",
                messages.SUCCESS,
            )
            return HttpResponseRedirect(reverse("admin:providers_provider_changelist"))
        if confirmed:
            self.message_user(
                request, "What would be deleted is not what it was. Look again before you go on.", messages.WARNING
            )
        return render(request, "admin/providers/provider/delete.html", context | {"deletion": found})

    def get_urls(self) -> list[Any]:
        def named(route: str, view: Any, name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"providers_provider_{name}")

        return [
            named("<int:pk>/test", self.test_view, "test"),
            named("<int:pk>/sync", self.sync_view, "sync"),
            named("<int:pk>/dry-run", self.dry_run_view, "dry_run"),
            *super().get_urls(),
        ]

    def _posted(self, request: HttpRequest, pk: int) -> Provider:
        """The provider that a button was pressed for. Raises PermissionDenied."""
        if request.method != "POST" or not request.user.has_perm("providers.sync_provider"):
            raise PermissionDenied
        return get_object_or_404(Provider, pk=pk)

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        provider = self._posted(request, pk)
        client = UpstreamClient(settings.PROVIDER_ALLOWED_HOSTS, TEST_LIMITS, endpoints.trusted_for(provider))
        try:
            self.message_user(request, Reader(provider, client).probe(), messages.SUCCESS)
        except (UpstreamError, CredentialError) as error:
            self.message_user(request, f"The test failed. {error}", messages.ERROR)
        return HttpResponseRedirect(reverse("admin:providers_provider_change", args=[pk]))

    def sync_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        provider = self._posted(request, pk)
        try:
            run = background.start(provider, request.user)
        except AlreadyRunning as error:
            self.message_user(request, str(error), messages.WARNING)
            run = provider.runs.filter(state=SyncRun.State.RUNNING).first()
        if run is None:
            return HttpResponseRedirect(reverse("admin:providers_syncrun_changelist") + f"?provider__id__exact={pk}")
        return HttpResponseRedirect(reverse("admin:providers_syncrun_change", args=[run.pk]))

    def dry_run_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        provider = self._posted(request, pk)
        outcome = preview(provider)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Dry run of {provider.slug}: nothing was written",
            "provider": provider,
            "outcome": outcome,
            "changes": outcome.changes[:DRY_RUN_CHANGES],
            "more": max(0, len(outcome.changes) - DRY_RUN_CHANGES),
            "new": run_tables.of_offers(outcome.new_offers),
            "faults": run_tables.faults(outcome.problems),
            "opts": self.opts,
        }
        return render(request, "admin/providers/provider/dry_run.html", context)
