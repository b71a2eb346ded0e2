"""The dialects: each is a line here, and a module."""

from __future__ import annotations

from catalog.dialects import (
    anthropic,
    codex,
    gateway,
    genai_prices,
    google,
    litellm,
    litellm_map,
    mlflow,
    modelsdev,
    ollama,
    openrouter,
    views,
)
from config.api import protocols

DIALECTS = (
    views.DIALECT,
    anthropic.DIALECT,
    codex.DIALECT,
    litellm.DIALECT,
    openrouter.DIALECT,
    google.DIALECT,
    gateway.DIALECT,
    ollama.DIALECT,
    modelsdev.DIALECT,
    litellm_map.DIALECT,
    mlflow.DIALECT,
    genai_prices.DIALECT,
)

routes = [route for dialect in DIALECTS for route in dialect.routes]


def register_protocols() -> None:
    protocols.register(*(dialect.protocol for dialect in DIALECTS if dialect.protocol))
