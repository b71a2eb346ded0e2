"""Grants: who may read or write an AI model."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

from catalog.models.ai_models import AIModel


class AccessGrant(models.Model):
    """Lets a user, a group or everyone read or write one AI model."""

    class Principal(models.TextChoices):
        USER = "user", "user"
        GROUP = "group", "group"
        EVERYONE = "everyone", "everyone"

    class Permission(models.TextChoices):
        READ = "read", "read"
        WRITE = "write", "read and write"

    model = models.ForeignKey(AIModel, on_delete=models.CASCADE, related_name="grants")
    principal_type = models.CharField(max_length=8, choices=Principal)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="model_grants"
    )
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.CASCADE, related_name="model_grants")
    permission = models.CharField(max_length=5, choices=Permission, default=Permission.READ)

    class Meta:
        verbose_name = "grant"
        ordering = ("model", "principal_type", "id")
        constraints = (
            models.CheckConstraint(
                name="grant_names_its_principal",
                condition=Q(principal_type="user", user__isnull=False, group=None)
                | Q(principal_type="group", user=None, group__isnull=False)
                | Q(principal_type="everyone", user=None, group=None),
                violation_error_message="Name the user or the group, as the type says; everyone has neither.",
            ),
            models.CheckConstraint(name="grant_permission_known", condition=Q(permission__in=("read", "write"))),
            models.UniqueConstraint(
                name="grant_once_a_user", fields=("model", "user"), condition=Q(user__isnull=False)
            ),
            models.UniqueConstraint(
                name="grant_once_a_group", fields=("model", "group"), condition=Q(group__isnull=False)
            ),
            models.UniqueConstraint(
                name="grant_once_everyone", fields=("model",), condition=Q(principal_type="everyone")
            ),
        )

    def __str__(self) -> str:
        return f"{self.who} may {self.permission} {self.model}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        # The mark stays when a group or user, and so the grant, is deleted: that narrows and never opens.
        AIModel.objects.filter(pk=self.model_id, restricted=False).update(restricted=True)
        super().save(*args, **kwargs)

    @property
    def who(self) -> str:
        return str({"user": self.user, "group": self.group}.get(self.principal_type, "everyone"))

    @property
    def principal_id(self) -> str:
        """The user's or group's id as text; "" for everyone."""
        return str(self.user_id or self.group_id or "")
