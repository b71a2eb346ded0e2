"""Filters of the list of AI models. Those with many choices are a menu; ranges are two numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from catalog import extensions, flags
from catalog.admin.inputs import MODALITIES
from catalog.capabilities import CAPABILITIES
from catalog.derived import facet
from catalog.editing import custom_models
from catalog.models import AIModel, Tag
from catalog.validation.values import MAX_INTEGER


class MenuFilter(admin.SimpleListFilter):
    """One choice of many, as a menu."""

    template = "admin/catalog/menu_filter.html"
    # Value and words of each choice, where they are always the same.
    options: Sequence[tuple[str, str]] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.options)

    def choices(self, changelist: Any) -> Any:
        self.rest = _rest(changelist, [str(self.parameter_name)])
        return super().choices(changelist)

    def value(self) -> str | None:
        """Blank is what the menu sends for all."""
        return super().value() or None

    def condition(self, value: str) -> Q:
        """What is chosen by: the field that the parameter is named after, where a filter says nothing else."""
        return Q(**{str(self.parameter_name): value})

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(self.condition(value))


class FixedFilter(MenuFilter):
    """A menu whose choices have one condition each. Any other value chooses nothing."""

    conditions: Mapping[str, Q] = {}

    def condition(self, value: str) -> Q:
        return self.conditions.get(value, Q())


def _rest(changelist: Any, without: list[str]) -> list[tuple[str, str]]:
    """The other parameters of the page, for a form that keeps them."""
    return [
        (name, value)
        for name, values in changelist.filter_params.items()
        if name not in without
        for value in (values if isinstance(values, list) else [values])
    ] + ([("q", changelist.query)] if changelist.query else [])


class AuthorFilter(MenuFilter):
    title = "author"
    parameter_name = "author"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        authors = AIModel.objects.catalog_entries().order_by("author").values_list("author", flat=True).distinct()
        return [(author or "-", author or "(none)") for author in authors]

    def condition(self, value: str) -> Q:
        return Q(author="" if value == "-" else value)


class ProviderFilter(MenuFilter):
    title = "provider that offers it"
    parameter_name = "offered_by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("-", "(none)"), *extensions.provider_names()]

    def condition(self, value: str) -> Q:
        return Q(offered_by=[]) if value == "-" else Q(facets__contains=facet("by", value))


class TagFilter(MenuFilter):
    title = "tag"
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("-", "(none)"), *((tag.key, tag.name) for tag in Tag.objects.all()[:1000])]

    def condition(self, value: str) -> Q:
        through = AIModel.tags.through.objects
        if value == "-":
            return ~Q(pk__in=through.values("aimodel"))
        return Q(pk__in=through.filter(tag__key=value).values("aimodel"))


class FlagFilter(MenuFilter):
    title = "required flag"
    parameter_name = "flag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("-", "(none)"), ("any", "(any)"), *((f"={name}", name) for name in flags.names())]

    def condition(self, value: str) -> Q:
        none = Q(requires_feature_flag="")
        return {"-": none, "any": ~none}.get(value) or Q(requires_feature_flag=value.removeprefix("="))


class CapabilityFilter(MenuFilter):
    title = "capability"
    parameter_name = "capability"
    options = [(word, word) for word in CAPABILITIES]

    def condition(self, value: str) -> Q:
        return Q(facets__contains=facet("capability", value))


class InputFilter(MenuFilter):
    title = "input modality"
    parameter_name = "input"
    options = [("-", "(unknown)"), *((word, word) for word in MODALITIES)]
    field = "input"

    def condition(self, value: str) -> Q:
        if value == "-":
            return Q(**{f"{self.field}_modalities": []})
        return Q(facets__contains=facet(self.field, value))


class OutputFilter(InputFilter):
    title = "output modality"
    parameter_name = "output"
    field = "output"


class StatusFilter(FixedFilter):
    title = "status"
    parameter_name = "status"
    options = [
        ("init", "init: only poor sources so far"),
        ("filled", "filled: by a rich source"),
        ("updated", "updated: by hand"),
    ]
    conditions = {
        "init": Q(manually_updated=False, rich_source=False),
        "filled": Q(manually_updated=False, rich_source=True),
        "updated": Q(manually_updated=True),
    }


class PinnedFilter(FixedFilter):
    title = "pins"
    parameter_name = "pinned"
    options = [("yes", "has pinned fields"), ("no", "none pinned"), ("frozen", "frozen")]
    conditions = {"yes": ~Q(pinned_fields=[]), "no": Q(pinned_fields=[]), "frozen": Q(frozen=True)}


class OnOffFilter(FixedFilter):
    """A yes or no of the model."""

    options = [("yes", "yes"), ("no", "no")]


def switch_filter(name: str, label: str) -> type[OnOffFilter]:
    conditions = {"yes": Q(**{name: True}), "no": Q(**{name: False})}
    return type(f"{name}_filter", (OnOffFilter,), {"title": label, "parameter_name": name, "conditions": conditions})


class RetirementFilter(MenuFilter):
    title = "retirement"
    parameter_name = "retires"
    options = [("soon", "within 30 days")]

    @staticmethod
    def soon() -> Q:
        """What is offered now and whose maker retires it within 30 days."""
        today = timezone.now().date()
        return Q(active=True, is_available=True, retires_at__range=(today, today + timedelta(days=30)))

    def condition(self, value: str) -> Q:
        return self.soon() if value == "soon" else Q()


class RangeFilter(admin.ListFilter):
    """From one number to another; either end may be open."""

    template = "admin/catalog/range_filter.html"
    field = ""
    parameter = ""
    unit = ""
    whole = False

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.ends: dict[str, str] = {}
        for name in self.expected_parameters():
            value = params.pop(name, "")
            text = (value[-1] if isinstance(value, list) else value).strip()
            if text:
                self.ends[name] = self.used_parameters[name] = text

    def expected_parameters(self) -> list[Any]:
        return [f"{self.parameter}_min", f"{self.parameter}_max"]

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Any:
        self.rest = _rest(changelist, self.expected_parameters())
        self.clear = changelist.get_query_string(remove=self.expected_parameters())
        self.low, self.high = (self.ends.get(name, "") for name in self.expected_parameters())
        low, high = self.expected_parameters()
        return [{"low_name": low, "high_name": high}]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for name, lookup in zip(self.expected_parameters(), ("gte", "lte"), strict=True):
            if name not in self.ends:
                continue
            number = self._number(self.ends[name])
            if number is None:
                messages.error(request, f"{self.ends[name][:30]} is no number for {self.title}; nothing is listed.")
                return queryset.none()
            queryset = queryset.filter(**{f"{self.field}__{lookup}": number})
        return queryset

    def _number(self, text: str) -> float | None:
        try:
            number = Decimal(text)
        except InvalidOperation:
            return None
        if len(text) > 20 or not number.is_finite() or not 0 <= number <= MAX_INTEGER:
            return None
        return int(number) if self.whole else float(number)


class PriceFilter(RangeFilter):
    title = "price"
    field = "prompt_price"
    parameter = "price"
    unit = "USD per million prompt tokens"


class ContextFilter(RangeFilter):
    title = "context length"
    field = "context_length"
    parameter = "context"
    unit = "tokens"
    whole = True


ENTRY_FILTERS: tuple[Any, ...] = (
    ProviderFilter,
    AuthorFilter,
    CapabilityFilter,
    InputFilter,
    OutputFilter,
    StatusFilter,
    PinnedFilter,
    RetirementFilter,
    switch_filter("is_available", "available"),
    switch_filter("active", "active"),
    switch_filter("hidden", "hidden"),
    switch_filter("experimental", "experimental"),
    switch_filter("restricted", "only for those granted"),
    FlagFilter,
    TagFilter,
    PriceFilter,
    ContextFilter,
)


class BaseFilter(MenuFilter):
    """Custom models whose base is gone."""

    title = "base model"
    parameter_name = "base"
    options = [("gone", "gone, or of no use now"), ("there", "there")]

    def condition(self, value: str) -> Q:
        gone = Q(pk__in=custom_models.baseless().order_by().values("pk"))
        return {"gone": gone, "there": ~gone}.get(value, Q())
