"""What the list of models can be filtered, searched and sorted by. A value that means nothing is refused, by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import django_filters
import orjson
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet
from django_filters.rest_framework import FilterSet

from catalog.access import rules
from catalog.access.callers import Caller
from catalog.api.snapshot import snapshot
from catalog.capabilities import CAPABILITIES
from catalog.derived import facet
from catalog.models import AIModel
from catalog.validation.text import fold
from catalog.validation.values import MAX_INTEGER

MAX_QUERY = 200
MAX_WORDS = 10
MAX_TAGS = 20

# parameter -> column. Those that may be unknown are sorted last, whichever way.
ORDERS = {
    "name": "name_key",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "context_length": "context_length",
    "price": "prompt_price",
    "priority": "priority",
}
_MAY_BE_UNKNOWN = ("context_length", "prompt_price")


class _Choice(forms.ChoiceField):
    def clean(self, value: Any) -> Any:
        if value == "":
            raise ValidationError(self.expected(), code="invalid_choice")
        return super().clean(value)

    def validate(self, value: Any) -> None:
        if value is not None and not self.valid_value(value):
            raise ValidationError(self.expected(), code="invalid_choice")

    def to_python(self, value: Any) -> Any:
        return value

    def expected(self) -> str:
        choices: Any = self.choices
        return f"One of {', '.join(value for value, _ in choices)}."


class _Text(forms.CharField):
    """Text as it was sent: blanks at its ends belong to it, and nothing is no value."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**(options | {"strip": False, "empty_value": None}))

    def clean(self, value: Any) -> Any:
        if value == "":
            raise ValidationError("This is not empty.", code="blank")
        return super().clean(value)


class _Query(forms.CharField):
    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if len(search_words(text)) > MAX_WORDS:
            raise ValidationError(f"At most {MAX_WORDS} words.", code="too_many")
        return text


class _Number(forms.DecimalField):
    def clean(self, value: Any) -> Any:
        if value is None:
            return None
        text = value.replace(".", "", 1) if self.decimal_places else value
        if not (text.isascii() and text.isdigit() and len(text) <= 20):
            raise ValidationError(self.expected(), code="invalid")
        number = Decimal(value)
        least, most = cast(int, self.min_value), cast(int, self.max_value)
        if not least <= number <= most:
            raise ValidationError(self.expected(), code="invalid")
        return number

    def expected(self) -> str:
        kind = "A number such as 0.15" if self.decimal_places else "A whole number"
        return f"{kind}, from {self.min_value} to {self.max_value}."


class _Words(forms.Field):
    """Each value that a repeated parameter has."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[str]:
        words = value or []
        if len(words) > MAX_TAGS:
            raise ValidationError(f"At most {MAX_TAGS} of them.", code="too_many")
        if any(not fold(word).strip() or len(word) > 64 for word in words):
            raise ValidationError("A tag has 1 to 64 characters.", code="invalid")
        return words


class ChoiceFilter(django_filters.Filter):
    field_class = _Choice

    def __init__(self, *args: Any, choices: tuple[str, ...], **options: Any) -> None:
        super().__init__(*args, choices=[(word, word) for word in choices], **options)


class SwitchFilter(ChoiceFilter):
    """true or false."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, choices=("true", "false"), **options)


class TextFilter(django_filters.CharFilter):
    field_class = _Text


class QueryFilter(django_filters.CharFilter):
    field_class = _Query


class NumberFilter(django_filters.NumberFilter):
    field_class = _Number

    def get_max_validator(self) -> None:
        return None


class TagsFilter(django_filters.Filter):
    field_class = _Words


def search_words(query: str) -> list[str]:
    """The words of a search, folded as the searched text is."""
    return list(dict.fromkeys(fold(query).split()))


