"""The form of a key in the admin: its policy, its scopes and its end, by the same rules as everywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from apikeys import keys as issuing
from apikeys.models import ApiKey, Scope, default_scopes, default_scopes_of_a_group
from apikeys.policy import KeyPolicy, chosen
from catalog.validation import moments

VALUES = ("name", "scopes", "per_minute", "per_day", "expires_at", "is_active")


class Lines(forms.Field):
    """A list of texts, one a line."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        if isinstance(value, list):
            return value
        return [line.strip() for line in (value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or []) != self.to_python(data)


class ExpiryField(forms.Field):
    """When a key ends: a number of days from now, a day (its end), or a moment. UTC."""

    widget = forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"})

    def prepare_value(self, value: Any) -> Any:
        """As it can be sent back untouched: the day alone where it ends with it."""
        if not isinstance(value, datetime):
            return value
        value = value.astimezone(UTC).replace(tzinfo=None)
        return f"{value:%Y-%m-%d}" if moments.end_of(value.date()).replace(tzinfo=None) == value else str(value)

    def to_python(self, value: Any) -> datetime | None:
        if isinstance(value, datetime) or not value:
            return value or None
        found = issuing.expiry(value.strip(), timezone.now())
        if found is None:
            raise ValidationError(
                "Write days such as 90d, a day such as 2027-01-31 (its end), or 2027-01-31 18:00, in UTC."
            )
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (self.prepare_value(initial) or "") != (data or "").strip()


class ApiKeyForm(forms.ModelForm):
    """`actor` is set by the admin, for each request."""

    actor: issuing.Actor

    patterns = Lines(
        required=False,
        label="Model ids",
        help_text="One model id or pattern a line, for the two lists. Only * is special; case counts.",
    )
    no_models = forms.BooleanField(
        required=False,
        label="An empty list is meant",
        help_text="Tick this to leave the list empty: an allow list then allows no model, a deny list denies none.",
    )
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        initial=default_scopes,
        widget=forms.CheckboxSelectMultiple,
        help_text="A key that was made with another key has those of that one at most. A group has no preferences and "
        "makes no keys: its key reads, and at most changes custom models that the group may change.",
    )

    expires_at = ExpiryField(
        required=False,
        label="Expires",
        help_text="Days from now, such as 90d; or a day (its end) or a moment, such as 2027-01-31 18:00, UTC. "
        "Blank: it never expires.",
    )

    class Media:
        js = ("apikeys/policy.js",)

    class Meta:
        model = ApiKey
        fields = [
            "user", "group", "name", "mode", "patterns", "scopes", "per_minute", "per_day", "expires_at", "is_active",
        ]  # fmt: skip
        help_texts = {
            "user": "The key sees and does what this user may, or less. It ends with their account.",
            "group": "In place of a user: the key sees what is open to all and what this group is granted, with the "
            "group's flags. It outlives whoever makes it, and ends with the group.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "patterns" in self.fields:
            address = reverse("admin:apikeys_apikey_matches", args=[self.instance.pk] if self.instance.pk else [])
            self.fields["patterns"].widget.attrs["data-matches"] = address
        if "expires_at" in self.fields:
            self.fields["expires_at"].widget.attrs["data-choices"] = "30d 90d 365d"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "group" in self.fields:
            self._choose_owner(data)
        self.policy = self._policy(data)
        if self.policy is None or self.errors:
            return data
        # As the row will hold them, so that the model's own validation sees the same.
        data["patterns"] = list(self.policy.patterns)
        try:
            issuing.check(self.instance, {name: data[name] for name in VALUES}, self.policy, self.actor)
        except ValidationError as error:
            self._tell(error)
        return data

    def _choose_owner(self, data: dict[str, Any]) -> None:
        user, group = data.get("user"), data.get("group")
        if not {"user", "group"} & self.errors.keys() and (user is None) == (group is None):
            self.add_error("user", "Choose a user or a group: the key belongs to one of them.")
        self.instance.user, self.instance.group = user, group
        if group is not None and "scopes" not in self.changed_data:
            # The ticks that nobody touched are those of a user's key.
            data["scopes"] = default_scopes_of_a_group()

    def _policy(self, data: dict[str, Any]) -> KeyPolicy | None:
        mode, patterns = data.get("mode"), data.get("patterns", [])
        if mode is None:
            return None
        if mode != ApiKey.Mode.ALL and not patterns and not data.get("no_models"):
            self.add_error(
                "patterns",
                "The list is empty. Name a model, or tick that an empty list is meant, or choose every model.",
            )
            return None
        if patterns and data.get("no_models"):
            self.add_error("no_models", "The list is not empty.")
            return None
        field = "denied_models" if mode == ApiKey.Mode.DENY_LIST else "allowed_models"
        try:
            return chosen(None, {"mode": mode, field: patterns})
        except ValidationError as error:
            self._tell(error)
            return None

    def _tell(self, error: ValidationError) -> None:
        for name, texts in error.message_dict.items():
            field = name if name in self.fields else "patterns"
            for text in texts:
                self.add_error(field, text)
