"""Feature flags that models require: only one that exists can be required, and a required one stays as it is named."""

from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from waffle import get_waffle_flag_model

from catalog.models import AIModel


def names() -> list[str]:
    return list(get_waffle_flag_model().objects.order_by("name").values_list("name", flat=True))


def require(name: str) -> None:
    """Raises ValidationError where no flag has this name; "" requires none. Call it in a transaction that goes on to
    write: until then the flag cannot be deleted."""
    if name and not get_waffle_flag_model().objects.select_for_update().filter(name=name).exists():
        raise ValidationError(
            {"requires_feature_flag": f"There is no feature flag {name!r}. Make it first, under Flags."},
            code="unknown_flag",
        )


def required_by(name: str) -> QuerySet[AIModel]:
    """The models that require the flag."""
    return AIModel.objects.filter(requires_feature_flag=name).exclude(requires_feature_flag="")


def count_of_requirements() -> Coalesce:
    """An annotation of flags: how many models require each."""
    rows = AIModel.objects.filter(requires_feature_flag=OuterRef("name"))
    counted = rows.order_by().values("requires_feature_flag").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)
