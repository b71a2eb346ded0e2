"""What a failed call to an upstream is told as: its host, the path that was asked, and what would be right."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Iterator
from typing import Any

import requests
import urllib3

from providers.client.addresses import Target, failed_call
from providers.client.errors import UpstreamError


def refusal(reason: str, target: Target, what: Any, then: str = "", **about: Any) -> UpstreamError:
    """The error for an answer of no use, which names what was asked; `then` ends the sentence."""
    return UpstreamError(
        reason,
        f"{target.host} answered {what} to {target.path}{then}.",
        brief=f"{target.host} answered {what}{then}.",
        **about,
    )


def too_large(target: Target, most: int) -> UpstreamError:
    return refusal("too_large", target, f"with more than {most} bytes")


def too_slow(target: Target) -> UpstreamError:
    return failed_call("timeout", target, f"{target.host} did not finish its answer in time")


def translated(error: Exception, target: Target, *, expired: bool) -> UpstreamError:
    if expired:
        return too_slow(target)
    causes = list(_causes(error))
    tls = (ssl.SSLError, ssl.CertificateError, urllib3.exceptions.SSLError, requests.exceptions.SSLError)
    if any(isinstance(cause, tls) for cause in causes):
        hint = ": its certificate must be valid and name the host, and a server without TLS is asked by http://"
        return failed_call("tls", target, f"No trusted TLS connection to {target.host} could be made", hint)
    if any(isinstance(cause, (TimeoutError, requests.exceptions.Timeout)) for cause in causes):
        return failed_call("timeout", target, f"{target.host} was silent for too long")
    if any(isinstance(cause, zlib.error) for cause in causes):
        return failed_call("malformed", target, f"The answer of {target.host} is not validly compressed")
    hint = ": does that port speak HTTP, and not TLS?" if target.scheme == "http" else ""
    return failed_call("connect", target, f"The connection to {target.host} broke off", hint)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it wraps: libraries put the cause in `args` as often as in `__cause__`."""
    todo: list[BaseException] = [error]
    seen: set[int] = set()
    while todo:
        current = todo.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        linked = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        todo.extend(item for item in linked if isinstance(item, BaseException))
