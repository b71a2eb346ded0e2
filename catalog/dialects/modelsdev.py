"""What models.dev publishes, for its clients, such as opencode and Kilo: /export/{token}/api.json."""

from __future__ import annotations

from typing import Any

import orjson
from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from catalog.access.digests import keyed
from catalog.api.serializers.answers import AnswerSerializer, WhereTrue
from catalog.api.snapshot import VisibleCatalog
from catalog.dialects.base import Dialect, Facts, Rows
from catalog.dialects.exports import ExportViewSet, FileSerializer, described, placed
from catalog.dialects.fields import Able, PricePerMillion

# A provider is shown to who has set this variable: the key for the address that the deployment names.
KEY_VARIABLE = "MODELDEX_API_KEY"
# Its words for modalities, where they are not ours.
_MODALITIES = {"file": "pdf"}


class ModelsDevLimitSerializer(AnswerSerializer):
    """Both are required, and 0 is the format's own word for unknown."""

    # The format's name, and one of a property of DRF's.
    context = serializers.IntegerField(help_text="Tokens.")  # type: ignore[assignment]
    output = serializers.IntegerField(help_text="Tokens.")

    def get_context(self, facts: Facts) -> int:
        return facts.context_length or 0

    def get_output(self, facts: Facts) -> int:
        return facts.max_output_tokens or 0


class ModelsDevCostSerializer(AnswerSerializer):
    """USD per million tokens."""

    input = PricePerMillion("prompt")
    output = PricePerMillion("completion")
    cache_read = PricePerMillion("input_cache_read", required=False)
    cache_write = PricePerMillion("input_cache_write", required=False)


class ModelsDevModalitiesSerializer(AnswerSerializer):
    input = serializers.ListField(child=serializers.CharField())
    output = serializers.ListField(child=serializers.CharField(), source="output_modalities")

    def get_input(self, facts: Facts) -> list[str]:
        return [_MODALITIES.get(word, word) for word in facts.input_modalities]


class ModelsDevModelSerializer(AnswerSerializer):
    """What is unknown is absent, but for limits. There is no `status`: any word of it hides the model."""

    id = serializers.CharField()
    name = serializers.CharField()
    attachment = WhereTrue()
    reasoning = Able("reasoning")
    tool_call = Able("tools")
    structured_output = Able("structured_output")
    modalities = ModelsDevModalitiesSerializer(source="*", required=False)
    limit = ModelsDevLimitSerializer(source="*")
    cost = ModelsDevCostSerializer(source="*", required=False)

    def get_attachment(self, facts: Facts) -> bool:
        return facts.can("vision") or "file" in facts.input_modalities

    def get_modalities(self, facts: Facts) -> Facts | None:
        return facts if facts.input_modalities and facts.output_modalities else None

    def get_cost(self, facts: Facts) -> Facts | None:
        # The format knows no half of it, and takes what is absent for 0.
        return facts if facts.knows("pricing") else None


class ModelsDevProviderSerializer(serializers.Serializer):
    id = serializers.CharField(help_text="The model's author.")
    name = serializers.CharField()
    env = serializers.ListField(child=serializers.CharField(), help_text="Set one of these to be shown the provider.")
    npm = serializers.CharField(help_text="EXPORT_API_NPM: what calls the models.")
    api = serializers.CharField(required=False, help_text="EXPORT_API_URL: where they are called.")
    models = serializers.DictField(child=ModelsDevModelSerializer())


class ModelsDevFileSerializer(FileSerializer):
    """The providers, by id."""

    child = ModelsDevProviderSerializer


ROWS = Rows("modelsdev", ModelsDevModelSerializer())


def document(view: VisibleCatalog, required: tuple[str, ...] = ()) -> bytes:
    called = {"npm": settings.EXPORT_API_NPM}
    if settings.EXPORT_API_URL:
        called["api"] = settings.EXPORT_API_URL
    providers: dict[str, dict[str, Any]] = {}
    for name, rest, _, row in placed(view, ROWS, required):
        new = {"id": name, "name": name, "env": [KEY_VARIABLE], **called, "models": {}}
        providers.setdefault(name, new)["models"][rest] = orjson.Fragment(row)
    return orjson.dumps(providers)


class ModelsDevViewSet(ExportViewSet):
    @described(
        "export_modelsdev",
        "The models that the token's key may use, as models.dev publishes them",
        ModelsDevFileSerializer,
        {
            "acme": {
                "id": "acme",
                "name": "acme",
                "env": [KEY_VARIABLE],
                "npm": "@ai-sdk/openai-compatible",
                "models": {
                    "large": {
                        "id": "acme/large",
                        "name": "Large",
                        "tool_call": True,
                        "limit": {"context": 128000, "output": 16384},
                        "cost": {"input": 2.5, "output": 10.0},
                    }
                },
            }
        },
    )
    def list(self, request: Request, token: str) -> HttpResponse:
        # What the deployment names is part of the file.
        called = keyed("export", f"{settings.EXPORT_API_URL} {settings.EXPORT_API_NPM}".encode())
        return self.exported(f"modelsdev-{called}", document)


DIALECT = Dialect.of_one_address(
    "models.dev", "/export/{token}/api.json", document, ModelsDevViewSet, "export-modelsdev"
)
