"""Fetch URLs safely, whatever the URL and whoever answers.

A URL could lead to something that only this machine can reach. So the host is resolved once, each
address is checked, and the connection goes to an address that was checked: a name cannot point
elsewhere between check and use. Each redirect is checked again.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urljoin

from protego import Protego

from index.errors import SourceError
from index.reading.urls import DEFAULT_PORTS, Target, is_public, parse

USER_AGENT = "OnRecord/0.1 (+https://github.com/onrecord-bot/onrecord)"
_HEADERS = {
    "Accept": "*/*",
    "User-Agent": USER_AGENT,
    "Accept-Encoding": "gzip",
    "Connection": "close",
}
_ROBOTS_PATH = "/robots.txt"
_ROBOTS_MAX_BYTES = 500_000  # RFC 9309 asks for at least 500 kibibytes
_ROBOTS_MAX_HOSTS = 256
_ROBOTS_SECONDS = 600.0  # how long rules are cached
_BLOCK_BYTES = 65_536
_GZIP_OR_ZLIB = 47  # tells zlib to accept both headers
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ADVICE = {404: "there is no such page", 410: "the page is gone", 429: "try again later"}


def _resolve(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A server's answer.

    `url` is where redirects ended; `body` is decompressed, and empty if `not_modified`;
    `content_type` is in lower case, without parameters.
    """

    url: str
    body: bytes
    content_type: str | None
    charset: str | None
    etag: str | None
    last_modified: str | None
    not_modified: bool = False


class _UnavailableError(SourceError):
    """The server has no such page, or denies access (“unavailable” in RFC 9309)."""


@dataclass(slots=True, kw_only=True)
class Fetcher:
    """Fetches pages and feeds, and obeys robots.txt. Safe to use from several threads.

    Attributes:
        max_bytes: the limit for a body, before and after decompression.
        seconds: the limit for a `get`, including redirects and robots.txt.
        redirects: how many redirects are followed.
        ports: ports that a URL may name.
        allow: private (address, port) pairs that may be connected to all the same.
        resolve: (host, port) -> addresses.
        context: TLS settings; the default checks certificates.
    """

    max_bytes: int = 20_000_000
    seconds: float = 20.0
    redirects: int = 5
    ports: frozenset[int] = frozenset(DEFAULT_PORTS.values())
    allow: frozenset[tuple[str, int]] = frozenset()
    resolve: Callable[[str, int], Sequence[str]] = _resolve
    context: ssl.SSLContext | None = None
    _robots: dict[str, tuple[float, Protego]] = field(default_factory=dict, init=False)

    def get(self, url: str, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """Fetch a page unless it is unchanged since the given validators.

        Raises:
            SourceError: the URL is refused, there is no answer, or the answer cannot be used.
        """
        deadline = time.monotonic() + self.seconds
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: " ".join(value.split()) for name, value in validators.items() if value}
        return self._follow(self.parse(url), headers, deadline, self.max_bytes)

    def parse(self, url: str) -> Target:
        """Parse a URL without connecting to it. Raises SourceError if it may not be fetched."""
        return parse(url, self.ports | {port for _, port in self.allow})

    def _follow(
        self, start: Target, validators: dict[str, str], deadline: float, max_bytes: int
    ) -> Fetched:
        """Follow redirects to an answer; robots.txt itself may always be fetched."""
        target = start
        for _ in range(self.redirects + 1):
            if start.path != _ROBOTS_PATH and not self._may_fetch(target, deadline):
                raise SourceError(
                    f"{target.host} asks programs not to read {target.url}: save its text."
                )
            answer = self._request(target, validators, deadline, max_bytes)
            if isinstance(answer, Fetched):
                return answer
            target = answer
        raise _UnavailableError(
            f"{start.url[:200]} redirects more than {self.redirects} times: check it."
        )

    def _may_fetch(self, target: Target, deadline: float) -> bool:
        """Ask the host's robots.txt (RFC 9309: none allows all, a 5xx error forbids all)."""
        expiry, rules = self._robots.get(target.origin, (0.0, None))
        if rules is None or expiry < time.monotonic():
            place, text = self.parse(target.origin + _ROBOTS_PATH), ""
            with suppress(_UnavailableError):
                body = self._follow(place, {}, deadline, _ROBOTS_MAX_BYTES).body
                text = body.decode("utf-8-sig", "replace")
            rules = Protego.parse(text)
            if len(self._robots) >= _ROBOTS_MAX_HOSTS:
                self._robots.clear()
            self._robots[target.origin] = time.monotonic() + _ROBOTS_SECONDS, rules
        return bool(rules.can_fetch(target.url, "onrecord"))

    def _request(
        self, target: Target, validators: dict[str, str], deadline: float, max_bytes: int
    ) -> Fetched | Target:
        """Send one request; return the answer or where it redirects to."""
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.default_port = DEFAULT_PORTS[target.scheme]  # omitted from the Host header
        try:
            # Set before the request, so that http.client does not connect by itself.
            connection.sock = self._connect(target, deadline)
            connection.request("GET", target.path, headers={**_HEADERS, **validators})
            response = connection.getresponse()
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location:
                location = location.encode("latin-1", "replace").decode("utf-8", "replace")
                return self.parse(urljoin(target.url, location))
            return _fetched(response, target, max_bytes, conditional=bool(validators))
        except TimeoutError:
            problem = "takes too long to answer: try again later"
        except ssl.SSLCertVerificationError:
            problem = "has no valid certificate: check it"
        except (OSError, http.client.HTTPException, zlib.error, ValueError):
            problem = (
                "cannot be reached, or does not answer as a web server does: check the address"
            )
        finally:
            connection.close()
        raise SourceError(f"{target.host} {problem}.")

    def _connect(self, target: Target, deadline: float) -> socket.socket:
        """Connect to a checked address of the host; its name is used for TLS only."""
        resolved = _before(deadline, lambda: self.resolve(target.host, target.port))
        usual_port = target.port in self.ports
        addresses = [
            address
            for address in resolved
            if (usual_port and is_public(address)) or (address, target.port) in self.allow
        ]
        if not addresses:
            raise SourceError(f"{target.host} is not a public web server: check the address.")
        failure: OSError = TimeoutError()
        for number, address in enumerate(addresses):
            sock = _DeadlineSocket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            try:
                share = (deadline - time.monotonic()) / (len(addresses) - number)
                sock.settimeout(max(share, 0.001))
                sock.connect((address, target.port))
                if target.scheme == "https":
                    self.context = self.context or ssl.create_default_context()
                    self.context.sslsocket_class = _DeadlineTlsSocket
                    wrapped = self.context.wrap_socket(sock, server_hostname=target.host)
                    sock = cast("_DeadlineSocket", wrapped)
                sock.deadline = deadline
                return sock
            except OSError as error:
                sock.close()
                failure = error
        raise failure


