"""Feature flags that models require: only one that exists can be required, and a required one stays as it is named."""

from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, ProtectedError, Subquery
from django.db.models.functions import Coalesce
from django.db.models.signals import pre_delete, pre_save
from waffle import get_waffle_flag_model


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


def required_by(name: str) -> Any:
    """The models that require the flag."""
    return (
        apps.get_model("catalog", "AIModel")
        ._default_manager.filter(requires_feature_flag=name)
        .exclude(requires_feature_flag="")
    )


def count_of_requirements() -> Any:
    """An annotation of flags: how many models require each."""
    rows = apps.get_model("catalog", "AIModel")._default_manager.filter(requires_feature_flag=OuterRef("name"))
    counted = rows.order_by().values("requires_feature_flag").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)


def _refuse_deletion(sender: Any, instance: Any, **_: Any) -> None:
    if models := list(required_by(instance.name)[:20]):
        raise ProtectedError(f"Models require the flag {instance.name}.", set(models))


def _refuse_renaming(sender: Any, instance: Any, raw: bool = False, **_: Any) -> None:
    if instance.pk is None or raw:
        return
    old = sender.objects.filter(pk=instance.pk).values_list("name", flat=True).first()
    if old is not None and old != instance.name and required_by(old).exists():
        raise ValidationError({"name": f"Models require the flag {old}; it keeps its name."}, code="flag_required")


def watch() -> None:
    """Refuses that a required flag is deleted or renamed, by whatever way."""
    flag = get_waffle_flag_model()
    pre_delete.connect(_refuse_deletion, sender=flag, dispatch_uid="catalog flags deletion")
    pre_save.connect(_refuse_renaming, sender=flag, dispatch_uid="catalog flags renaming")
