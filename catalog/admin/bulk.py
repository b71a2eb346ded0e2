"""Actions on many AI models: a form for what they need, a preview of what they would do, the change and its counts.

The preview is the change itself, rolled back, so that it always matches what happens on confirmation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from catalog import flags
from catalog.access import audience, rights
from catalog.admin import previews
from catalog.admin.audited import author_of
from catalog.admin.inputs import TagNames
from catalog.editing import bulk as editing
from catalog.editing import custom_models, grants
from catalog.editing.history import Author
from catalog.formatting import counted, describe
from catalog.models import AccessGrant, AIModel, FieldChange
from catalog.models.history import REASON

# How many models a preview names; it counts them all.
SHOWN = 100

# How many models one action takes: a statement of SQLite names no more than some 32,000 values.
MOST = 20_000


# The keys of the rows that an action is for, each with the key of the model that it is about.
Rows = dict[int, int]


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


class PermissionForm(forms.Form):
    permission = forms.ChoiceField(choices=AccessGrant.Permission.choices)


class ChosenFlagForm(forms.Form):
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
    # In the sentences before and after: "would be {done}", "were {done}".
    done: str
    apply: Callable[[Any, Mapping[str, Any], Author], int]
    # One without fields where the action needs no values.
    form: type[forms.Form] = forms.Form
    # Whether somebody may lose sight of a model by it.
    narrows: bool = False
    # Which of these models somebody may gain sight of by it: only those who see a model may give that.
    opens: Callable[[Iterable[int]], Iterable[int]] = lambda models: ()
    # A sentence on why this person may not do it to these rows, or "".
    refuses: Callable[[rights.Rights, list[int], Mapping[str, Any]], str] = lambda own, keys, values: ""
    # Permissions beyond that to change models.
    permissions: tuple[str, ...] = ()
    # The model whose rows are chosen.
    rows: type[Model] = AIModel

    @property
    def verb(self) -> str:
        return self.label.rstrip("…")

    def noun(self, count: int) -> str:
        return counted(count, "grant" if self.rows is AccessGrant else "model")

    @property
    def of_model(self) -> str:
        """The name of the key of the model that a chosen row is about."""
        return "pk" if self.rows is AIModel else "model_id"


def _switch(field: str, value: Any) -> Callable[[Any, Mapping[str, Any], Author], int]:
    return lambda rows, values, author: editing.switch(rows, field, value, author)


def _all(models: Iterable[int]) -> Iterable[int]:
    return models


def _aliases_pinned(models: Iterable[int]) -> Iterable[int]:
    """Those that may become visible to more people where upstream's value of `alias_of` is taken."""
    pinned = AIModel.objects.filter(pk__in=models).order_by().values_list("pk", "pinned_fields")
    return [pk for pk, fields in pinned if "alias_of" in fields]


def _refuse_write(own: rights.Rights, keys: list[int], values: Mapping[str, Any]) -> str:
    if values["permission"] != AccessGrant.Permission.WRITE:
        return ""
    return own.to_give_write(AIModel.objects.filter(grants__in=keys))


ENTRY_ACTIONS: tuple[Bulk, ...] = (
    Bulk("activate", "Activate…", "activated", _switch("active", True)),
    Bulk("deactivate", "Deactivate…", "deactivated", _switch("active", False), narrows=True),
    Bulk("hide", "Hide…", "hidden", _switch("hidden", True), narrows=True),
    Bulk("show", "Show…", "shown", _switch("hidden", False)),
    Bulk(
        "tag",
        "Tag…",
        "tagged",
        lambda rows, values, author: editing.retag(rows, author, add=values["tags"]),
        TagsForm,
    ),
    Bulk(
        "untag",
        "Untag…",
        "untagged",
        lambda rows, values, author: editing.retag(rows, author, remove=values["tags"]),
        TagsForm,
    ),
    Bulk(
        "grant",
        "Grant to a group…",
        "granted",
        lambda rows, values, author: editing.grant_group(rows, values["group"], values["permission"], author),
        GroupForm,
        narrows=True,
        opens=_all,
        permissions=("catalog.add_accessgrant", "catalog.change_accessgrant"),
    ),
    Bulk(
        "require_flag",
        "Require a flag…",
        "given this requirement",
        lambda rows, values, author: editing.switch(rows, "requires_feature_flag", values["flag"], author),
        ChosenFlagForm,
        narrows=True,
        opens=_all,
    ),
    Bulk(
        "release",
        "Release pins…",
        "released",
        lambda rows, values, author: editing.release_all(rows, author),
        opens=_aliases_pinned,
    ),
)

CUSTOM_ACTIONS: tuple[Bulk, ...] = (
    ENTRY_ACTIONS[0],
    ENTRY_ACTIONS[1],
    Bulk(
        "rebase",
        "Build upon another base…",
        "built upon it",
        lambda rows, values, author: custom_models.repoint(rows.order_by("pk"), values["base"], author),
        BaseForm,
        narrows=True,
        opens=_all,
    ),
)


