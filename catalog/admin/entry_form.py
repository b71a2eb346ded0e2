"""The form of an AI model, which writes only what its person changed.

A sync or a colleague may write the row between the opening and the saving of a form. The form carries the values that
it was opened with, and so knows which fields its person changed. Only these are written and pinned; the others stay as
the row has them by then. Where a colleague changed one of the same fields, the form is shown again with their value.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst
from django.utils.timesince import timesince

from catalog import flags
from catalog.access import rights
from catalog.admin import inputs
from catalog.editing import custom_models
from catalog.editing.history import from_json, to_json
from catalog.fields import DECIDED_FIELDS, SYNCED_FIELDS
from catalog.formatting import label, said
from catalog.models import AIModel, FieldChange

# The button that releases a pinned field. It sends the whole form, so that no edit is lost by it unseen.
RELEASE = "_release"

_JSON_INPUTS: dict[str, Any] = {
    "input_modalities": inputs.Modalities,
    "output_modalities": inputs.Modalities,
    "supported_parameters": inputs.SupportedParameters,
    "reasoning_levels": inputs.ReasoningLevels,
    "extras": inputs.JSONObjectInput,
    "params": inputs.JSONObjectInput,
    "meta": inputs.JSONObjectInput,
}

HELP = {
    "model_id": "The public id, such as acme/large. It cannot be changed later.",
    "name": "Shown to people. Never blank.",
    "family": "Blank: not told to anyone.",
    "description": "Blank: not told to anyone. Shown as plain text.",
    "task": "What it is for. Blank: what it gives decides, or else its name. Pickers offer “chat” only.",
    "context_length": "Tokens, from 1. Blank: unknown, and not told to anyone.",
    "max_output_tokens": "Tokens, from 1. Blank: unknown, and not told to anyone.",
    "embedding_dimensions": "Numbers in one vector, from 1. Blank: unknown, or no embedding model.",
    "input_modalities": "What it takes. None ticked: unknown.",
    "output_modalities": "What it gives. None ticked: unknown.",
    "tokenizer": "Blank: unknown.",
    "instruct_type": "How its prompts are put together. Blank: unknown, or none.",
    "supports_images": "Yes: listed under “vision”.",
    "supports_embeddings": "Yes: listed under “embeddings”, not “chat”.",
    "default_verbosity": "Blank: the model's own.",
    "reasoning_levels": "In the order in which pickers show them. No rows: not told to anyone.",
    "default_reasoning_level": "One of the levels. Blank: the model's own.",
    "minimal_client_version": "Clients older than this do not offer it. Blank: every client does.",
    "supported_parameters": "Request parameters that it takes, and the values that it assumes. Blank: unknown.",
    "extras": "A JSON object with whatever else upstream says. {} or blank: nothing.",
    "released_at": "UTC. Blank: unknown.",
    "deprecated_at": "From this day on its maker advises against it. Blank: not known to.",
    "successor": "The id of the model that replaces it; told to who sees that one too. Blank: none is known.",
    "retires_at": "The last day on which its maker serves it. Blank: none is announced.",
    "knowledge_cutoff": "Blank: unknown.",
    "alias_of": "The id of the model that this one stands for; only who sees that one sees this one. Blank: no alias.",
    "active": "Without a tick nobody sees or uses it.",
    "hidden": "With a tick nobody finds or uses it; staff can list it.",
    "experimental": "With a tick only those who hold the flag experimental_models see it.",
    "requires_feature_flag": "Only those who hold the flag see it. No flag: nothing is required.",
    "restricted": "With a tick only those named under Grants see it; without one, everybody.",
    "enabled_by_default": "Without a tick each user must switch it on before using it.",
    "priority": "Higher comes first; equal ones are sorted by id. May be negative.",
    "recommended": "With a tick it is marked as recommended.",
    "recommendation_note": "One line on why. Blank: none is shown.",
    "supported_in_api": "Without a tick it is left out of /v1/models.",
    "always_available": "With a tick it counts as available, whatever the providers list.",
    "notes": "For staff only: no answer of the API holds it. Blank: none.",
    "frozen": "With a tick no sync changes any field. Without one, only the pinned fields are kept.",
    "tags": "One a line; new ones are made. Blank: no tags.",
    "owner": "The user who may change it. Blank: nobody but staff and those with a write grant.",
    "delegated": "With a tick those who may read it may use it without sight of its base model.",
    "params": "A JSON object of request parameters. {}: none.",
    "meta": "A JSON object: profile_image_url, capabilities. {}: none.",
}


# A change of one of these may show a model to more people, which only people who see it may do.
_WIDENING = ("restricted", "experimental", "requires_feature_flag", "owner", "alias_of", "base_model")


class OpenedForm(forms.ModelForm):
    """A form that separates its person's changes from everybody else's. `rights` are theirs: `RightsAdmin`."""

    rights: rights.Rights
    opened = forms.CharField(required=False, widget=forms.HiddenInput)
    tags = inputs.TagNames(label="Tags", help_text=HELP["tags"])

    class Meta:
        model = AIModel
        fields: Any = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_new = self.instance.pk is None
        if "opened" in self.fields:
            self.fields["opened"].initial = self._snapshot()
            self.fields["opened"].label = ""
        if "tags" in self.fields and not self.is_new:
            self.fields["tags"].initial = self.initial["tags"] = self._now("tags")
        self.overtaken: dict[str, FieldChange] = {}

    @property
    def value_names(self) -> list[str]:
        return [name for name in self.fields if name != "opened"]

    def _now(self, name: str) -> Any:
        if name == "tags":
            return [] if self.is_new else sorted(tag.name for tag in self.instance.tags.all())
        if name in ("owner", "base_model"):
            return getattr(self.instance, f"{name}_id")
        return getattr(self.instance, name)

    def _snapshot(self) -> str:
        return json.dumps(
            {"at": self._latest_change(), "values": {name: to_json(self._now(name)) for name in self.value_names}}
        )

    def _latest_change(self) -> int:
        if self.is_new:
            return 0
        return self.instance.changes.order_by("-id").values_list("pk", flat=True).first() or 0

    def _opened_with(self) -> tuple[int, dict[str, Any]]:
        text = self.data.get(self.add_prefix("opened"), "")
        try:
            sent = json.loads(text or self._snapshot())
            at, values = int(sent["at"]), dict(sent["values"])
            if missing := set(self.value_names) - values.keys():
                raise KeyError(*missing)
            return at, values
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            raise _damaged() from None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self.changes: dict[str, Any] = {}
        if self.is_new:
            self.changes = {name: data[name] for name in self.value_names if name in data}
            self._require_flag(data)
            self._refuse_opening()
            return data
        # The values and the tags that the row has now.
        current = {name: self._now(name) for name in self.value_names}
        at, opened = self._opened_with()
        for name in self.value_names:
            if name not in data:
                continue
            if self._differs_from_opened(name, opened[name]) and self._differs(name, current[name]):
                self.changes[name] = data[name]
            else:
                data[name] = current[name] if name == "tags" else getattr(self.instance, name)
        self._compare_with_others(at)
        self._require_flag(self.changes)
        self._refuse_opening()
        if RELEASE in self.data and self.changes:
            named = ", ".join(str(self.fields[name].label or name).lower() for name in self.changes)
            raise ValidationError(
                f"Nothing was released: there are changes that are not saved yet ({named}). Save them, or undo them, "
                "and release then.",
                code="unsaved",
            )
        return data

    def _refuse_opening(self) -> None:
        """Refuses to show a model, or by delegation its base model, to others where the person does not see it."""
        opening = [] if self.is_new else [name for name in _WIDENING if name in self.changes]
        if opening and not self.rights.sees(self.instance):
            for name in opening:
                self.add_error(name, "You do not see this model yourself, so you do not decide who does.")
        # What the row will have: its own values, but for those that change.
        base = self.changes.get("base_model", self.instance.base_model)
        if not {"delegated", "base_model"} & set(self.changes) or base is None or self.rights.sees(base):
            return
        if self.changes.get("delegated", self.instance.delegated):
            self.add_error("delegated", "You do not see the base model yourself, so you cannot let others use it.")
        elif upon := None if self.is_new else custom_models.delegated_upon(self.instance).first():
            self.add_error(
                "base_model",
                f"You do not see this model yourself, and {upon} is built upon this one and delegated: "
                "its users would see it.",
            )

    def _differs_from_opened(self, name: str, value: Any) -> bool:
        try:
            return self._differs(name, value if name in ("tags", "owner", "base_model") else from_json(name, value))
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError, ValidationError):
            # No value of this field's kind.
            raise _damaged() from None

    def _differs(self, name: str, value: Any) -> bool:
        """Whether what was sent differs from what the input shows of the value."""
        field = self.fields[name]
        if isinstance(value, str):
            value = field.to_python(value)
        elif isinstance(value, datetime) and not field.widget.supports_microseconds:
            value = value.replace(microsecond=0)
        return field.has_changed(value, self[name].data)

    def _compare_with_others(self, at: int) -> None:
        """Finds what was changed since the form was opened, and refuses once what a colleague changed too."""
        since = self.instance.changes.filter(pk__gt=at).select_related("user").order_by("pk")
        for row in since:
            self.overtaken[row.field] = row
        clashes = {
            name: row
            for name, row in self.overtaken.items()
            if name in self.changes and row.source == FieldChange.Source.PERSON
        }
        for name, row in clashes.items():
            self.add_error(
                name,
                ValidationError(
                    f"{row.actor or 'Someone'} set this to “{said(row.field, row.new, 500)}” after you opened the "
                    "form. Yours is shown below and not saved; save again to put it in place of theirs.",
                    code="overtaken",
                ),
            )
        if clashes:
            # The person has seen the other value by the next time: the form counts as opened now.
            data: Any = self.data
            self.data = data = data.copy()
            data[self.add_prefix("opened")] = self._snapshot()

    def _require_flag(self, values: dict[str, Any]) -> None:
        if values.get("requires_feature_flag"):
            try:
                flags.require(values["requires_feature_flag"])
            except ValidationError as error:
                self.add_error("requires_feature_flag", error.message_dict["requires_feature_flag"])

    @property
    def changed_data(self) -> list[str]:
        """The fields that this person changed, by what the form was opened with."""
        if not self.is_bound:
            return []
        if not hasattr(self, "changes"):
            self.errors  # noqa: B018 - validates
        return list(getattr(self, "changes", {}))

    def _save_m2m(self) -> None:
        """Does nothing: tags are written with the other changes."""


def _damaged() -> ValidationError:
    return ValidationError("This form is damaged. Open the page again.", code="damaged")


def formfield_for(db_field: Any, formfield: forms.Field) -> forms.Field:
    """The input for a field of an AI model."""
    name = db_field.name
    options: dict[str, Any] = {"label": capfirst(label(name)), "help_text": HELP.get(name, formfield.help_text)}
    if db_field.get_internal_type() == "BooleanField" and db_field.null:
        options["help_text"] = HELP.get(name, "")
        return inputs.Tristate(**options)
    if name in _JSON_INPUTS:
        return _JSON_INPUTS[name](**options)
    if name in ("description", "notes"):
        rows = 5 if name == "description" else 3
        return inputs.Prose(
            required=False, max_length=db_field.max_length, widget=forms.Textarea(attrs={"rows": rows}), **options
        )
    if name == "requires_feature_flag":
        return forms.ChoiceField(required=False, **options)
    formfield.label, formfield.help_text = options["label"], options["help_text"]
    return formfield


def flag_choices(current: str) -> list[tuple[str, str]]:
    names = flags.names()
    missing = [(current, f"{current} (deleted: nobody holds it)")] if current and current not in names else []
    return [("", "No flag"), *((name, name) for name in names), *missing]


class EntryForm(OpenedForm):
    """A catalog entry."""

    class Meta:
        model = AIModel
        fields = ("model_id", *SYNCED_FIELDS, *DECIDED_FIELDS, "frozen")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "requires_feature_flag" in self.fields:
            field: Any = self.fields["requires_feature_flag"]
            field.choices = flag_choices(self.instance.requires_feature_flag)

    def clean_model_id(self) -> str:
        """The id of a new entry; that of an existing one does not change."""
        return self.cleaned_data["model_id"] if self.is_new else self.instance.model_id


def provenance(row: AIModel, name: str) -> dict[str, Any]:
    """What a page shows beside a synced field: its source and age, whether it is pinned, and upstream's value."""
    source = row.upstream.get(name)
    pinned = name in row.pinned_fields
    yours = to_json(getattr(row, name))
    since = parse_datetime(str(source.get("since", ""))) if source else None
    return {
        "since": f"{since:%Y-%m-%d}" if since else "an unknown day",
        "age": timesince(since) if since else "",
        "name": name,
        "pinned": pinned,
        "frozen": row.frozen,
        "said": source,
        "yours": said(name, yours, 300),
        "upstream": said(name, source["value"], 300) if source else None,
        "same": source is not None and source["value"] == yours,
    }
