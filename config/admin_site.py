"""The admin's site: what holds for every list of it, whichever app registers it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import update_wrapper
from typing import Any, ClassVar

from django.contrib.admin import AdminSite, ModelAdmin, autodiscover, display
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.exceptions import BadRequest, FieldDoesNotExist, PermissionDenied
from django.db.models import F, Model
from django.http import HttpRequest
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.text import capfirst, slugify

_SECRETS = frozenset({"password", "credential", "hint", "lease_token", "session_key", "session_data"})


def _is_secret(name: str) -> bool:
    return name in _SECRETS or name.endswith(("_hash", "_hint"))


class List(ChangeList):
    """A list whose title is what is in it, and that has unknown values last whichever way it is sorted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_popup:
            self.title = capfirst(str(self.opts.verbose_name_plural))

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        found = super().get_ordering(request, queryset)
        return [self._unknown_last(one) for one in found] if ORDER_VAR in self.params else found

    def _unknown_last(self, name: Any) -> Any:
        field = name.removeprefix("-") if isinstance(name, str) else ""
        if field not in {one.name for one in self.lookup_opts.concrete_fields if one.null}:
            return name
        return F(field).desc(nulls_last=True) if name.startswith("-") else F(field).asc(nulls_last=True)


class OnThisSite:
    """What holds for each admin, whichever app brings it."""

    list_per_page = 50

    @display(description=mark_safe('<input type="checkbox" id="action-toggle" aria-label="Select all">'))
    def action_checkbox(self, obj: Model) -> str:
        """As Django's, which renders a template for each row."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="Select {} for an action">',
            ACTION_CHECKBOX_NAME,
            obj.pk,
            obj,
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return List

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> Any:
        """Django's title names nothing."""
        context["title"] = f"Delete the {context['object_name']} {context['object']}?"
        return super().render_delete_form(request, context)  # type: ignore[misc]

    # To filter by a secret, its hash or its hint is refused: yes or no to one character after another tells it.
    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        if any(_is_secret(name) for name in lookup.split("__")):
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[misc]


# The lists of the admin by job, on its first page and in the menu of pages. One that stands in no group follows them.
GROUPS = {
    "Catalog": ("catalog.AIModel", "catalog.CustomModel", "catalog.Tag", "preferences.DefaultModel"),
    "Providers and syncs": ("providers.Provider", "providers.ProviderModel", "providers.SyncRun"),
    "People and keys": (
        "auth.User", "auth.Group", "catalog.AccessGrant", "apikeys.ApiKey", "apikeys.ExportToken", "waffle.Flag",
    ),
    "Log": ("axes.AccessLog", "axes.AccessAttempt", "axes.AccessFailureLog"),
}  # fmt: skip

# What the one log tells: their own lists stand on its page.
IN_THE_LOG = ("catalog.FieldChange", "catalog.AuditEntry")

# Each word of a search is a condition on each field that is searched.
_MAX_WORDS = 20


class Site(AdminSite):
    # Pages that belong to no list: (route, view, name). Apps add theirs.
    pages: ClassVar[list[tuple[str, Any, str]]] = []

    def check(self, app_configs: Any) -> list[Any]:
        autodiscover()
        return super().check(app_configs)

    def get_urls(self) -> list[Any]:
        own = [path(route, self.admin_view(view), name=name) for route, view, name in self.pages]
        return [*own, *super().get_urls()]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Refuses a search of more words than the database should be asked for."""

        def bounded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if any(len(request.GET.get(name, "").split()) > _MAX_WORDS for name in ("q", "term")):
                raise BadRequest(f"A search has at most {_MAX_WORDS} words.")
            return view(request, *args, **kwargs)

        return super().admin_view(update_wrapper(bounded, view), cacheable)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The lists that the person may open, by job. Those of one app alone stay as Django has them."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        lists = {f"{app['app_label']}.{one['object_name']}": one for app in apps for one in app["models"]}
        may_read_the_log = any([lists.pop(one, None) for one in IN_THE_LOG])
        groups: list[Any] = [
            {"name": name, "app_label": slugify(name), "models": [lists.pop(one) for one in members if one in lists]}
            for name, members in GROUPS.items()
        ]
        if may_read_the_log:
            address = reverse("admin:log")
            log = {"name": "All that was done", "object_name": "Log", "admin_url": address, "view_only": True}
            groups[-1]["models"].insert(0, log)
        groups.append({"name": "More", "app_label": "more", "models": list(lists.values())})
        return [group for group in groups if group["models"]]

    def autocomplete_view(self, request: HttpRequest) -> Any:
        """Refuses a relation that has no field to find its rows by, as Django does one that is none."""
        try:
            return super().autocomplete_view(request)
        except FieldDoesNotExist as error:
            raise PermissionDenied from error

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: type[ModelAdmin] | None = None,
        **options: Any,
    ) -> None:
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        # Who may write a link of single sign-on could sign in as anybody.
        models = [model for model in models if model._meta.app_label not in ("account", "socialaccount")]
        shown: Any = admin_class or ModelAdmin
        guarded = type(shown)(shown.__name__, (OnThisSite, shown), {"__module__": shown.__module__})
        super().register(models, guarded, **options)


class SiteConfig(SimpleAdminConfig):
    default_site = "config.admin_site.Site"
