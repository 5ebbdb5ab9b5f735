"""Which web addresses may be asked: URLs taken apart, hosts and addresses judged.

A URL is read once, and only what was read of it is used; a spelling that two programs could read
in two ways is refused, rather than understood.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Container
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from index.errors import SourceError

_SAFE = "/%:@!$&'()*+,;=~-._?[]"
"""Stand for themselves in a path or query; all else is written with percent signs."""
USUAL_PORT = {"http": 80, "https": 443}
_MAX_URL = 4_000
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_MACHINE = re.compile(r"^(?:www|feeds?|rss|m|mobile|amp)\.(?=[^.]+\.)")  # of the same house
_BLANK = re.compile(r"[\x00-\x20\x7f\\]")
_TRACKING = re.compile(
    r"utm_\w+|at_(?:medium|campaign|custom\d|link_\w+)|ns_\w+|mc_[ce]id|_ga|[a-z]*clid|msclkid|igsh(?:id)?"
    r"|cmp(?:id)?|ocid|smid|smtyp|xtor|wt\.\w+|spm|srnd|ito|ref_?src|ref_?url|cvid|guccounter",
    re.IGNORECASE,
)  # parameters that tell how somebody came to a page, not which page it is

# Public by registration, yet each leads to this machine, its provider or a private network.
_REFUSED = [
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata service answers here
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # the inner service of a large cloud
        "2002::/16",  # 6to4, holds an IPv4 address
        "2001::/23",  # Teredo, ORCHID and other special uses
        "3fff::/20",  # documentation
    )
]
_UNICAST = ipaddress.ip_network("2000::/3")  # all that is routed; NAT64 and mapped lie outside


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart once; what is checked is what is used."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and, where it is not the usual one, port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == USUAL_PORT[self.scheme]
        return f"{self.scheme}://{host}" + ("" if usual else f":{self.port}")

    @property
    def url(self) -> str:
        """The whole, in its one spelling."""
        return self.origin + self.path


def locate(url: str, ports: Container[int]) -> Target:
    """Take a URL apart; only plain names and plain addresses pass.

    Raises:
        SourceError: it is none that may be asked, or names a port not in `ports`.
    """
    shown = url[:200]
    url = url.strip()
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise SourceError(f"{shown} is not a web address: check it.") from None
    if parts.scheme not in USUAL_PORT:
        raise SourceError(f"{shown} is not a web address: it starts with https:// or http://.")
    if _BLANK.search(url) or len(url) > _MAX_URL:
        raise SourceError("The address is too long or has characters that none has: check it.")
    if "@" in parts.netloc:
        raise SourceError(f"The address of {host} holds a user name: leave it out.")
    port = USUAL_PORT[parts.scheme] if port is None else port
    if port not in ports:
        raise SourceError(f"{shown} names port {port}: only the usual ports are read.")
    path = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, safe=_SAFE)
    return Target(parts.scheme, _host(host), port, path)


def site(address: str | None) -> str:
    """The host of a web address, without “www.”, “feeds.” and the like; empty for what is none.

    Other names below a domain may be other people's, as on platforms for blogs.
    """
    try:
        parts = urlsplit(address or "")
        return _MACHINE.sub("", parts.hostname or "") if parts.scheme in USUAL_PORT else ""
    except ValueError:
        return ""


def canonical(url: str) -> str:
    """What all addresses of one page have in common: a key to compare, not to fetch.

    Scheme, “www.”, the usual port, the fragment, a slash at the end and parameters of tracking
    do not count, nor does the order of the others.
    """
    try:
        parts = urlsplit(url.strip())
        port = f":{parts.port}" if parts.port not in {None, 80, 443} else ""
        told = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:  # an address that nobody can take apart is only like itself
        return url
    host = (parts.hostname or "").removeprefix("www.")
    query = urlencode(sorted(pair for pair in told if not _TRACKING.fullmatch(pair[0])))
    return f"{host}{port}{quote(parts.path, safe=_SAFE).rstrip('/')}?{query}".rstrip("?")


def is_public(address: str) -> bool:
    """Whether an address is of the open internet, and hides no other address in itself."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not ip.is_global or ip.is_multicast or ip.is_reserved or any(ip in one for one in _REFUSED):
        return False
    return isinstance(ip, ipaddress.IPv4Address) or ip in _UNICAST


def _host(host: str) -> str:
    """A host name or address in its one plain form; every other spelling is refused."""
    refused = SourceError(f"“{host[:100]}” is not a plain host name: write it as sites do.")
    try:
        if ":" in host:
            return str(ipaddress.IPv6Address(host if "%" not in host else ""))
        labels = [label if label.isascii() else _idna(label) for label in host.split(".")]
        if _NUMBER.fullmatch(labels[-1]):  # a number ends it: an address, however spelt
            return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise refused from None
    plain = len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels)
    if not plain or len(host) > 253:  # noqa: PLR2004 - RFC 1035
        raise refused
    return ".".join(labels)


def _idna(label: str) -> str:
    """A label in its ASCII form; one that only looks foreign (“ⓛocalhost”) is refused."""
    written = label.encode("idna").decode("ascii")
    if not written.startswith("xn--"):
        raise ValueError(label)
    return written
