"""Raises versions for single writes of preferences elsewhere, as in the admin."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from catalog.models import CatalogVersion
from preferences.models import DefaultModel, ModelPreference, Profile
from preferences.writing import touch


@receiver(post_save, sender=Profile)
@receiver(post_save, sender=ModelPreference)
def raise_version_of_preferences(sender: Any, instance: Profile | ModelPreference, **_: Any) -> None:
    touch(instance.user_id)


@receiver(post_delete, sender=Profile)
@receiver(post_delete, sender=ModelPreference)
def raise_version_after_deletion(sender: Any, instance: Profile | ModelPreference, origin: Any, **_: Any) -> None:
    # One that goes with its model or its user needs no word of its own. A profile is made anew, for the number's sake.
    if isinstance(origin, sender) or getattr(origin, "model", None) is sender:
        touch(instance.user_id)


@receiver([post_save, post_delete], sender=DefaultModel)
def raise_version_of_catalog(sender: Any, **_: Any) -> None:
    CatalogVersion.objects.bump([], sight=True)
