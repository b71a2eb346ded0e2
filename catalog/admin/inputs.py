"""Inputs for the fields of AI models. `has_changed` is false of a value that was not touched."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from catalog.editing.history import differs
from catalog.models import Tag
from catalog.validation import strict_json
from catalog.validation.values import validate_line

MODALITIES = ("text", "image", "audio", "video", "file", "embeddings")
LONGEST_WORD = 64


class PlainDigits(forms.Field):
    """A date or a time in the digits 0 to 9: Python would take those of any script."""

    def clean(self, value: Any) -> Any:
        parts = value if isinstance(value, list | tuple) else [value]
        if not all(str(part).isascii() for part in parts):
            raise ValidationError("Write the digits 0 to 9, as in 2026-01-31.", code="invalid")
        return super().clean(value)


class Day(PlainDigits, forms.DateField):
    pass


class Moment(PlainDigits, forms.SplitDateTimeField):
    pass


class Tristate(forms.TypedChoiceField):
    """Unknown, yes or no."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            choices=[("unknown", "Unknown"), ("yes", "Yes"), ("no", "No")],
            coerce={"unknown": None, "yes": True, "no": False}.__getitem__,
            empty_value=None,
            required=False,
            widget=forms.Select(attrs={"class": "tristate"}),
            **kwargs,
        )

    def prepare_value(self, value: Any) -> Any:
        return {None: "unknown", True: "yes", False: "no"}.get(value, value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.prepare_value(initial) != (data or "unknown"))


class Prose(forms.CharField):
    """Text of several lines; line ends as the web sends them become plain ones."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.replace("\r\n", "\n").replace("\r", "\n") if isinstance(value, str) else value)


class JSONObjectInput(forms.CharField):
    """A JSON object, shown indented. Blank is an empty one. What it may hold, the field of the model validates."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"class": "json", "rows": 6, "spellcheck": "false"})
        super().__init__(required=False, widget=widget, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return json.dumps({} if value is None else value, indent=2, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        found = strict_json.parse(text) if text else {}
        if not isinstance(found, dict):
            raise ValidationError("This is a JSON object, such as {}.", code="wrong_kind")
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return differs(self.to_python(self.prepare_value(initial)), self.to_python(data))
        except ValidationError:
            return True


def lines_of(text: str | None) -> list[str]:
    return [" ".join(line.split()) for line in (text or "").splitlines() if line.strip()]


def check_words(words: Iterable[str]) -> list[str]:
    found = list(words)
    for word in found:
        if len(word) > LONGEST_WORD:
            raise ValidationError(f"{word[:20]}… has more than {LONGEST_WORD} characters.", code="too_long")
        validate_line(word)
    return found


class Lines(forms.CharField):
    """Words, one on each line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea(attrs={"rows": 3, "class": "lines"}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return check_words(dict.fromkeys(lines_of(text)))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return lines_of(self.prepare_value(initial)) != lines_of(data)


class TagNames(Lines):
    """The names of tags, one on each line; new tags are made."""

    def to_python(self, value: Any) -> Any:
        names = super().to_python(value)
        for name in names:
            Tag._meta.get_field("name").run_validators(name)
        return names


class WordBoxes(forms.MultiWidget):
    """A box for each known word, and a line for others."""

    template_name = "catalog/widgets/word_boxes.html"

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        boxes = forms.CheckboxSelectMultiple(choices=[(word, word) for word in words])
        super().__init__(
            [boxes, forms.TextInput(attrs={"class": "vTextField others", "placeholder": "others, by comma"})]
        )

    def decompress(self, value: Any) -> list[Any]:
        words = value if isinstance(value, list) else []
        return [[w for w in words if w in self.words], ", ".join(w for w in words if w not in self.words)]

    def get_context(self, name: str, value: Any, attrs: Any) -> Any:
        # A list is the value of the whole widget here, not one value for each part.
        if isinstance(value, list) and not (len(value) == 2 and isinstance(value[0], list)):
            value = self.decompress(value)
        context = super().get_context(name, value, attrs)
        context["widget"]["label"] = name.replace("_", " ")
        return context


class Modalities(forms.MultiValueField):
    """A list of words; the known ones have boxes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            fields=[
                forms.MultipleChoiceField(choices=[(w, w) for w in MODALITIES], required=False),
                forms.CharField(required=False),
            ],
            widget=WordBoxes(MODALITIES),
            required=False,
            require_all_fields=False,
            **kwargs,
        )

    def compress(self, data: list[Any]) -> list[str]:
        if not data:
            return []
        others = [" ".join(word.split()) for word in (data[1] or "").split(",") if word.strip()]
        return check_words(dict.fromkeys([*data[0], *others]))

    def has_changed(self, initial: Any, data: Any) -> bool:
        # Django takes a list for one value of each part.
        return super().has_changed(self.widget.decompress(initial), data)


class NamesAndDefaults(forms.MultiWidget):
    template_name = "catalog/widgets/names_and_defaults.html"

    def __init__(self) -> None:
        super().__init__(
            {
                "names": forms.Textarea(attrs={"rows": 5, "class": "lines"}),
                "default": forms.Textarea(attrs={"rows": 4, "class": "json", "spellcheck": "false"}),
            }
        )

    def decompress(self, value: Any) -> list[Any]:
        value = value if isinstance(value, dict) else {}
        default = value.get("default")
        return [
            "\n".join(map(str, value.get("names", []))),
            "" if default is None else json.dumps(default, indent=2, ensure_ascii=False),
        ]


class SupportedParameters(forms.MultiValueField):
    """`{"names": [...], "default": {...}}` as a list of words and a JSON object. A blank part is absent."""

    widget = NamesAndDefaults

    def __init__(self, **kwargs: Any) -> None:
        fields = [Lines(), JSONObjectInput()]
        super().__init__(fields=fields, required=False, require_all_fields=False, **kwargs)

    def compress(self, data: list[Any]) -> dict[str, Any]:
        names, default = data or ([], {})
        return {**({"names": names} if names else {}), **({"default": default} if default else {})}


class LevelRows(forms.Widget):
    """A row of effort and description for each level, and some that are free."""

    template_name = "catalog/widgets/level_rows.html"
    free = 2

    def get_context(self, name: str, value: Any, attrs: Any) -> Any:
        context = super().get_context(name, value, attrs)
        rows = [row if isinstance(row, dict) else {} for row in (value if isinstance(value, list) else [])]
        context["widget"]["rows"] = [*rows, *({} for _ in range(self.free))]
        return context

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        efforts, descriptions = (data.getlist(f"{name}_{part}") for part in ("effort", "description"))
        pairs = zip(efforts, [*descriptions, *[""] * len(efforts)], strict=False)
        return [
            {"effort": effort.strip(), "description": " ".join(description.split())}
            for effort, description in pairs
            if effort.strip() or description.strip()
        ]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}_effort" not in data


class ReasoningLevels(forms.Field):
    widget = LevelRows

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)

    def to_python(self, value: Any) -> Any:
        levels = []
        for row in value or []:
            if not row["effort"]:
                raise ValidationError(f"The level {row['description'][:40]!r} has no effort word.", code="not_levels")
            levels.append(row if row["description"] else {"effort": row["effort"]})
        return levels

    def has_changed(self, initial: Any, data: Any) -> bool:
        return _plain_levels(initial) != _plain_levels(data)


def _plain_levels(levels: Any) -> list[tuple[str, str]]:
    return [(row["effort"].strip(), " ".join(row.get("description", "").split())) for row in levels or []]
