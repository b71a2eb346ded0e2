"""API keys, and the requests counted against their limits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from catalog.access.callers import GroupPrincipal
from catalog.db.fields import ExactCharField, StoredJSON
from catalog.validation.values import MAX_INTEGER, validate_line


class Scope(models.TextChoices):
    """What a key may do besides seeing and using what its owner may."""

    MODELS_READ = "models:read", "read the catalog, settings and keys"
    PREFERENCES_WRITE = "preferences:write", "switch models and change settings"
    CUSTOM_MODELS_WRITE = "custom_models:write", "make and change custom models"
    KEYS_WRITE = "keys:write", "make keys within itself, change and rotate them and itself"


class WhyNot(models.TextChoices):
    """Why a key does not work: a word for lists, and words for whoever has the key."""

    REVOKED = "revoked", "revoked"
    OFF_BY_STAFF = "off by staff", "switched off by your staff"
    OFF = "off", "switched off"
    OWNER_OFF = "owner off", "its owner is inactive"
    MAKER_OFF = "maker off", "the key that it was made with does not work"
    EXPIRED = "expired", "expired"
    MAKER_EXPIRED = "maker expired", "the key that it was made with has expired"


# What only a person has: no key of a group writes it.
PERSONAL_SCOPES = frozenset({Scope.PREFERENCES_WRITE, Scope.KEYS_WRITE})
DEFAULT_SCOPES = (Scope.MODELS_READ, Scope.PREFERENCES_WRITE)


def default_scopes() -> list[str]:
    return [str(scope) for scope in DEFAULT_SCOPES]


def default_scopes_of_a_group() -> list[str]:
    return [str(scope) for scope in DEFAULT_SCOPES if scope not in PERSONAL_SCOPES]


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def unrevoked(self) -> ApiKeyQuerySet:
        """Keys that still exist for their owners; the rows of revoked ones stay for the audit log."""
        return self.filter(revoked_at=None)

    def of_user(self, user: Any) -> ApiKeyQuerySet:
        return self.unrevoked().filter(user=user.pk)

    def within(self, key: ApiKey) -> ApiKeyQuerySet:
        """The key itself and those that were made with it."""
        return self.unrevoked().filter(Q(pk=key.pk) | Q(made_with=key.pk), user=key.user_id, group=key.group_id)

    def of_groups(self, groups: Iterable[int]) -> ApiKeyQuerySet:
        return self.unrevoked().filter(group__in=sorted(groups))


class ApiKey(models.Model):
    """A credential of one user or group. The secret is stored as a keyed hash; the pepper is outside the database.

    A group's key sees what a member of this group alone would who has set nothing, and outlives whoever made it.
    """

    class Mode(models.TextChoices):
        ALL = "all", "every model that its owner may use"
        ALLOW_LIST = "allow_list", "only these"
        DENY_LIST = "deny_list", "all but these"

    key_id = ExactCharField(max_length=32, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys"
    )
    # A deleted group ends its keys at once.
    group = models.ForeignKey("auth.Group", null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=128, validators=[validate_line])
    hint = models.CharField(max_length=32, editable=False, help_text="Prefix and last four characters.")
    secret_hash = models.CharField(max_length=128, editable=False)
    pepper_id = models.CharField(max_length=64, editable=False)
    # After a rotation the secret before holds until then.
    previous_hash = models.CharField(max_length=128, blank=True, editable=False)
    previous_pepper_id = models.CharField(max_length=64, blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.ALL)
    patterns = StoredJSON(default=list, blank=True, help_text="Model ids, in which only * is special.")
    scopes = StoredJSON(default=default_scopes)
    per_minute = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_INTEGER)]
    )
    per_day = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_INTEGER)]
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    # By staff: the owner cannot switch it on again.
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

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(
                name="key_of_a_user_or_a_group",
                condition=Q(user__isnull=False, group=None) | Q(user=None, group__isnull=False),
                violation_error_message="A key belongs to a user or to a group.",
            ),
            models.CheckConstraint(name="key_mode_known", condition=Q(mode__in=("all", "allow_list", "deny_list"))),
            models.CheckConstraint(name="key_per_minute_positive", condition=Q(per_minute=None) | Q(per_minute__gte=1)),
            models.CheckConstraint(name="key_per_day_positive", condition=Q(per_day=None) | Q(per_day__gte=1)),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

    @property
    def owner(self) -> Any:
        """The user, or the group as a GroupPrincipal."""
        return self.user if self.group is None else GroupPrincipal(self.group)

    def why_not(self, now: datetime) -> WhyNot | None:
        """Why the key, its owner and the key it was made with considered, does not work now; None where it does.

        What has expired comes last: only of a key that nobody has ended a request is told so.
        """
        maker = self.made_with
        reasons = {
            WhyNot.REVOKED: self.revoked_at is not None,
            WhyNot.OFF_BY_STAFF: not self.is_active and self.switched_off_by_staff,
            WhyNot.OFF: not self.is_active,
            WhyNot.OWNER_OFF: not self.owner.is_active,
            WhyNot.MAKER_OFF: maker is not None and (not maker.is_active or maker.revoked_at is not None),
            WhyNot.EXPIRED: self.has_expired(now),
            WhyNot.MAKER_EXPIRED: maker is not None and maker.has_expired(now),
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def is_alive(self, now: datetime) -> bool:
        """Whether the row itself holds at this moment, whatever became of its owner and the key it was made with."""
        return self.is_active and self.revoked_at is None and not self.has_expired(now)

    def has_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    @property
    def is_restricted(self) -> bool:
        """Whether the key may name less than every model that its owner sees."""
        return self.mode != self.Mode.ALL or (self.made_with is not None and self.made_with.mode != self.Mode.ALL)

    @property
    def is_limited(self) -> bool:
        return self.per_minute is not None or self.per_day is not None


class ExportTokenQuerySet(models.QuerySet["ExportToken"]):
    def unrevoked(self) -> ExportTokenQuerySet:
        """Those that are not revoked by themselves; the rows of revoked ones stay, for whoever still asks with one."""
        return self.filter(revoked_at=None)


class ExportToken(models.Model):
    """What opens the exports of one key, in their address: for clients that send no header. It only reads."""

    export_id = ExactCharField(max_length=32, unique=True, editable=False)
    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="exports", verbose_name="API key")
    name = models.CharField(max_length=128, validators=[validate_line])
    hint = models.CharField(max_length=32, editable=False, help_text="Prefix and last four characters.")
    token_hash = models.CharField(max_length=128, editable=False)
    pepper_id = models.CharField(max_length=64, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects = ExportTokenQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"


class RequestCount(models.Model):
    """How many requests a limited key has made in its running minute and day.

    Both windows are one row, so that one statement counts a request in both or in neither. Milliseconds since the
    epoch, by the clock of the database where it has one.
    """

    key = models.OneToOneField(ApiKey, primary_key=True, on_delete=models.CASCADE, related_name="request_count")
    minute_started = models.BigIntegerField()
    minute_count = models.BigIntegerField()
    day_started = models.BigIntegerField()
    day_count = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.minute_count} in this minute, {self.day_count} in this day"
