"""What the page of a deletion names, with no statement for each row."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.admin import utils

from catalog.models import AccessGrant

# Rows that only link two others, such as a tag and its models, have no name: they are counted, in these words.
for _links in apps.get_models(include_auto_created=True):
    if _links._meta.auto_created:
        _fields: Any = _links._meta.fields
        _ends = "-".join(str(field.related_model._meta.verbose_name) for field in _fields if field.related_model)
        _links._meta.verbose_name_plural = f"{_ends} links"


class _Deleted(utils.NestedObjects):
    """Of many grants it names each with its model."""

    def related_objects(self, related_model: Any, related_fields: Any, objs: Any) -> Any:
        found = super().related_objects(related_model, related_fields, objs)
        if related_model._meta.auto_created:
            if keys := set(found.values_list("pk", flat=True)):
                self.model_objs[related_model] |= keys
            return found.none()
        return found.select_related("model") if related_model is AccessGrant else found


utils.NestedObjects = _Deleted  # type: ignore[misc]
