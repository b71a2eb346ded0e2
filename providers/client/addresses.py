"""Where outgoing calls may go: the judgement on a URL, and on every address its name resolves to.

The lists are explicit because `ipaddress.is_private` of Python 3.11 passes 100.64.0.1, 64:ff9b::a9fe:a9fe and
2002:7f00:1::, each of which can end inside our own network.
"""

import ipaddress
import queue
import re
import socket
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from providers.client.errors import UpstreamError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Cloud metadata services hand credentials to whoever can reach them: no setting opens these.
METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.169.253", "100.100.100.200", "192.0.0.192",
        "168.63.129.16", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
    )
)  # fmt: skip
METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})

DENIED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23",
        "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip

# Databases, caches, queues and control planes that answer, or obey, a request meant for a web server.
SERVICE_PORTS = frozenset(
    {1433, 1521, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5433, 5672, 5900, 5984, 6000, 6379, 6380, 6443,
     7000, 7001, 9042, 9092, 9200, 9300, 10250, 11211, 15672, 26379, 27017, 27018, 50000}
)  # fmt: skip
DEFAULT_PORTS = {"http": 80, "https": 443}

_URL_CHARACTERS = re.compile(r"[!-~]+\Z")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?\Z")
_NUMERIC_LABEL = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z")


@dataclass(frozen=True, slots=True)
class Target:
    """One URL, parsed once; the request is built from these parts and no others."""

    scheme: str
    host: str
    port: int
    url: str
    literal: Address | None

    @property
    def path(self) -> str:
        """The path without the query, which may contain a secret."""
        return urlsplit(self.url).path

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def check_url(url: str, allowed_hosts: Sequence[str] = (), trusted_origins: Collection[str] = ()) -> Target:
    """`url` taken apart. Raises `UpstreamError("blocked_address")`, with a sentence for a form, when calls to it would
    be refused.

    Names are not resolved here (a form must work without a network): the client tests their addresses at each connect.
    """
    target = parse_target(url)
    trusted = is_trusted(target, trusted_origins)
    if target.host.rstrip(".") in METADATA_NAMES:
        raise _is_metadata(target)
    if not trusted and not _port_is_ordinary(target.port):
        raise blocked(f"Port {target.port} of {target.host} is not one for web services.")
    if target.literal is not None:
        judge(target, [target.literal], allowed_hosts, trusted_origins)
    elif _is_loopback_name(target.host) and not trusted and not _host_is_allowed(target, allowed_hosts):
        raise _is_private(target)
    return target


def parse_target(url: str) -> Target:
    """The parts of an http(s) URL, or `UpstreamError("blocked_address")` for a URL of doubtful meaning."""
    if not isinstance(url, str) or not _URL_CHARACTERS.match(url) or "\\" in url or "#" in url:
        raise blocked("The URL may hold only plain ASCII characters, no blanks, backslashes or fragment.")
    if not url.lower().startswith(("http://", "https://")):
        raise blocked("The URL must begin with http:// or https://.")
    if "@" in re.split(r"[/?]", url.partition("://")[2], maxsplit=1)[0]:
        raise blocked("The URL may not hold a user name or a password.")
    try:
        parts: Url = parse_url(url)
    except LocationParseError:
        raise blocked("The URL cannot be understood.") from None
    scheme, host = (parts.scheme or "").lower(), (parts.host or "").lower()
    if not host:
        raise blocked("The URL names no host.")
    port = parts.port if parts.port is not None else DEFAULT_PORTS[scheme]
    host, literal = _host(host)
    wire_host = f"[{host}]" if isinstance(literal, ipaddress.IPv6Address) else host
    netloc = wire_host if port == DEFAULT_PORTS[scheme] else f"{wire_host}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    return Target(scheme, host, port, f"{scheme}://{netloc}{parts.path or '/'}{query}", literal)


