"""Protocols of other people's clients: whose words a refusal has at an address, and which header may bring a key there.

Each is registered by the app that speaks it, in its `urls.py`. Our own protocol is what is left.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple


class RefusalDetails(NamedTuple):
    """What a refusal has to say, before anybody's envelope."""

    status: int
    code: str
    message: str
    request_id: str
    # On validation: field -> messages.
    errors: Mapping[str, list[str]] | None = None
    # Which parameter of the request it is about.
    param: str | None = None


@dataclass(frozen=True)
class Protocol:
    # How the OpenAPI document calls its parts.
    name: str
    # The first part of its addresses.
    root: str
    envelope: Callable[[RefusalDetails], dict[str, Any]]
    # The envelope and what it is made of, for the OpenAPI document: `<name>Refusal`, and whatever that refers to.
    schemas: Mapping[str, dict[str, Any]]
    # The header whose presence chooses it beside the protocol that has the root for itself.
    header: str = ""
    # The header that may bring a key besides Authorization.
    key_header: str = ""
    # The header in which its clients look for the request's id.
    id_header: str = ""

    @property
    def schema(self) -> dict[str, str]:
        return {"$ref": f"#/components/schemas/{self.name}Refusal"}


# By root, those that a header chooses first.
_registered: dict[str, list[Protocol]] = {}


def register(*protocols: Protocol) -> None:
    for protocol in protocols:
        beside = [other for other in _registered.get(protocol.root, []) if other.name != protocol.name]
        _registered[protocol.root] = sorted([*beside, protocol], key=lambda one: not one.header)


def registered() -> list[Protocol]:
    return [protocol for protocols in _registered.values() for protocol in protocols]


def headers_at(path: str) -> list[str]:
    """The headers that answers at this address depend on besides those that all do."""
    found = [protocol for word in first_words(path) for protocol in _registered.get(word, [])]
    return [header for protocol in found for header in (protocol.header, protocol.key_header) if header]


def roots() -> frozenset[str]:
    return frozenset(_registered)


@lru_cache(1000)
def first_words(path: str) -> frozenset[str]:
    """The first part of the address as sent and as meant: `//v1/models`, `/./v1`, `/V1/models` are a program's, too."""
    forms = (path, posixpath.normpath(path))
    return frozenset(next((part.lower() for part in form.split("/") if part), "") for form in forms)


def of(path: str, headers: Mapping[str, Any]) -> Protocol | None:
    """The protocol of a request; `headers` are named as in `request.META`. None: our own."""
    for word in first_words(path) & _registered.keys():
        for protocol in _registered[word]:
            if not protocol.header or meta_name(protocol.header) in headers:
                return protocol
    return None


def brings_key(path: str, headers: Mapping[str, Any]) -> str | None:
    """What the protocol's own header brings as a key, whatever Authorization brings; None where it brings none."""
    protocol = of(path, headers)
    # Nowhere else, whatever the address would come to.
    if protocol is None or not protocol.key_header or not path.startswith(f"/{protocol.root}/"):
        return None
    return headers.get(meta_name(protocol.key_header))


def meta_name(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"
