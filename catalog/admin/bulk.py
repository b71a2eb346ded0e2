"""Actions on many AI models: what is asked for, a page that shows what it would do, then the change and its counts.

The preview is the change itself, made and taken back: it cannot tell anything else than what will happen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from catalog import audience, changes, custom, flags, rights
from catalog.admin.audited import author_of
from catalog.admin.entry_form import shown
from catalog.admin.inputs import TagNames
from catalog.changes import Author
from catalog.models import AccessGrant, AIModel, FieldChange

# How many models a preview names; it counts them all.
SHOWN = 100

# How many models one action takes: a statement of SQLite names no more than some 32,000 values.
MOST = 20_000


class Nothing(forms.Form):
    """An action that asks for nothing more."""


class TagsForm(forms.Form):
    tags = TagNames(label="Tags", help_text="One a line. New ones are made when tagging.")

    def clean_tags(self) -> list[str]:
        if not self.cleaned_data["tags"]:
            raise ValidationError("Name at least one tag.")
        return self.cleaned_data["tags"]


class GroupForm(forms.Form):
    group = forms.ModelChoiceField(Group.objects.order_by("name"))
    permission = forms.ChoiceField(
        choices=AccessGrant.Permission.choices,
        help_text="Models that were open to all are then only for those granted.",
    )


class FlagForm(forms.Form):
    flag = forms.ChoiceField(required=False, help_text="Only those who hold it will see these models.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["flag"]
        field.choices = [("", "No flag: nothing is required"), *((n, n) for n in flags.names())]


class BaseForm(forms.Form):
    base = forms.CharField(
        label="Base model", help_text="The id of the model that these are built on from now on.", max_length=255
    )

    def clean_base(self) -> AIModel:
        found = AIModel.objects.filter(model_id=self.cleaned_data["base"]).first()
        if found is None:
            raise ValidationError("There is no model with this id.")
        return found


@dataclass(frozen=True, slots=True)
class Bulk:
    """One action: `apply` takes the rows, the form's values and the author, and returns how many rows changed."""

    name: str
    label: str
    # Said before and after: "would be {done}", "were {done}".
    done: str
    apply: Callable[[Any, Mapping[str, Any], Author], int]
    form: type[forms.Form] = Nothing
    # Whether somebody could lose sight of a model by it.
    narrows: bool = False
    # Whether somebody could gain sight of a model by it, which only who sees it gives.
    opens: bool = False
    # Permissions beyond that to change models.
    permissions: tuple[str, ...] = ()

    @property
    def verb(self) -> str:
        return self.label.rstrip("…")


def _switch(field: str, value: Any) -> Callable[[Any, Mapping[str, Any], Author], int]:
    return lambda rows, values, author: changes.switch(rows, field, value, author)


ENTRY_ACTIONS: tuple[Bulk, ...] = (
    Bulk("activate", "Activate…", "activated", _switch("active", True)),
    Bulk("deactivate", "Deactivate…", "deactivated", _switch("active", False), narrows=True),
    Bulk("hide", "Hide…", "hidden", _switch("hidden", True), narrows=True),
    Bulk("show", "Show…", "shown", _switch("hidden", False)),
    Bulk(
        "tag",
        "Tag…",
        "tagged",
        lambda rows, values, author: changes.retag(rows, author, add=values["tags"]),
        TagsForm,
    ),
    Bulk(
        "untag",
        "Untag…",
        "untagged",
        lambda rows, values, author: changes.retag(rows, author, remove=values["tags"]),
        TagsForm,
    ),
    Bulk(
        "grant",
        "Grant to a group…",
        "granted",
        lambda rows, values, author: changes.grant_group(rows, values["group"], values["permission"], author),
        GroupForm,
        narrows=True,
        opens=True,
        permissions=("catalog.add_accessgrant", "catalog.change_accessgrant"),
    ),
    Bulk(
        "require_flag",
        "Require a flag…",
        "given this requirement",
        lambda rows, values, author: changes.switch(rows, "requires_feature_flag", values["flag"], author),
        FlagForm,
        narrows=True,
        opens=True,
    ),
    Bulk(
        "release",
        "Release pins…",
        "released",
        lambda rows, values, author: changes.release_all(rows, author),
    ),
)

