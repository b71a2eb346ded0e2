"""Tags of AI models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models

from catalog.db.fields import ExactCharField
from catalog.validation.text import fold
from catalog.validation.values import validate_line


class Tag(models.Model):
    """A word that groups models. Compared without case; shown as it was first written."""

    name = models.CharField(max_length=64, validators=[validate_line])
    key = ExactCharField(max_length=128, unique=True, editable=False)

    class Meta:
        ordering = ("key",)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name = " ".join(self.name.split())
        self.key = fold(self.name)
        super().save(*args, **kwargs)

    @classmethod
    def named(cls, names: Iterable[str]) -> list[Tag]:
        """The tags of these names, made where missing, in the order given, each once."""
        wanted: dict[str, str] = {}
        for name in (" ".join(name.split()) for name in names):
            wanted.setdefault(fold(name), name)
        found = {tag.key: tag for tag in cls.objects.filter(key__in=wanted)}
        for key, name in wanted.items():
            if key and key not in found:
                found[key] = cls.objects.get_or_create(key=key, defaults={"name": name})[0]
        return [found[key] for key in wanted if key]
