"""Parse URLs strictly, check addresses, and compare URLs of a page.

A URL is parsed once, and only the result is used. A spelling that two programs could read
differently is refused.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Container
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from publicsuffixlist import PublicSuffixList

from index.errors import SourceError

DEFAULT_PORTS = {"http": 80, "https": 443}
_SAFE_CHARS = "/%:@!$&'()*+,;=~-._?[]"  # in a path or query; all others are percent-encoded
_MAX_URL_CHARS = 4_000
_MAX_HOST_CHARS = 253  # RFC 1035
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")  # "news" in news.example
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")  # "1" in 127.1, "0x7f000001"
_SERVICE = re.compile(r"(?:www|feeds?|rss|m|mobile|amp)\.(.+)")  # "feeds." of the same site
# Hosts on which the first part of a path (except "feed") says whose pages they are. On other hosts,
# only a part like "@vell" or "~vell" does.
_SHARED = frozenset(
    "bitbucket.org codeberg.org feedburner.com feedpress.me github.com gitlab.com medium.com"
    " raw.githubusercontent.com sites.google.com tumblr.com".split()
)
_OWNER = re.compile(r"(?:/feeds?)?(/[@~]?[^/]+)")  # "/@vell" in /@vell/dam-fails, "/feed/@vell"
_FORBIDDEN_CHARS = re.compile(r"[\x00-\x20\x7f\\]")
# Query parameters that say how a reader came to a page, such as utm_source=feed or fbclid=x. The
# library courlan also drops cid, uid, eid and source, which identify the page on some sites.
_TRACKING = re.compile(
    r"utm_\w+|at_(?:medium|campaign|custom\d|link_\w+)|ns_\w+|mc_[ce]id|_ga|[a-z]*clid|msclkid|igsh(?:id)?"
    r"|cmp(?:id)?|ocid|smid|smtyp|xtor|wt\.\w+|spm|srnd|ito|ref_?src|ref_?url|cvid|guccounter",
    re.IGNORECASE,
)

# Addresses registered as public that lead to this machine, its provider or a private network.
# In order: protocol assignments, among them a cloud's metadata service; 6to4 relays; a large
# cloud's internal service; 6to4; Teredo, ORCHID and other special uses; documentation.
_REFUSED = [
    *map(ipaddress.ip_network, "192.0.0.0/24 192.88.99.0/24 168.63.129.16/32".split()),
    *map(ipaddress.ip_network, "2002::/16 2001::/23 3fff::/20".split()),
]
_UNICAST = ipaddress.ip_network("2000::/3")  # all routed IPv6; NAT64 and mapped IPv4 are outside


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed URL."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """The scheme, host and, unless it is the default, port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = self.port == DEFAULT_PORTS[self.scheme]
        return f"{self.scheme}://{host}" + ("" if default else f":{self.port}")

    @property
    def url(self) -> str:
        """The whole URL in its normal form."""
        return self.origin + self.path


def is_url(source: str) -> bool:
    """Return whether a source is a URL, rather than a file on this machine."""
    return source.lower().startswith(("http://", "https://"))


def parse(url: str, ports: Container[int]) -> Target:
    """Parse a URL with a plain host name or a plain IP address.

    Raises:
        SourceError: it is not an http or https URL, is ambiguous, or its port is not in `ports`.
    """
    shown, url = url[:200], url.strip()
    try:
        parts = urlsplit(url)
        default_port = DEFAULT_PORTS[parts.scheme]
        port = default_port if parts.port is None else parts.port
    except (ValueError, KeyError):
        raise SourceError(f"{shown} is not a web address: write it as in https://….") from None
    if _FORBIDDEN_CHARS.search(url) or len(url) > _MAX_URL_CHARS:
        raise SourceError("The web address is too long or has invalid characters: check it.")
    if "@" in parts.netloc:
        raise SourceError(
            f"The web address of {parts.hostname} contains a user name: leave it out."
        )
    if port not in ports:
        raise SourceError(f"{shown} names port {port}: use an address on the usual port.")
    path = quote(parts.path or "/", safe=_SAFE_CHARS)
    if parts.query:
        path += "?" + quote(parts.query, safe=_SAFE_CHARS)
    return Target(parts.scheme, _host(parts.hostname or ""), port, path)


def site(url: str | None) -> str:
    """Return the site of a URL, where a publisher's pages are; "" if it is not a URL.

    This is the host without “www.”, “feeds.” and the like, if the rest is a registered domain.
    Other subdomains are kept: on blog platforms they belong to different people. On hosts where
    paths belong to different people, it ends in a path, as in “medium.com/@vell”.
    """
    try:
        parts = urlsplit(url or "")
        host = (parts.hostname or "").rstrip(".") if parts.scheme in DEFAULT_PORTS else ""
    except ValueError:
        return ""
    service = _SERVICE.fullmatch(host)
    if service and _suffixes().privatesuffix(service[1]):
        host = service[1]
    owner = _OWNER.match(parts.path)
    is_shared = owner and (host in _SHARED or owner[1][1] in "@~")
    return f"{host}{owner[1].lower()}" if host and owner and is_shared else host


@cache
def _suffixes() -> PublicSuffixList:
    """Return the domains below which anybody can register a name, such as co.uk and github.io."""
    return PublicSuffixList()


def is_home(url: str) -> bool:
    """Return whether a URL is that of a whole site, and so not of a single report."""
    return "/" not in (page := canonical(url)) and "?" not in page


def canonical(url: str) -> str:
    """Return a key that all URLs of a page share, to compare and not to fetch.

    It ignores the scheme, “www.”, the default port, the fragment, a trailing slash, tracking
    parameters and the order of the other parameters.
    """
    try:
        parts = urlsplit(url.strip())
        port = f":{parts.port}" if parts.port not in {None, 80, 443} else ""
        parameters = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:  # not a URL, so equal only to itself
        return url
    host = (parts.hostname or "").removeprefix("www.")
    query = urlencode(sorted(pair for pair in parameters if not _TRACKING.fullmatch(pair[0])))
    return f"{host}{port}{quote(parts.path, safe=_SAFE_CHARS).rstrip('/')}?{query}".rstrip("?")


def is_public(address: str) -> bool:
    """Return whether an IP address is on the open internet and does not embed another address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    special = not ip.is_global or ip.is_multicast or ip.is_reserved
    if special or any(ip in network for network in _REFUSED):
        return False
    return ip.version == 4 or ip in _UNICAST  # noqa: PLR2004 - IPv4


def _host(host: str) -> str:
    """Return the normal form of a host. Raises SourceError for any other spelling."""
    try:
        if ":" in host:
            return str(ipaddress.IPv6Address(host if "%" not in host else ""))
        labels = [label if label.isascii() else _idna(label) for label in host.split(".")]
        if _NUMBER.fullmatch(labels[-1]):  # it ends in a number: an IP address in another spelling
            return str(ipaddress.IPv4Address(host))
        plain = len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels)
        if plain and len(host) <= _MAX_HOST_CHARS:
            return ".".join(labels)
    except ValueError:
        pass
    raise SourceError(f"“{host[:100]}” is not a plain host name: write it as in news.example.org.")


def _idna(label: str) -> str:
    """Return the ASCII form of a label. Raises ValueError for look-alikes such as “ⓛocalhost”."""
    ascii_label = label.encode("idna").decode("ascii")
    if not ascii_label.startswith("xn--"):
        raise ValueError(label)
    return ascii_label
