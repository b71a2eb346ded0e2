"""The dialects: each is a line here, and a module."""

from __future__ import annotations

from catalog.dialects import anthropic, codex, views
from config.api import protocols

DIALECTS = (
    views.DIALECT,
    anthropic.DIALECT,
    codex.DIALECT,
)

routes = [route for dialect in DIALECTS for route in dialect.routes]


def register_protocols() -> None:
    protocols.register(*(dialect.protocol for dialect in DIALECTS if dialect.protocol))
