"""Writes of what users set for themselves. Each raises their profile's version in its transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from catalog import versions
from catalog.access.viewers import Viewer
from catalog.models import AIModel
from preferences.models import ModelPreference, Profile

# What a statement may name at once.
MAX_SWITCHES = 1000


class UnknownModels(Exception):
    """Ids that the viewer does not see, or that no model has."""

    def __init__(self, model_ids: list[str]) -> None:
        super().__init__(model_ids)
        self.model_ids = model_ids


def touch(user_id: int) -> None:
    """Raises the version of the user's preferences, in the caller's transaction; their writes then wait in line."""
    # As for the catalog: a profile made anew, restored, or saved with the number it was read with, repeats none that
    # a process may have kept.
    if not Profile.objects.filter(user=user_id).update(version=versions.after("version")):
        _, made = Profile.objects.get_or_create(user_id=user_id, defaults={"version": versions.first()})
        if not made:
            touch(user_id)


def _user(viewer: Viewer) -> int:
    if viewer.user_id is None:
        raise PermissionDenied("Only a user has preferences.")
    return viewer.user_id


def switch(viewer: Viewer, wanted: Mapping[str, bool]) -> None:
    """Switches these models, by id, on or off for the viewer: all of them or none. Raises UnknownModels."""
    user_id, now = _user(viewer), timezone.now()
    try:
        with transaction.atomic():
            touch(user_id)
            visible = AIModel.objects.visible_to(viewer).filter(model_id__in=list(wanted))
            pk_of = dict(visible.values_list("model_id", "pk"))
            if unknown := [model_id for model_id in wanted if model_id not in pk_of]:
                raise UnknownModels(unknown)
            ModelPreference.objects.bulk_create(
                [
                    ModelPreference(user_id=user_id, model_id=pk_of[model_id], is_enabled=is_enabled, updated_at=now)
                    for model_id, is_enabled in wanted.items()
                ],
                update_conflicts=True,
                unique_fields=["user", "model"],
                update_fields=["is_enabled", "updated_at"],
            )
    except IntegrityError as error:
        # One of them was deleted meanwhile.
        raise UnknownModels(list(wanted)) from error


def change_settings(viewer: Viewer, sent: Mapping[str, Any]) -> None:
    """Writes those of `default_model` (an id or None), `theme` and `auto_enable_new_models` that are sent.

    Raises ValidationError (by field) for a default model that the viewer may not use, and writes nothing.
    """
    user_id = _user(viewer)
    with transaction.atomic():
        touch(user_id)
        profile = Profile.objects.get(user=user_id)
        if "theme" in sent:
            profile.theme = sent["theme"]
        if "auto_enable_new_models" in sent:
            if sent["auto_enable_new_models"]:
                profile.no_new_since = None
            elif profile.no_new_since is None:
                profile.no_new_since = timezone.now()
        if "default_model" in sent:
            profile.default_model = _usable(replace(viewer, no_new_since=profile.no_new_since), sent["default_model"])
        profile.save(update_fields=["theme", "no_new_since", "default_model"])


def _usable(viewer: Viewer, model_id: str | None) -> AIModel | None:
    if model_id is None:
        return None
    model = AIModel.objects.usable_by(viewer).filter(model_id=model_id).first()
    if model is None:
        # The same words for an id that nobody has and one that is out of sight.
        raise ValidationError(
            {"default_model": ValidationError("This is no model that you may use.", code="model_not_usable")}
        )
    return model
