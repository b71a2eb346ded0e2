"""Whose address a request comes from. A forwarded address counts only when a trusted proxy vouches for it."""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Address = IPv4Address | IPv6Address


def client_of(environ: Mapping[str, Any]) -> str:
    """The nearest address that is not one of TRUSTED_PROXIES; "" where the server names none, as on a unix socket."""
    peer = str(environ.get("REMOTE_ADDR", ""))
    if not _is_trusted(peer):
        return peer
    # Each proxy appends the address it saw, so the list is believed from its right end, up to the first stranger.
    for hop in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        address = _parsed(hop)
        if address is None:
            break
        peer = str(address)
        if not _is_trusted(peer):
            break
    return peer


class ForwardedMiddleware:
    """Takes X-Forwarded-Proto away from whoever is no trusted proxy, before anything asks whether TLS was used."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _is_trusted(request.META.get("REMOTE_ADDR", "")):
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        return self.get_response(request)


def _is_trusted(text: str) -> bool:
    address = _parsed(text)
    return address is not None and any(address in network for network in settings.TRUSTED_PROXIES)


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    # A dual-stack socket reports IPv4 peers as ::ffff:10.0.0.1, which no IPv4 network would contain.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
