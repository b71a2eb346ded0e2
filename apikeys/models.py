"""API keys, and the counts that their limits are kept by."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from catalog.fields import ExactCharField
from catalog.textvalues import MAX_INTEGER, validate_line


class ApiKey(models.Model):
    """A credential of one user. The secret is kept as a keyed hash; the pepper is outside the database."""

    class Mode(models.TextChoices):
        ALL = "all", "every model that its owner may use"
        ALLOW_LIST = "allow_list", "only these"
        DENY_LIST = "deny_list", "all but these"

    key_id = ExactCharField(max_length=32, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=128, validators=[validate_line])
    hint = models.CharField(max_length=32, editable=False, help_text="Prefix and last four characters.")
    secret_hash = models.CharField(max_length=128, editable=False)
    pepper_id = models.CharField(max_length=64, editable=False)
    # After a rotation the secret before holds until then.
    previous_hash = models.CharField(max_length=128, blank=True, editable=False)
    previous_pepper_id = models.CharField(max_length=64, blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.ALL)
    patterns = models.JSONField(default=list, blank=True, help_text="Model ids, in which only * is special.")
    scopes = models.JSONField(default=list)
    per_minute = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_INTEGER)]
    )
    per_day = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_INTEGER)]
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    # Staff's word: the owner cannot switch it on again.
    switched_off_by_staff = models.BooleanField(default=False, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    # A key made with another key stays within it: its policy, scopes, expiry, activity and limits.
    made_with = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.CASCADE, related_name="made_keys"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "API key"
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(name="key_mode_known", condition=Q(mode__in=("all", "allow_list", "deny_list"))),
            models.CheckConstraint(name="key_per_minute_positive", condition=Q(per_minute=None) | Q(per_minute__gte=1)),
            models.CheckConstraint(name="key_per_day_positive", condition=Q(per_day=None) | Q(per_day__gte=1)),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"


class LimitWindow(models.Model):
    """How many requests a key has made in its running window; one row a key and period."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="windows")
    period = models.CharField(max_length=6)  # "minute" or "day"
    started_at = models.DateTimeField()
    count = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(name="window_once", fields=("key", "period")),)

    def __str__(self) -> str:
        return f"{self.count} in this {self.period}"
