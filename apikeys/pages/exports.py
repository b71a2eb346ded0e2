"""/me/keys/{id}/exports: the addresses of files for tools that send no header, made from one of the reader's keys."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from apikeys import exports, keys
from apikeys.models import ApiKey, ExportToken
from apikeys.pages.base import MOST_SHOWN, KeysBase, state_of
from apikeys.serializers import ExportTokenWriteSerializer
from catalog.editing import once
from catalog.pages.base import see_other
from catalog.pages.calling import Example


class ExportsPage(KeysBase):
    """Those of one key of the reader's. Another's is not there."""

    def get(self, request: HttpRequest, key_id: str) -> HttpResponse:
        return self._shown(self.own_key(key_id))

    def _shown(self, key: ApiKey, mistake: str = "", status: int = 400) -> HttpResponse:
        context = {
            "key": key,
            "state": state_of(key),
            "rows": ExportToken.objects.unrevoked().filter(key=key)[:MOST_SHOWN],
            "once": self.request.POST.get(once.FIELD) or once.word(),
            "typed": self.request.POST.get("name", ""),
            "mistake": mistake,
        }
        return self.show("me/exports.html", context, status if mistake else 200)

    def post(self, request: HttpRequest, key_id: str) -> HttpResponse:
        key, here = self.own_key(key_id), reverse("my-exports", args=[key_id])
        if once.made_before(self.form_key):
            messages.warning(request, "This form was sent before. Nothing was done again.")
            return see_other(here)
        try:
            if "revoke" in request.POST:
                self._revoke(key, request.POST["revoke"])
                return see_other(here)
            return self._made(key)
        except keys.Refused as refusal:
            return self._shown(key, str(refusal), 409)
        except ValidationError as error:
            return self._shown(key, " ".join(error.messages))

    def _revoke(self, key: ApiKey, export_id: str) -> None:
        export = get_object_or_404(ExportToken.objects.unrevoked(), key=key, export_id=export_id[:64])
        exports.revoke(export, self.actor)
        messages.success(self.request, f"Revoked: {export.name}. Whoever asks with it gets an empty file.")

    def _made(self, key: ApiKey) -> HttpResponse:
        sent = ExportTokenWriteSerializer(data={"name": self.request.POST.get("name", "")})
        if not sent.is_valid():
            raise ValidationError([str(text) for text in sent.errors["name"]])
        name = sent.validated_data["name"]
        try:
            with transaction.atomic():
                issued = exports.create(key, name, self.actor)
                once.remember(self.form_key, issued.export)
        except IntegrityError as error:
            raise keys.Conflict("This form was sent twice. Nothing was made again.") from error
        address = f"{self.origin}/export/{issued.token}"
        context = {"export": issued.export, "address": address, "tools": tools(address)}
        return self.show_once("me/export_once.html", context)


def tools(address: str) -> list[Example]:
    """What each tool is told; `address` is where the files of the token are. The README says what they show then."""
    prices = f"{address}/model_prices_and_context_window.json"
    # Without the last two it refuses a map that is smaller than its own.
    litellm = (
        f"export LITELLM_MODEL_COST_MAP_URL={prices}\n"
        "export MODEL_COST_MAP_MIN_MODEL_COUNT=1\nexport MODEL_COST_MAP_MAX_SHRINK_RATIO=0"
    )
    fetched = f"curl -o .aider.model.metadata.json {prices}"
    return [
        Example(
            "opencode, Kilo's CLI",
            "The variable's value is the key for the place where models are called.",
            f"export OPENCODE_MODELS_URL={address}\nexport MODELDEX_API_KEY=...",
        ),
        Example("LiteLLM", "Before it is imported.", litellm),
        Example(
            "aider",
            "With its file of prices.",
            f"{litellm}\n{fetched}\naider --model-metadata-file .aider.model.metadata.json",
        ),
        Example("MLflow", "For the cost of traces.", f"export MLFLOW_MODEL_CATALOG_URI={address}/mlflow"),
        Example(
            "Pydantic AI, Logfire",
            "With the package genai-prices.",
            "from genai_prices import UpdatePrices\n\n"
            f'with UpdatePrices(url="{address}/genai-prices.json") as prices:\n    prices.wait()',
        ),
        Example("Feed readers", "What changed, as an Atom feed.", f"{address}/changes.atom"),
    ]
