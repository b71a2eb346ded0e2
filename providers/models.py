"""Providers, what they offer, and the runs that read it."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from catalog.db.fields import ExactCharField, StoredJSON
from catalog.models import AIModel, FieldChange
from catalog.validation import shapes
from catalog.validation.values import MAX_INTEGER, validate_json, validate_line


class Provider(models.Model):
    """An upstream that we sync from."""

    slug = ExactCharField(
        max_length=64,
        unique=True,
        validators=[RegexValidator(r"\A[a-z0-9][a-z0-9._-]*\Z", "Lower-case letters, digits, dot, dash, underscore.")],
        help_text="The beginning of its models' ids (but OpenRouter's, which bring their authors).",
    )
    name = models.CharField(max_length=128, validators=[validate_line])
    kind = models.CharField(max_length=32, help_text="Which adapter reads it.")
    base_url = models.CharField(
        max_length=500, blank=True, help_text="Blank: the adapter's own address, or the environment's."
    )
    precedence = models.IntegerField(default=100, help_text="Lower wins where sources differ.")
    is_active = models.BooleanField(default=True)
    # The credential as ciphertext, with the origin that it was entered for: it goes to no other.
    credential = models.TextField(blank=True, editable=False)
    credential_hint = models.CharField(max_length=8, blank=True, editable=False)
    credential_origin = models.CharField(max_length=500, blank=True, editable=False)
    credential_refused_at = models.DateTimeField(null=True, editable=False)
    new_models_active = models.BooleanField("new models arrive active", default=True)
    new_models_groups = models.ManyToManyField(
        Group, blank=True, related_name="+", help_text="New models arrive only for these groups. None: for all."
    )
    # The lease that keeps two syncs apart. `lease_token` fences: only its holder may write.
    lease_token = models.CharField(max_length=64, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    lease_holder = models.CharField(max_length=255, blank=True, editable=False, help_text="host:pid:start of process")
    last_success_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("precedence", "slug")
        permissions = (("sync_provider", "Can sync providers and decide held runs"),)

    def __str__(self) -> str:
        return self.slug


class ProviderModelQuerySet(models.QuerySet["ProviderModel"]):
    def live(self) -> ProviderModelQuerySet:
        """Those that count now, as `ProviderModel.is_live` says of one; what only describes models is among them."""
        return self.filter(is_listed=True, active=True, provider__is_active=True)


class ProviderModel(models.Model):
    """One model as one provider offers it."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="offers")
    upstream_id = ExactCharField("upstream id", max_length=255)
    listing = models.CharField(max_length=32, help_text="Which of the provider's listings it stands in.")
    model = models.ForeignKey(AIModel, null=True, blank=True, on_delete=models.SET_NULL, related_name="offers")
    display_name = models.CharField(max_length=255, blank=True, validators=[validate_line])
    category = models.CharField(max_length=64, blank=True, validators=[validate_line])
    order = models.IntegerField(default=0, validators=[MinValueValidator(-MAX_INTEGER), MaxValueValidator(MAX_INTEGER)])
    facts = StoredJSON(default=dict, editable=False, help_text="What it says of the model's synced fields.")
    pricing = StoredJSON(
        default=dict, shape=shapes.prices, blank=True, help_text="USD as exact decimal text; absent: unknown."
    )
    context_length = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_INTEGER)]
    )
    max_output_tokens = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_INTEGER)]
    )
    flags = StoredJSON(default=dict, blank=True, validators=[validate_json])
    active = models.BooleanField(default=True, help_text="Without it the offer counts for nothing.")
    is_listed = models.BooleanField(default=True, editable=False)
    pinned_fields = StoredJSON(default=list, shape=shapes.words, blank=True, editable=False)
    upstream = StoredJSON(default=dict, editable=False, help_text="field -> what upstream says of a pinned one.")
    first_listed_at = models.DateTimeField(default=timezone.now, editable=False)
    unlisted_at = models.DateTimeField(null=True, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ProviderModelQuerySet.as_manager()

    class Meta:
        verbose_name = "provider model"
        ordering = ("provider", "order", "upstream_id")
        constraints = (models.UniqueConstraint(name="offer_once", fields=("provider", "upstream_id")),)
        indexes = (models.Index(fields=("provider", "listing", "is_listed"), name="offer_listed"),)

    def __str__(self) -> str:
        return f"{self.provider_id and self.provider.slug}: {self.upstream_id}"

    @property
    def state(self) -> str:
        return f"{'on' if self.active else 'off'} · {'listed' if self.is_listed else 'not listed'}"

    def is_live(self, provider: Provider) -> bool:
        """Whether it counts now: listed, and neither it nor `provider`, its own, is switched off."""
        return self.is_listed and self.active and provider.is_active


class SyncRun(models.Model):
    """One reading of one provider, and what came of it."""

    class State(models.TextChoices):
        RUNNING = "running"
        OK = "ok"
        PARTIAL = "partial"
        HELD = "held"
        FAILED = "failed"
        INTERRUPTED = "interrupted"
        SUPERSEDED = "superseded"

    class Decision(models.TextChoices):
        ACCEPTED = "accepted"
        REJECTED = "rejected"

    provider = models.ForeignKey(Provider, null=True, on_delete=models.SET_NULL, related_name="runs")
    deleted_provider = models.CharField(max_length=64, blank=True, help_text="Its provider's slug, where that is gone.")
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=12, choices=State, default=State.RUNNING)
    trigger = models.CharField(max_length=64, blank=True, help_text="command, admin, request, schedule")
    triggered_by = models.CharField(max_length=255, blank=True)
    holder = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=64, blank=True, help_text="Machine word of a failure or hold.")
    message = models.TextField(blank=True, help_text="The same in a sentence.")
    counts = StoredJSON(default=dict, help_text="added, updated, retired, returned, unchanged, bad, ...")
    # Size of each listing that was compared: listing -> number of models.
    sizes = StoredJSON(default=dict)
    problems = StoredJSON(default=list, help_text="[{index, id, reason}] of records that failed.")
    held = StoredJSON(default=dict, help_text="What waits for a person: {removals: [...]} or the whole listings.")
    decision = models.CharField(max_length=8, choices=Decision, blank=True)
    decided_by = models.CharField(max_length=255, blank=True)
    decided_at = models.DateTimeField(null=True)
    # A run that lost nothing, or that a person confirmed: the size that later runs are measured against.
    confirmed = models.BooleanField(default=False)

    class Meta:
        verbose_name = "sync run"
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                name="run_state_known",
                condition=Q(state__in=("running", "ok", "partial", "held", "failed", "interrupted", "superseded")),
            ),
        )
        indexes = (models.Index(fields=("provider", "-id"), name="run_of_provider"),)

    def __str__(self) -> str:
        return f"run {self.pk} of {self.source}"

    @property
    def source(self) -> str:
        """The slug of the provider that was read, also where that has been deleted."""
        return self.provider.slug if self.provider else self.deleted_provider

    @property
    def outcome(self) -> str:
        """How it ended, in words: of a run that was held and decided on, that it holds nothing any more."""
        return f"Was held; {self.decision} since" if self.decision else self.get_state_display()

    @property
    def told(self) -> str:
        """Why it ended as it did; of one that was accepted in part, how much of it still waits."""
        if self.decision or not (accepted := self.counts.get("accepted")):
            return self.message
        return f"{self.message} Accepted since: {accepted}. Still waiting: {self.counts['held']}."

    @property
    def changes(self) -> models.QuerySet[FieldChange]:
        return FieldChange.objects.filter(run_id=self.pk)


class ProviderCopy(models.Model):
    """A provider's answer as the provider lists serve it: one row a provider and listing."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="copies")
    listing = models.CharField(max_length=32)
    items = StoredJSON(default=list)
    fetched_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True, help_text="When upstream could not be read, if that is the last news.")
    # One caller renews a copy at a time: the others are served the copy at hand until then. After a failure: when
    # upstream is asked again.
    renewing_until = models.DateTimeField(null=True)
    error = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(name="copy_once", fields=("provider", "listing")),)

    def __str__(self) -> str:
        return f"{self.provider.slug} {self.listing}"
