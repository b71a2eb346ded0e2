"""The rows of the catalog: AI models, their tags, grants and history, and the catalog's version."""

from catalog.models.ai_models import AIModel, AIModelQuerySet, CustomModel
from catalog.models.grants import AccessGrant
from catalog.models.history import AuditEntry, FieldChange, SentForm
from catalog.models.images import ModelImage
from catalog.models.tags import Tag
from catalog.versions import CatalogChange, CatalogVersion

__all__ = [
    "AIModel",
    "AIModelQuerySet",
    "AccessGrant",
    "AuditEntry",
    "CatalogChange",
    "CatalogVersion",
    "CustomModel",
    "FieldChange",
    "ModelImage",
    "SentForm",
    "Tag",
]
