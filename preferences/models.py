"""What each user has set for themselves, and the defaults of groups and of the site."""

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.utils import timezone

from catalog.models import AIModel


class Profile(models.Model):
    """One user's settings. `version` grows with each change of the user's preferences, for caches and ETags."""

    class Theme(models.TextChoices):
        SYSTEM = "system", "as the system"
        LIGHT = "light", "light"
        DARK = "dark", "dark"

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile")
    default_model = models.ForeignKey(
        AIModel, null=True, blank=True, on_delete=models.SET_NULL, related_name="default_of_profiles"
    )
    theme = models.CharField(max_length=6, choices=Theme, default=Theme.SYSTEM)
    # When the user switched off that new models are enabled for them; NULL while they are.
    no_new_since = models.DateTimeField(null=True, blank=True)
    version = models.BigIntegerField(default=0, editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(name="profile_theme_known", condition=Q(theme__in=("system", "light", "dark"))),
        )

    def __str__(self) -> str:
        return f"profile of {self.user}"

    @property
    def auto_enable_new_models(self) -> bool:
        return self.no_new_since is None


class ModelPreference(models.Model):
    """A user's own switch of one model."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="model_preferences")
    model = models.ForeignKey(AIModel, on_delete=models.CASCADE, related_name="preferences")
    is_enabled = models.BooleanField()
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(name="preference_once", fields=("user", "model")),)

    def __str__(self) -> str:
        return f"{self.user}: {self.model} {'on' if self.is_enabled else 'off'}"


class DefaultModel(models.Model):
    """The default model of a group, or of the site where `group` is empty."""

    group = models.OneToOneField(
        Group,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="default_model",
        help_text="Blank: the site.",
    )
    model = models.ForeignKey(AIModel, on_delete=models.CASCADE, related_name="default_of")
    rank = models.IntegerField(default=0, help_text="Of a user's groups, the one with the higher rank decides.")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                name="one_default_for_the_site",
                fields=("rank",),
                condition=Q(group=None),
                violation_error_message="The site has a default already.",
            ),
            models.CheckConstraint(
                name="site_default_has_rank_0",
                condition=Q(group__isnull=False) | Q(rank=0),
                violation_error_message="The site's default has rank 0.",
            ),
        )

    def __str__(self) -> str:
        return f"default of {self.group or 'the site'}: {self.model}"