def host_in(url: str) -> str:
    """The host of an address that cannot be used, to name it, without its user name and password; "" where none."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host[:253] if host.isprintable() else ""


def _host(host: str) -> tuple[str, Address | None]:
    if host.startswith("["):
        try:
            literal = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise blocked("The host is not a usable IPv6 address.") from None
        if literal.scope_id is not None:
            raise blocked("An address with a zone cannot be used.")
        return str(literal), literal
    if not _HOST_NAME.match(host):
        raise blocked("The host may hold only letters, digits, hyphens and dots.")
    if _NUMERIC_LABEL.match(host.rstrip(".").rpartition(".")[2]):
        # 127.1, 2130706433, 0x7f000001 and 0177.0.0.1 are all 127.0.0.1 to the C library.
        try:
            return host, ipaddress.IPv4Address(host)
        except ValueError:
            raise blocked("Write an IPv4 address as four plain decimal numbers.") from None
    return host, None


def judge(
    target: Target, addresses: Sequence[Address], allowed_hosts: Sequence[str], trusted_origins: Collection[str]
) -> None:
    """Refuse the target unless each of its addresses may be reached: one bad address among good ones refuses all."""
    named = is_trusted(target, trusted_origins) or _host_is_allowed(target, allowed_hosts)
    networks = [network for entry in allowed_hosts if (network := _network(entry))]
    for address in addresses:
        forms = {address, *_embedded(address)}
        if forms & METADATA:
            raise _is_metadata(target)
        if not any(_in(form, network) for form in forms for network in DENIED):
            continue
        if not named and not any(_in(address, network) for network in networks):
            raise _is_private(target)


def resolve(target: Target, seconds: float) -> list[Address]:
    """Every address of the target's host, each once, within `seconds`; raises `UpstreamError("connect")`."""
    if target.literal is not None:
        return [target.literal]
    answers: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            rows = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            answers.put([str(row[4][0]) for row in rows])
        except (OSError, UnicodeError):
            answers.put(None)

    # getaddrinfo knows no timeout, and a thread that hangs in it must not prevent the process from ending.
    threading.Thread(target=look_up, daemon=True, name="resolve").start()
    try:
        found = answers.get(timeout=max(seconds, 0.001))
    except queue.Empty:
        raise failed_call("timeout", target, f"The name {target.host} was not resolved in time") from None
    if not found:
        raise failed_call("connect", target, f"The name {target.host} cannot be resolved", ": is it spelled right?")
    return [ipaddress.ip_address(text.partition("%")[0]) for text in dict.fromkeys(found)]


def origin_of(url: str) -> str:
    """scheme://host:port of a URL, with the default port written out, for comparing where a credential belongs."""
    return parse_target(url).origin


def is_trusted(target: Target, trusted_origins: Collection[str]) -> bool:
    return any(target.origin == origin_of(trusted) for trusted in trusted_origins)


def blocked(sentence: str, brief: str = "") -> UpstreamError:
    return UpstreamError("blocked_address", sentence, brief=brief)


def _is_metadata(target: Target) -> UpstreamError:
    brief = "This is the address of a cloud metadata service."
    return blocked(f"{target.host} is the address of a cloud metadata service, which no setting opens.", brief)


def _is_private(target: Target) -> UpstreamError:
    host = target.origin.partition("://")[2]
    return blocked(
        f"{host} is inside the private network and is not on the deployment's list of allowed hosts: "
        f"where it may be called, add {host} to the setting PROVIDER_ALLOWED_HOSTS.",
        "This host is inside the private network and is not on the deployment's list of allowed hosts.",
    )


def failed_call(reason: str, target: Target, what: str, hint: str = "") -> UpstreamError:
    """The error for a call that brought no answer; `what` begins its sentence, `hint` says what would be right."""
    end = "" if hint.endswith("?") else "."
    return UpstreamError(reason, f"{what} when asked for {target.origin}{target.path}{hint}{end}", brief=f"{what}.")


def _port_is_ordinary(port: int) -> bool:
    return port in (80, 443) or (1024 <= port <= 65535 and port not in SERVICE_PORTS)


def _is_loopback_name(host: str) -> bool:
    bare = host.rstrip(".")
    return bare in ("localhost", "ip6-localhost", "ip6-loopback") or bare.endswith((".localhost", ".localdomain"))


def _host_is_allowed(target: Target, allowed_hosts: Sequence[str]) -> bool:
    for entry in allowed_hosts:
        if "/" in entry:
            continue
        host, port = _entry(entry.strip().lower())
        if host == target.host.rstrip(".") and port in (None, target.port):
            return True
    return False


def _entry(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        host, _, port = entry[1:].partition("]")
        return _canonical(host), int(port[1:]) if port[1:].isdigit() else None
    if entry.count(":") > 1:
        return _canonical(entry), None
    host, _, port = entry.partition(":")
    return host, int(port) if port.isdigit() else None


def _canonical(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def _network(entry: str) -> Network | None:
    if "/" not in entry:
        # A bare address allows a URL that names it, not every name that someone points at it.
        return None
    try:
        return ipaddress.ip_network(entry.strip(), strict=False)
    except ValueError:
        return None


def _in(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def _embedded(address: Address) -> list[Address]:
    """IPv4 addresses that an IPv6 one carries: mapped, compatible, translated, NAT64 and 6to4."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    number = int(address)
    if number >> 112 == 0x2002:
        return [ipaddress.IPv4Address((number >> 80) & 0xFFFFFFFF)]
    if number >> 32 in (0, 0xFFFF, 0xFFFF0000, 0x64FF9B << 64):
        return [ipaddress.IPv4Address(number & 0xFFFFFFFF)]
    return []
