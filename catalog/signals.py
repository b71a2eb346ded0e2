"""What the catalog does when rows are written or deleted, whoever does it. `CatalogConfig.ready()` imports this."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import ProtectedError
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save
from django.dispatch import receiver
from waffle import get_waffle_flag_model

from catalog import derived, flags
from catalog.models import AccessGrant, AIModel, CatalogVersion, ModelImage, Tag

Flag = get_waffle_flag_model()
User = get_user_model()


# What decides what a reader gets. Bulk writes of AI models raise the version in AIModelQuerySet.


@receiver([post_save, post_delete], sender=AIModel)
def raise_version_of_model(sender: Any, instance: AIModel, **_: Any) -> None:
    CatalogVersion.objects.bump([instance.pk])


@receiver(pre_save, sender=AccessGrant)
@receiver(pre_save, sender=ModelImage)
def note_the_model_that_it_leaves(sender: Any, instance: Any, **_: Any) -> None:
    stored = sender._default_manager.filter(pk=instance.pk).values_list("model", flat=True)
    instance.leaves = [] if instance._state.adding else list(stored)


@receiver([post_save, post_delete], sender=AccessGrant)
@receiver([post_save, post_delete], sender=ModelImage)
def raise_version_of_what_belongs_to_a_model(sender: Any, instance: Any, **_: Any) -> None:
    CatalogVersion.objects.bump([instance.model_id, *getattr(instance, "leaves", ())])


@receiver([post_save, post_delete], sender=Tag)
def raise_version_of_tag(sender: Any, instance: Tag, created: bool = False, **_: Any) -> None:
    # Any model may have a tag that gets another name.
    CatalogVersion.objects.bump([] if created else None)


@receiver(m2m_changed, sender=AIModel.tags.through)
def raise_version_of_tagged_models(sender: Any, instance: Any, reverse: bool, **_: Any) -> None:
    CatalogVersion.objects.bump(None if reverse else [instance.pk])


@receiver([post_save, post_delete], sender=Group)
@receiver([post_save, post_delete], sender=Flag)
def raise_version_of_groups_and_flags(sender: Any, **_: Any) -> None:
    # A caller has other groups and flags then, and so another fingerprint.
    CatalogVersion.objects.bump([])


@receiver(pre_delete, sender=AIModel)
def take_base_from_custom_models(sender: Any, instance: AIModel, **_: Any) -> None:
    # The database would clear the column without a call of the queryset, and leave the derived fields as they were.
    AIModel.objects.filter(base_model=instance.pk).update(base_model=None)


@receiver(pre_delete, sender=User)
def take_owner_from_custom_models(sender: Any, instance: Any, **_: Any) -> None:
    AIModel.objects.filter(owner=instance.pk).update(owner=None)


@receiver(post_save, sender=User)
def refresh_models_of_owner(sender: Any, instance: Any, created: bool, update_fields: Any = None, **_: Any) -> None:
    # Each sign-in writes `last_login`; only what is shown of an owner counts.
    if created or (update_fields is not None and set(update_fields) <= {"last_login", "password"}):
        return
    keys = list(AIModel.objects.filter(owner=instance.pk).values_list("pk", flat=True))
    if keys:
        derived.refresh(AIModel, keys)
        CatalogVersion.objects.bump(keys)


@receiver(pre_delete, sender=Flag)
def refuse_deletion_of_required_flag(sender: Any, instance: Any, **_: Any) -> None:
    if models := list(flags.required_by(instance.name)[:20]):
        raise ProtectedError(f"Models require the flag {instance.name}.", set(models))


@receiver(pre_save, sender=Flag)
def refuse_renaming_of_required_flag(sender: Any, instance: Any, raw: bool = False, **_: Any) -> None:
    if instance.pk is None or raw:
        return
    old = sender.objects.filter(pk=instance.pk).values_list("name", flat=True).first()
    if old is not None and old != instance.name and flags.required_by(old).exists():
        raise ValidationError({"name": f"Models require the flag {old}; it keeps its name."}, code="flag_required")