def _before(deadline: float, call: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Return a call's result, or raise TimeoutError and leave an uninterruptible call running."""
    answer: Future[Sequence[str]] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 - raised by `result` below
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(max(deadline - time.monotonic(), 0.001))


class _DeadlineSocket(socket.socket):
    """A socket with one deadline for all reads, instead of a timeout for each."""

    deadline = 0.0

    def recv_into(self, *args: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)
        return super().recv_into(*args)


class _DeadlineTlsSocket(_DeadlineSocket, ssl.SSLSocket):
    """A socket with one deadline for all reads, over TLS."""


def _fetched(
    response: http.client.HTTPResponse, target: Target, max_bytes: int, *, conditional: bool
) -> Fetched:
    """Read an answer. Raises SourceError for any status but success and, if asked for, 304."""
    status, headers = response.status, response.headers
    not_modified = conditional and status == http.HTTPStatus.NOT_MODIFIED
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SourceError(f"{target.url[:200]} answers {status}: try again later.")
    if not not_modified and status not in {200, 203}:
        advice = _ADVICE.get(status, "the page is not open to programs")
        raise _UnavailableError(f"{target.url[:200]} answers {status}: {advice}.")
    return Fetched(
        url=target.url,
        body=b"" if not_modified else _body(response, target, max_bytes),
        content_type=headers.get_content_type() if "Content-Type" in headers else None,
        charset=headers.get_content_charset(),
        etag=headers.get("ETag"),
        last_modified=headers.get("Last-Modified"),
        not_modified=not_modified,
    )


def _body(response: http.client.HTTPResponse, target: Target, max_bytes: int) -> bytes:
    """Read and decompress a body in small pieces, so that a decompression bomb is stopped early."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
        raise SourceError(f"{target.host} answers in an encoding we did not ask for: check it.")
    decoder = None if coding in {"", "identity"} else zlib.decompressobj(_GZIP_OR_ZLIB)
    body, received = bytearray(), 0
    while block := response.read1(_BLOCK_BYTES):
        received += len(block)
        while block:
            body += decoder.decompress(block, _BLOCK_BYTES) if decoder else block
            block = decoder.unconsumed_tail if decoder else b""
            if max(received, len(body)) > max_bytes:
                raise SourceError(
                    f"{target.url[:200]} is larger than {max_bytes:,} bytes: save its text."
                )
    if response.length or (decoder and not decoder.eof):  # the answer ends early
        raise http.client.IncompleteRead(bytes(body))
    return bytes(body)
