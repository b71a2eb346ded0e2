"""What Codex reads: /v1/models with `client_version`. One field that it does not know empties its whole list."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import orjson
from rest_framework import serializers

from catalog.api.serializers.answers import Always, AnswerSerializer
from catalog.api.snapshot import RenderedModel, VisibleCatalog
from catalog.capabilities import CHAT
from catalog.dialects.base import Dialect, Facts, Rows, usable
from config.api.pieces import Pieces, listed

# The words that every version of it knows; another one loses the list.
MODALITIES = ("text", "image")
VERBOSITIES = ("low", "medium", "high")


class CodexReasoningLevelSerializer(AnswerSerializer):
    effort = serializers.CharField()
    description = serializers.CharField(allow_blank=True)

    def reader(self, source: str) -> Any:
        return itemgetter(source)


class CodexUpgradeSerializer(serializers.Serializer):
    model = serializers.CharField()
    migration_markdown = serializers.CharField()


class CodexModelSerializer(AnswerSerializer):
    """A model as Codex reads it; what is unknown and not required is absent."""

    slug = serializers.CharField(source="id")
    display_name = serializers.CharField(source="name")
    description = serializers.CharField(required=False)
    supported_reasoning_levels = CodexReasoningLevelSerializer(many=True)
    default_reasoning_level = serializers.CharField(required=False)
    shell_type = Always("shell_command")
    visibility = Always("list")
    supported_in_api = serializers.BooleanField()
    priority = serializers.IntegerField(help_text="Lower first: the opposite of the catalog's.")
    support_verbosity = serializers.BooleanField()
    default_verbosity = serializers.CharField(required=False)
    # It wants one; nobody tells us how much of a tool's output a model should be given.
    truncation_policy = Always({"mode": "tokens", "limit": 10_000})
    experimental_supported_tools = Always([])
    base_instructions = Always("")
    context_window = serializers.IntegerField(required=False)
    input_modalities = serializers.ListField(child=serializers.CharField(), required=False)
    supports_parallel_tool_calls = serializers.BooleanField(required=False)
    upgrade = CodexUpgradeSerializer(required=False, help_text="Where the caller may use what replaces the model.")

    of_caller = frozenset({"upgrade"})

    def get_priority(self, facts: Facts) -> int:
        return -int(facts.priority)

    def get_support_verbosity(self, facts: Facts) -> bool:
        return bool(facts.support_verbosity)

    def get_default_verbosity(self, facts: Facts) -> str | None:
        return facts.default_verbosity if facts.default_verbosity in VERBOSITIES else None

    def get_default_reasoning_level(self, facts: Facts) -> Any:
        efforts = [level["effort"] for level in facts.supported_reasoning_levels]
        return facts.default_reasoning_level if facts.default_reasoning_level in efforts else None

    def get_input_modalities(self, facts: Facts) -> list[str]:
        return [word for word in facts.input_modalities if word in MODALITIES]


class CodexCatalogSerializer(serializers.Serializer):
    models = CodexModelSerializer(many=True)


ROWS = Rows("codex", CodexModelSerializer(), only=(CHAT,))


def catalog(view: VisibleCatalog) -> bytes | Pieces:
    rows = []
    for rendered_model in usable(view):
        if row := ROWS.of(rendered_model):
            rows.append(_upgraded(row, view, rendered_model))
    return listed(b'{"models":[', rows, b"]}")


def _upgraded(row: bytes, view: VisibleCatalog, rendered_model: RenderedModel) -> bytes:
    """The row with what replaces the model, where that is in the caller's list too."""
    successor = view.usable(rendered_model.successor)
    if successor is None or not ROWS.of(successor):
        return row
    told = f"`{rendered_model.model_id}` is being retired; `{successor.model_id}` replaces it."
    return row[:-1] + b',"upgrade":' + orjson.dumps({"model": successor.model_id, "migration_markdown": told}) + b"}"


DIALECT = Dialect("codex", "/v1/models?client_version=0.171.0", catalog)
