"""What real clients are shown: the models of a recorded answer and some made to be awkward, by a full and a narrow key."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.utils import timezone

from catalog.models import AIModel
from providers.models import Provider
from providers.sync.run import sync
from tests.feeds import DAYS, day

HERE = Path(__file__).parent
HOME = os.environ.get("ACCEPTANCE_HOME", "")
NARROW = ("acme/", "anthropic/")
# Their limits and prices. Of some nobody knows the one or the other.
AWKWARD: dict[str, tuple[int | None, str | None]] = {
    "acme/first": (128_000, "0.0000025"),
    "acme/free": (8192, "0"),
    "acme/bare": (None, None),
    "org/deep/er:Q4_K_M": (4096, None),
    "é/ü": (None, "0.00000000028"),
}


class Row(NamedTuple):
    """What the catalog says of a model: its kind, its limit, and US dollars a token as texts, where known."""

    kind: str
    limit: int | None
    prompt: str | None
    completion: str | None


class World(NamedTuple):
    """The rows by id, first those that lists show first, and two keys."""

    rows: dict[str, Row]
    full: str
    narrow: str

    def seen(self, key: str, *kinds: str) -> list[str]:
        """The ids that the key named so may see, of these kinds or of all, in the order of lists."""
        return [
            model_id
            for model_id, row in self.rows.items()
            if (not kinds or row.kind in kinds) and (key == "full" or model_id.startswith(NARROW))
        ]

    def limits(self, ids: list[str]) -> dict[str, int | None]:
        return {model_id: self.rows[model_id].limit for model_id in ids}


@pytest.fixture
def world(make_user: Any, make_model: Any, make_key: Any) -> World:
    for priority, (model_id, (limit, price)) in enumerate(AWKWARD.items()):
        pricing = {} if price is None else {"prompt": price, "completion": price}
        make_model(model_id, context_length=limit, pricing=pricing, priority=1000 - priority)
    # Fields that a client could choke on.
    next_month = timezone.now().date() + timedelta(days=30)
    make_model("acme/vectors", supports_embeddings=True, retires_at=next_month)
    make_model("acme/files", input_modalities=["file"], active=False)
    make_model("acme/retired", is_available=False)
    AIModel.objects.filter(model_id="acme/first").update(
        input_modalities=["text", "file", "image"], output_modalities=["text"], retires_at=next_month
    )
    openrouter = Provider.objects.get_or_create(slug="openrouter", defaults={"kind": "openrouter"})[0]
    assert sync(openrouter, path=day(DAYS[-1])).counts["added"] == 421
    found = AIModel.objects.filter(is_available=True, active=True).order_by("-priority", "model_id")
    rows = {
        model.model_id: Row(
            model.capabilities[0],
            model.context_length,
            *((model.pricing or {}).get(name) for name in ("prompt", "completion")),
        )
        for model in found
    }
    alice = make_user("alice")
    narrow = make_key(alice, allow=[f"{start}*" for start in NARROW])
    return World(rows, make_key(alice).token, narrow.token)


def told(*command: Any, **environment: str) -> Any:
    """What the command prints as JSON."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=HOME, env={**os.environ, **environment}, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


both_keys = pytest.mark.parametrize("key", ["full", "narrow"])
installed = [
    pytest.mark.skipif(not HOME, reason="real clients are not installed; `make acceptance` installs them"),
    pytest.mark.django_db(transaction=True),
]
