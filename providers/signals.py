"""What providers do when rows of others go. `ProvidersConfig.ready()` imports this."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from providers.models import Provider


@receiver(pre_delete, sender=Group)
def bring_no_new_models_to_all(sender: Any, instance: Group, origin: Any, **_: Any) -> None:
    """New models that were to arrive for this group alone arrive inactive from now on, and not for everybody."""
    going = [instance.pk, *(origin.values_list("pk", flat=True) if isinstance(origin, QuerySet) else ())]
    named = Provider.objects.filter(new_models_groups=instance)
    left = Provider.objects.filter(new_models_groups__in=Group.objects.exclude(pk__in=going))
    named.exclude(pk__in=left.values("pk")).update(new_models_active=False)
