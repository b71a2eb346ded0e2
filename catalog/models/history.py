"""Who changed what and when, and the forms of the admin that were sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Subquery
from django.utils import timezone

from catalog.db.fields import ExactCharField, StoredJSON
from catalog.formatting import label
from catalog.models.ai_models import AIModel
from catalog.versions import CatalogVersion

_MANY = 50

# The field of a row that tells why its person made the changes beside it.
REASON = "reason"

# Of the audit log, in words: what was done, and to what kind of thing.
PAST = {
    "added": "made", "add": "made", "create": "made", "changed": "changed", "change": "changed", "deleted": "deleted",
    "delete": "deleted", "revoke": "revoked", "rotate": "gave another secret to",
    "apply held run": "accepted what waited in", "reject held run": "rejected what waited in",
    "enable provider models": "enabled models of", "disable provider models": "disabled models of",
    "allow_shrink": "let a sync shrink", "unlock": "unlocked",
}  # fmt: skip
NOUNS = {
    "apikey": "key", "syncrun": "", "accessattempt": "", "exporttoken": "export token", "defaultmodel": "default model",
}  # fmt: skip


def _reasons(rows: Iterable[FieldChange]) -> list[FieldChange]:
    """For each model that was changed for a reason, the row that tells it."""
    found: dict[str, FieldChange] = {}
    copied = ("model_id", "subject", "changed_at", "source", "user_id", "actor", "run_id")
    for row in rows:
        if row.reason:
            told = {name: getattr(row, name) for name in copied}
            found.setdefault(row.subject, FieldChange(field=REASON, new=row.reason, **told))
    return list(found.values())


class FieldChangeManager(models.Manager["FieldChange"]):
    def bulk_create(self, objs: Iterable[FieldChange], *args: Any, **options: Any) -> list[FieldChange]:
        """Writes the rows under the version of the catalog that the caller's transaction makes."""
        with transaction.atomic(savepoint=False):
            # Its row stays locked until the transaction is over, so versions are committed in their order.
            CatalogVersion.objects.bump([])
            rows = list(objs)
            rows += _reasons(rows)
            # Read by the statement that writes the rows. Many are cheaper with a statement before them.
            version: Any = Subquery(CatalogVersion.objects.values("number")[:1])
            if len(rows) > _MANY:
                version = CatalogVersion.objects.current()
            for row in rows:
                row.version = version
            return super().bulk_create(rows, *args, **options)


class FieldChange(models.Model):
    """One change of one field of an AI model, or of one provider's offer of it.

    `field` is the field's name; `tags` and `grants` for what stands in other tables; `created` and `deleted` for the
    row itself; `reason` for why a person made the changes beside it. History stays when its model is deleted: `subject`
    is the model's id at the time.
    """

    # Not stored with each row: `bulk_create` writes it once for each model.
    reason = ""

    class Source(models.TextChoices):
        PERSON = "person", "person"
        SYNC = "sync", "sync"
        CURATED = "curated", "curated list"

    model = models.ForeignKey(AIModel, null=True, on_delete=models.SET_NULL, related_name="changes")
    subject = ExactCharField(max_length=255)
    offered_by = ExactCharField(max_length=64, blank=True, help_text="The provider whose offer changed, or blank.")
    field = models.CharField(max_length=64)
    old = StoredJSON(null=True)
    new = StoredJSON(null=True)
    changed_at = models.DateTimeField(default=timezone.now)
    source = models.CharField(max_length=8, choices=Source)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor = models.CharField(max_length=255, blank=True, help_text="Who it was, in words that outlive the account.")
    run_id = models.BigIntegerField(null=True, help_text="The sync run that made it.")
    # With the row's key, the order in which changes were committed; 0: from before that was noted.
    version = models.BigIntegerField(default=0, db_default=0, editable=False)

    objects = FieldChangeManager()

    class Meta:
        verbose_name = "change of a field"
        verbose_name_plural = "changes of fields"
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("model", "-id"), name="fieldchange_model"),
            models.Index(fields=("subject", "offered_by", "field", "-id"), name="fieldchange_subject"),
            models.Index(fields=("run_id", "id"), name="fieldchange_run"),
            models.Index(fields=("-changed_at",), name="fieldchange_when"),
            models.Index(fields=("version", "id"), name="fieldchange_order"),
        )

    def __str__(self) -> str:
        return f"{label(self.field)} of {self.subject}{f' at {self.offered_by}' if self.offered_by else ''}"


class AuditEntry(models.Model):
    """Who changed what beside the fields of AI models: keys, providers, grants, runs, preferences of the site."""

    subject_type = models.CharField(max_length=64)
    subject_id = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, help_text="Its name at the time.")
    action = models.CharField(max_length=64)
    changes = StoredJSON(default=dict, help_text="field -> [old, new]; never a secret.")
    at = models.DateTimeField(default=timezone.now, db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor = models.CharField(max_length=255, blank=True)

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ("-id",)
        indexes = (models.Index(fields=("subject_type", "subject_id", "-id"), name="audit_subject"),)

    def __str__(self) -> str:
        return f"{self.actor or 'somebody'} {self.done} {self.subject}"

    @property
    def done(self) -> str:
        """What was done and to what kind of thing: `made key`."""
        noun = NOUNS.get(self.subject_type, self.subject_type)
        return f"{PAST.get(self.action, self.action)} {noun}".strip()


class SentForm(models.Model):
    """A form of the admin that was sent, and what it made: sent once more, it makes nothing."""

    key = models.CharField(max_length=64, unique=True)
    made = models.CharField(max_length=255, help_text="The key of the row that it made.")
    told = models.CharField(max_length=255, help_text="Its name at the time.")
    at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.told
