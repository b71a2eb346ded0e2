"""Reads an upstream for the provider lists."""

from __future__ import annotations

from providers.models import Provider


def reader(provider: Provider, listing: str):
    return None