CUSTOM_ACTIONS: tuple[Bulk, ...] = (
    ENTRY_ACTIONS[0],
    ENTRY_ACTIONS[1],
    Bulk(
        "rebase",
        "Build upon another base…",
        "built upon it",
        lambda rows, values, author: custom.repoint(rows.order_by("pk"), values["base"], author),
        BaseForm,
        narrows=True,
    ),
)


@dataclass(slots=True)
class Preview:
    """What a change would do: how many rows of how many, which of them, and who would lose sight of them."""

    checked: int
    changed: int
    examples: list[FieldChange]
    more: bool
    loss: audience.Loss | None
    digest: str

    @property
    def unchanged(self) -> int:
        return self.checked - self.changed


def attempt(bulk: Bulk, keys: list[int], values: Mapping[str, Any], author: Author, confirmed: str) -> Preview:
    """Makes the change, and takes it back unless it is the one that was `confirmed`: the digest of what was shown.

    Raises ValidationError where it is refused.
    """
    with transaction.atomic():
        before = audience.of(keys) if bulk.narrows else None
        last = FieldChange.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        changed = bulk.apply(AIModel.objects.filter(pk__in=keys), values, author)
        made = FieldChange.objects.filter(pk__gt=last).exclude(field="restricted", new=True).order_by("pk")
        examples = list(made[: SHOWN + 1])
        loss = audience.loss(before, audience.of(keys)) if before is not None else None
        # What was shown, so that a confirmation holds for nothing else.
        told = (bulk.name, keys, changed, loss and (loss.users, loss.anybody))
        digest = hashlib.blake2b(repr(told).encode(), digest_size=16).hexdigest()
        if digest != confirmed:
            transaction.set_rollback(True)
    for row in examples:
        row.told = (shown(row.old), shown(row.new))  # type: ignore[attr-defined]
    return Preview(len(keys), changed, examples[:SHOWN], len(examples) > SHOWN, loss, digest)


def _refuse_unseen(request: HttpRequest, keys: list[int]) -> None:
    """Raises ValidationError naming models of which who asks does not see, and so does not decide who does."""
    if unseen := rights.of(request).unseen_of(keys):
        more = f" and {len(unseen) - 5} more" if len(unseen) > 5 else ""
        raise ValidationError(
            f"You do not see these models yourself, so you do not decide who does: {', '.join(unseen[:5])}{more}."
        )


def run(model_admin: Any, request: HttpRequest, queryset: Any, bulk: Bulk) -> HttpResponse | None:
    """Asks, shows, then applies: which, the request tells by what it holds."""
    if not request.user.has_perms(bulk.permissions):
        raise PermissionDenied
    # Of the list's own queryset only which rows: its joins and its order are for showing.
    # They are named once: an action may change what the filter matches.
    keys = list(queryset.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
    if len(keys) > MOST:
        model_admin.message_user(request, f"At most {MOST} models at once; narrow the filter.", messages.ERROR)
        return None
    asked = bulk.form is Nothing or "_asked" in request.POST
    form = bulk.form(request.POST if asked else None)
    found: Preview | None = None
    if asked and form.is_valid():
        try:
            if bulk.opens:
                _refuse_unseen(request, keys)
            confirmed = request.POST.get("_confirmed", "")
            found = attempt(bulk, keys, form.cleaned_data, author_of(request), confirmed)
            if confirmed == found.digest:
                rest, changed = found.unchanged, found.changed
                model_admin.message_user(
                    request,
                    f"{changed} of {found.checked} {'was' if changed == 1 else 'were'} {bulk.done}"
                    + (f"; {rest} stayed as {'it was' if rest == 1 else 'they were'}." if rest else "."),
                    messages.SUCCESS,
                )
                return None
            if confirmed:
                model_admin.message_user(
                    request, "What would change is not what it was. Look again before you go on.", messages.WARNING
                )
        except ValidationError as error:
            form.add_error(None, error.messages)
    count = len(keys)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"{bulk.label.rstrip('…')}: {count} {'model' if count == 1 else 'models'}",
        "opts": model_admin.opts,
        "bulk": bulk,
        "form": form,
        "count": count,
        "preview": found,
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "back": request.get_full_path(),
        "media": model_admin.media,
    }
    return TemplateResponse(request, "admin/catalog/bulk.html", context)


def as_action(bulk: Bulk) -> tuple[Callable[..., Any], str, str]:
    """The action as Django's admin keeps it: function, name, description."""

    def action(model_admin: Any, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return run(model_admin, request, queryset, bulk)

    return action, bulk.name, bulk.label
