"""What preferences add to the catalog's own statements; `PreferencesConfig.ready()` registers it."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value

from catalog.access.viewers import Viewer
from catalog.models import AIModel
from preferences.models import DefaultModel, ModelPreference, Profile


def own_switches(user_id: int) -> QuerySet[ModelPreference]:
    """The user's own switches of models."""
    return ModelPreference.objects.filter(user=user_id)


def chosen_models(user_id: int) -> QuerySet[AIModel]:
    """What the user has switched on, and their default model."""
    switched_on = own_switches(user_id).filter(is_enabled=True).values("model")
    default = Profile.objects.filter(user=user_id, default_model__isnull=False).values("default_model")
    return AIModel.objects.filter(Q(pk__in=switched_on) | Q(pk__in=default))


def caller_columns(user: str) -> dict[str, Any]:
    """What a caller's statement reads of their profile; `user` is the path to the user's row."""
    return {
        "caller_preferences": F(f"{user}profile__version"),
        "caller_no_new_since": F(f"{user}profile__no_new_since"),
        "caller_theme": F(f"{user}profile__theme"),
    }


def default_marks(viewer: Viewer) -> dict[str, Any]:
    """Whose default each model is: the viewer's own, their groups' (its rank) and the site's."""
    defaults = DefaultModel.objects.filter(model=OuterRef("pk"))
    marks: dict[str, Any] = {"_site_default": Exists(defaults.filter(group=None))}
    nobodys = Value(None, output_field=IntegerField())
    own = Profile.objects.filter(user=viewer.user_id, default_model=OuterRef("pk"))
    of_groups = defaults.filter(group__in=sorted(viewer.groups)).order_by("-rank")
    return marks | {
        "_own_default": nobodys if viewer.user_id is None else Exists(own),
        "_group_default": nobodys if viewer.is_anonymous else Subquery(of_groups.values("rank")[:1]),
    }
