"""Pictures of custom models."""

from __future__ import annotations

from django.db import models

from catalog.models.ai_models import AIModel


class ModelImage(models.Model):
    """The picture of a custom model that was sent as a data URI; served from a URL of its own."""

    model = models.OneToOneField(AIModel, on_delete=models.CASCADE, related_name="image")
    content_type = models.CharField(max_length=32)
    data = models.BinaryField()
    digest = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"picture of {self.model}"