class ModelListFilter(FilterSet):
    """The parameters of `GET /api/models/list`, but for the page's."""

    query = QueryFilter(
        method="search",
        max_length=MAX_QUERY,
        strip=False,
        label="Words in any order; each is in the name, the id, the base model's id, the owner's name or the "
        "family, or in an owner's e-mail address that the caller may see.",
    )
    view_option = ChoiceFilter(
        method="mine_or_not", choices=("created", "shared"), label="My own custom models, or those of others."
    )
    tag = TagsFilter(method="tagged", label="Repeatable: all must match, without case.")
    id = TextFilter(field_name="model_id", max_length=255, label="The exact id.")
    kind = ChoiceFilter(field_name="kind", choices=("catalog", "custom"))
    provider = TextFilter(field_name="author", max_length=255, label="The author: the id before its first slash.")
    # For words of facets `field_name` is the kind of the facet.
    offered_by = TextFilter("by", method="in_facet", max_length=64, label="The slug of an upstream that lists it now.")
    family = TextFilter("family", method="in_facet", max_length=128, label="The whole family, without case.")
    capability = ChoiceFilter("capability", method="in_facet", choices=CAPABILITIES)
    input_modality = TextFilter("input", method="in_facet", max_length=64, label="Such as text, image, audio, file.")
    output_modality = TextFilter("output", method="in_facet", max_length=64, label="Such as text, image, embeddings.")
    min_context = NumberFilter(
        field_name="context_length",
        lookup_expr="gte",
        min_value=1,
        max_value=MAX_INTEGER,
        decimal_places=0,
        label="At least so many tokens of context, as far as that is known.",
    )
    max_prompt_price = NumberFilter(
        field_name="prompt_price",
        lookup_expr="lte",
        min_value=0,
        max_value=1_000_000_000,
        decimal_places=12,
        label="USD per million prompt tokens; an unknown price is never within it.",
    )
    is_available = SwitchFilter(method="available")
    is_active = SwitchFilter(method="active")
    is_enabled = SwitchFilter(method="enabled")
    order_by = ChoiceFilter(method="ordered", choices=tuple(ORDERS), label="Unless said otherwise: created_at.")
    direction = ChoiceFilter(method="ordered", choices=("asc", "desc"), label="Unless said otherwise: desc.")

    # The stubs lack it.
    base_filters: dict[str, Any]

    class Meta:
        model = AIModel
        fields: list[str] = []

    def __init__(self, sent: Any, *, caller: Caller, **options: Any) -> None:
        self.caller, self.viewer = caller, caller.viewer
        # The form of all of them takes a millisecond.
        self.base_filters = {name: one for name, one in self.base_filters.items() if name in sent}
        super().__init__(sent, **options)

    @property
    def chosen(self) -> tuple[tuple[str, str], ...]:
        """The filters in use, but for the order: what a total depends on."""
        values = {name: value for name, value in self.form.cleaned_data.items() if value not in (None, "", [])}
        return tuple((name, repr(value)) for name, value in values.items() if name not in ("order_by", "direction"))

    def filter_queryset(self, queryset: QuerySet[AIModel]) -> QuerySet[AIModel]:
        queryset = super().filter_queryset(queryset)
        chosen = self.form.cleaned_data
        return queryset.order_by(*order(chosen.get("order_by") or "created_at", chosen.get("direction") or "desc"))

    def search(self, queryset: QuerySet[AIModel], name: str, value: str) -> QuerySet[AIModel]:
        addresses = self._addresses()
        for word in search_words(value):
            found = Q(search_text__contains=word)
            if keys := [key for key, address in addresses if word in address]:
                found |= Q(pk__among=keys)
            queryset = queryset.filter(found)
        return queryset

    def _addresses(self) -> list[tuple[int, str]]:
        """(key, folded address) of custom models whose owner's address the caller may see.

        Read beforehand: a subquery in the search would keep the database from its index on the text.
        """

        def read() -> bytes:
            rows = AIModel.objects.writable_by(self.viewer).order_by().exclude(owner=None)
            return orjson.dumps([(key, fold(address)) for key, address in rows.values_list("pk", "owner__email")])

        return orjson.loads(snapshot.stored("addresses", self.caller.fingerprint, read))

    def mine_or_not(self, queryset: QuerySet[AIModel], name: str, value: str) -> QuerySet[AIModel]:
        own = rules.owned(self.viewer)
        return queryset.filter(own if value == "created" else ~own, kind="custom")

    def tagged(self, queryset: QuerySet[AIModel], name: str, value: list[str]) -> QuerySet[AIModel]:
        for key in {fold(" ".join(word.split())) for word in value}:
            queryset = queryset.filter(pk__in=AIModel.tags.through.objects.filter(tag__key=key).values("aimodel"))
        return queryset

    def in_facet(self, queryset: QuerySet[AIModel], name: str, value: str) -> QuerySet[AIModel]:
        return queryset.filter(facets__contains=facet(name, value))

    def available(self, queryset: QuerySet[AIModel], name: str, value: str) -> QuerySet[AIModel]:
        return queryset.filter(_that(rules.available(), value))

    def active(self, queryset: QuerySet[AIModel], name: str, value: str) -> QuerySet[AIModel]:
        return queryset.filter(active=value == "true")

    def enabled(self, queryset: QuerySet[AIModel], name: str, value: str) -> QuerySet[AIModel]:
        return queryset.filter(_that(rules.enabled(self.viewer), value))

    def ordered(self, queryset: QuerySet[AIModel], name: str, value: str) -> QuerySet[AIModel]:
        return queryset  # filter_queryset() sorts, by both parameters at once.


def _that(condition: Q, value: str) -> Q:
    return condition if value == "true" else ~condition


def order(by: str, direction: str) -> tuple[Any, ...]:
    """A total order: the id decides between equals, and what is unknown comes last."""
    column = ORDERS[by]
    descending = direction == "desc"
    if column == "priority":
        # As in every catalog answer: of two with the same priority the lower id comes first.
        return ("-priority", "model_id") if descending else ("priority", "-model_id")
    if column in _MAY_BE_UNKNOWN:
        key = F(column)
        first = key.desc(nulls_last=True) if descending else key.asc(nulls_last=True)
        return first, "-model_id" if descending else "model_id"
    return (f"-{column}", "-model_id") if descending else (column, "model_id")