GRANT_ACTIONS: tuple[Bulk, ...] = (
    Bulk(
        "take",
        "Take away…",
        "taken away",
        lambda rows, values, author: grants.take(rows, author),
        narrows=True,
        permissions=("catalog.delete_accessgrant",),
        rows=AccessGrant,
    ),
    Bulk(
        "permit",
        "Change what it permits…",
        "changed",
        lambda rows, values, author: grants.permit(rows, values["permission"], author),
        PermissionForm,
        opens=_all,
        refuses=_refuse_write,
        permissions=("catalog.change_accessgrant",),
        rows=AccessGrant,
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
    # Over all that the preview shows: a confirmation with another seal is refused.
    seal: str

    @property
    def unchanged(self) -> int:
        return self.checked - self.changed


def attempt(
    bulk: Bulk, rows: Rows, values: Mapping[str, Any], author: Author, seal: Callable[[Any], str], confirmed: str
) -> Preview:
    """Makes the change, and rolls it back unless `confirmed` is the seal of exactly this change.

    Raises ValidationError where the change is refused.
    """
    keys, models = [*rows], {*rows.values()}
    with transaction.atomic():
        before = audience.of(models) if bulk.narrows else None
        last = FieldChange.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        changed = bulk.apply(bulk.rows._default_manager.filter(pk__in=keys), values, author)
        history = FieldChange.objects.filter(pk__gt=last).exclude(field="restricted", new=True).exclude(field=REASON)
        made = list(history.order_by("pk"))
        loss = audience.loss(before, audience.again(before)) if before is not None else None
        effect = [(row.subject, row.field, row.old, row.new) for row in made]
        sealed = seal([keys, changed, effect, loss and (loss.users, loss.keys, loss.anybody)])
        if sealed != confirmed:
            transaction.set_rollback(True)
    describe(made[:SHOWN])
    return Preview(len(keys), changed, made[:SHOWN], len(made) > SHOWN, loss, sealed)


def _refuse_unseen(request: HttpRequest, keys: Iterable[int]) -> None:
    """Raises ValidationError that names those of the models that this person does not see themselves."""
    if unseen := rights.of(request).unseen_of(list(keys)):
        more = f" and {len(unseen) - 5} more" if len(unseen) > 5 else ""
        raise ValidationError(
            f"You do not see these models yourself, so you do not decide who does: {', '.join(unseen[:5])}{more}."
        )


def run(model_admin: Any, request: HttpRequest, queryset: Any, bulk: Bulk) -> HttpResponse | None:
    """Shows the form, then the preview, then applies the change: the fields of the request say which step it is."""
    if not request.user.has_perms(bulk.permissions):
        raise PermissionDenied
    # Only the keys of the list's queryset: its joins and its order are for display. They are read once, since the
    # action may change what the filter matches.
    rows = dict(queryset.order_by("pk").values_list("pk", bulk.of_model)[: MOST + 1])
    if len(rows) > MOST:
        model_admin.message_user(request, f"At most {bulk.noun(MOST)} at once; narrow the filter.", messages.ERROR)
        return None
    return ask(model_admin, request, rows, bulk)


def ask(model_admin: Any, request: HttpRequest, rows: Rows, bulk: Bulk) -> HttpResponse | None:
    """The same for rows that were read."""
    asked = bulk.form is forms.Form or "_asked" in request.POST
    form = bulk.form(request.POST if asked else None)
    found: Preview | None = None
    if asked and form.is_valid():
        try:
            _refuse_unseen(request, bulk.opens({*rows.values()}))
            if reason := bulk.refuses(rights.of(request), [*rows], form.cleaned_data):
                raise ValidationError(reason)
            confirmed = request.POST.get("_confirmed", "")
            asked_for = {name: request.POST.getlist(name) for name in form.fields}

            def seal(effect: Any) -> str:
                return previews.seal(request, bulk.name, asked_for, effect)

            found = attempt(bulk, rows, form.cleaned_data, author_of(request), seal, confirmed)
            if confirmed == found.seal:
                rest, changed = found.unchanged, found.changed
                model_admin.message_user(
                    request,
                    f"{changed} of {found.checked} {'was' if changed == 1 else 'were'} {bulk.done}"
                    + (f"; {rest} stayed as {'it was' if rest == 1 else 'they were'}." if rest else "."),
                    messages.SUCCESS,
                )
                return None
            if confirmed:
                model_admin.message_user(request, previews.CHANGED, messages.WARNING)
        except ValidationError as error:
            form.add_error(None, error.messages)
    count = len(rows)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"{bulk.verb}: {bulk.noun(count)}",
        "opts": model_admin.opts,
        "bulk": bulk,
        "form": form,
        "preview": found,
        "changed": bulk.noun(found.changed) if found else "",
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "back": request.get_full_path(),
        "reason": request.POST.get("_reason", ""),
        "media": model_admin.media,
    }
    return TemplateResponse(request, "admin/catalog/bulk.html", context)


class BulkActions(admin.ModelAdmin):
    """An admin whose actions are `bulk_actions`, for those who may change its rows."""

    bulk_actions: tuple[Bulk, ...] = ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        if not self.has_change_permission(request):
            return {}
        # As Django's admin has them: function, name, description.
        return {
            action.name: (partial(run, bulk=action), action.name, action.label)
            for action in self.bulk_actions
            if request.user.has_perms(action.permissions)
        }
