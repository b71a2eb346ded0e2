"""What upstreams list, made up for tests, and the state of the catalog that a sync may or may not change."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings

from catalog.models import AIModel
from providers.models import Provider
from providers.reading.reader import Reader
from providers.reading.records import ParsedListing

DATA = Path(settings.BASE_DIR) / "tests" / "data"
OPENROUTER = DATA / "openrouter"
DAYS = ("2026-07-31", "2026-08-01", "2026-08-07", "2026-08-21", "2026-08-22")
# What may move in a run that changes nothing.
HISTORY = ("providers.SyncRun",)
MOVING = ("last_synced_at", "last_success_at", "lease_token", "lease_until", "lease_holder")


def day(date: str) -> Path:
    return OPENROUTER / f"models_{date}.json"


def record(model_id: str, **fields: Any) -> dict[str, Any]:
    """One record of OpenRouter's; `prompt` and `completion` are its prices, any other name a key of the record."""
    pricing = {"prompt": fields.pop("prompt", "0.000001"), "completion": fields.pop("completion", "0.000002")}
    produced = fields.pop("produces", "text")
    return {
        "id": model_id,
        "canonical_slug": model_id,
        "name": model_id.rpartition("/")[2],
        "created": 1_700_000_000,
        "description": f"About {model_id}.",
        "context_length": 8192,
        "architecture": {"input_modalities": ["text"], "output_modalities": [produced], "tokenizer": "Other"},
        "pricing": {name: price for name, price in pricing.items() if price is not None},
        "top_provider": {"context_length": 8192, "max_completion_tokens": 4096, "is_moderated": False},
        "supported_parameters": ["max_tokens", "tools"],
        **fields,
    }


def feed(records: Iterable[Any] | int, **fields: Any) -> dict[str, Any]:
    """An answer with these records, or with so many."""
    if isinstance(records, int):
        records = [record(f"acme/m{number:04}", **fields) for number in range(records)]
    return {"data": list(records)}


def saved(folder: Path, payload: Any) -> Path:
    """The payload as a file (text and bytes as they are)."""
    path = folder / "answer.json"
    data = payload if isinstance(payload, bytes) else payload.encode() if isinstance(payload, str) else None
    path.write_bytes(json.dumps(payload).encode() if data is None else data)
    return path


def fingerprint() -> str:
    """Of every row of the catalog and the providers, less the history of runs and the times of reading."""
    digest = hashlib.sha256()
    for app in ("catalog", "providers"):
        for model in apps.get_app_config(app).get_models(include_auto_created=True):
            if model._meta.label in HISTORY:
                continue
            names = [field.attname for field in model._meta.concrete_fields if field.name not in MOVING]
            for row in model._default_manager.order_by("pk").values_list(*names):
                digest.update(repr((model._meta.label, row)).encode())
    return digest.hexdigest()


def available() -> set[str]:
    """Ids of the language models that are available."""
    rows = AIModel.objects.filter(is_available=True).exclude(supports_embeddings=True)
    return set(rows.values_list("model_id", flat=True))


class Meddling:
    """A reader that answers with `payload`, and during whose reading something happens."""

    def __init__(self, provider: Provider, payload: Any, happens: Callable[[], Any]) -> None:
        self.provider, self.payload, self.happens = provider, payload, happens
        self.listings, self.sent_credential = ["language"], False

    def fetch(self, listing: str) -> ParsedListing:
        self.happens()
        return Reader(self.provider).parse(self.payload, listing)
