"""URL -> bytes, safely, whatever the address and whoever answers.

Anybody who may name a URL could otherwise read what only this machine can reach. So the host is
resolved here, each address is judged, and the connection goes to the very address that was
judged: a name cannot point elsewhere between the check and the use. Redirects start from anew.
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
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urljoin

from protego import Protego

from index.errors import SourceError
from index.reading.urls import USUAL_PORT, Target, is_public, locate

USER_AGENT = "OnRecord/0.1 (+https://github.com/onrecord-bot/onrecord)"
MAX_BYTES = 20_000_000
_ROBOTS_BYTES = 500_000
_ROBOTS_KEPT = 256  # hosts
_ROBOTS_SECONDS = 600.0
_BLOCK = 65_536
_GZIP_OR_ZLIB = 47  # the window of zlib that tells them by their headers
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def _system_resolver(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address answered.

    Attributes:
        url: the address that answered, after redirects.
        body: decompressed; empty where `not_modified`.
        content_type: lower case, without parameters.
        not_modified: nothing changed since `etag` or `last_modified`.
    """

    url: str
    body: bytes
    content_type: str | None
    charset: str | None
    etag: str | None
    last_modified: str | None
    not_modified: bool = False


@dataclass(slots=True, kw_only=True)
class Fetcher:
    """Fetches pages and feeds, politely. Safe from several threads.

    Attributes:
        max_bytes: of a body, before and after decompression.
        seconds: for all of a `get`, with its redirects and robots.txt.
        redirects: how many are followed.
        ports: that a URL may name.
        allow: (address, port) pairs that are reached although private.
        resolve: (host, port) -> addresses.
        context: for https; checks certificates unless it says otherwise.
    """

    max_bytes: int = MAX_BYTES
    seconds: float = 20.0
    redirects: int = 5
    ports: frozenset[int] = frozenset(USUAL_PORT.values())
    allow: frozenset[tuple[str, int]] = frozenset()
    resolve: Callable[[str, int], Sequence[str]] = _system_resolver
    context: ssl.SSLContext | None = None
    _robots: dict[str, tuple[float, Protego]] = field(default_factory=dict, init=False)

    def get(self, url: str, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """Fetch a page, or learn that it has not changed.

        Raises:
            SourceError: the address is refused, does not answer, or answers too much.
        """
        deadline = time.monotonic() + self.seconds
        wanted = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: " ".join(value.split()) for name, value in wanted.items() if value}
        target = self.locate(url)
        for _ in range(self.redirects + 1):
            if not self._rules(target, deadline).can_fetch(target.url, "onrecord"):
                raise SourceError(f"{target.host} asks programs not to read {target.url}.")
            answer = self._ask(target, headers, deadline, self.max_bytes)
            if isinstance(answer, Fetched):
                return answer
            target = answer
        raise SourceError(f"{url[:200]} redirects more than {self.redirects} times.")

    def locate(self, url: str) -> Target:
        """Judge how an address is written, without asking it. Raises SourceError."""
        return locate(url, self.ports | {port for _, port in self.allow})

    def _rules(self, target: Target, deadline: float) -> Protego:
        """What robots.txt asks (RFC 9309: missing means nothing, unreachable means all)."""
        until, rules = self._robots.get(target.origin, (0.0, None))
        if rules is None or until < time.monotonic():
            rules = Protego.parse(self._read_rules(target, deadline))
            if len(self._robots) >= _ROBOTS_KEPT:
                self._robots.clear()
            self._robots[target.origin] = time.monotonic() + _ROBOTS_SECONDS, rules
        return rules

    def _read_rules(self, target: Target, deadline: float) -> str:
        try:
            place = self.locate(target.origin + "/robots.txt")
            for _ in range(self.redirects + 1):
                answer = self._ask(place, {}, deadline, _ROBOTS_BYTES)
                if isinstance(answer, Fetched):
                    return answer.body.decode("utf-8-sig", "replace")
                place = answer
        except _StatusError as error:
            if error.status >= 500:  # noqa: PLR2004 - the server's own fault
                raise
        return ""

    def _ask(
        self, target: Target, headers: dict[str, str], deadline: float, max_bytes: int
    ) -> Fetched | Target:
        """One request: what was answered, or where to go instead."""
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", "Accept": "*/*", **headers}
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.default_port = USUAL_PORT[target.scheme]  # not named in Host
        try:
            # Set before the request, so that http.client does not connect on its own.
            connection.sock = self._connect(target, deadline)
            connection.request("GET", target.path, headers={**sent, "Connection": "close"})
            response = connection.getresponse()
            told = response.headers
            if response.status in _REDIRECTS and (place := told.get("Location")):
                place = place.encode("latin-1", "replace").decode("utf-8", "replace")
                return self.locate(urljoin(target.url, place))
            unchanged = bool(headers) and response.status == http.HTTPStatus.NOT_MODIFIED
            if not unchanged and response.status not in {200, 203}:
                raise _StatusError(target, response.status)
            return Fetched(
                url=target.url,
                body=b"" if unchanged else _body(response, target, max_bytes),
                content_type=told.get_content_type() if "Content-Type" in told else None,
                charset=told.get_content_charset(),
                etag=told.get("ETag"),
                last_modified=told.get("Last-Modified"),
                not_modified=unchanged,
            )
        except TimeoutError:
            raise SourceError(f"{target.host} takes too long to answer: try later.") from None
        except ssl.SSLCertVerificationError:
            raise SourceError(f"{target.host} has no valid certificate.") from None
        except (OSError, http.client.HTTPException, zlib.error, ValueError):
            raise SourceError(
                f"{target.host} cannot be reached, or answers nonsense: check it."
            ) from None
        finally:
            connection.close()

    def _connect(self, target: Target, deadline: float) -> socket.socket:
        """A connection to an address that was judged, by name for TLS only."""
        found = _in_time(lambda: self.resolve(target.host, target.port), deadline)
        public = [
            address
            for address in found
            if (address, target.port) in self.allow
            or (is_public(address) and target.port in self.ports)
        ]
        if not public:
            raise SourceError(f"{target.host} is not a public web server: it is not read.")
        failure: OSError = TimeoutError()
        for number, address in enumerate(public):
            line = _Timed(socket.AF_INET6 if ":" in address else socket.AF_INET)
            try:
                share = (deadline - time.monotonic()) / (len(public) - number)
                line.settimeout(max(share, 0.001))
                line.connect((address, target.port))
                if target.scheme == "https":
                    self.context = self.context or ssl.create_default_context()
                    self.context.sslsocket_class = _TimedTls
                    secured = self.context.wrap_socket(line, server_hostname=target.host)
                    line = cast("_Timed", secured)
                line.deadline = deadline
                return line
            except OSError as error:
                line.close()
                failure = error
        raise failure


def _in_time(call: Callable[[], Sequence[str]], deadline: float) -> Sequence[str]:
    """Run what cannot be interrupted in a thread, and leave it there when time is over."""
    answer: Future[Sequence[str]] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 - raised again below
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(max(deadline - time.monotonic(), 0.001))


class _StatusError(SourceError):
    """An answer other than the page."""

    def __init__(self, target: Target, status: int) -> None:
        advice = {404: "there is no such page", 410: "the page is gone", 429: "try later"}
        other = "try later" if status >= 500 else "the page is not open to programs"  # noqa: PLR2004
        super().__init__(f"{target.url[:200]} answers {status}: {advice.get(status, other)}.")
        self.status = status


class _Timed(socket.socket):
    """A socket whose deadline holds for all reads together, not for each anew."""

    deadline = 0.0

    def recv_into(self, *args: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)
        return super().recv_into(*args)


class _TimedTls(_Timed, ssl.SSLSocket):
    """The same under TLS."""


def _body(response: http.client.HTTPResponse, target: Target, max_bytes: int) -> bytes:
    """What is answered, unpacked in small pieces, so that a bomb is stopped after the first few."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
        raise SourceError(f"{target.host} packs its answer in a way that was not asked for.")
    unpacker = None if coding in {"", "identity"} else zlib.decompressobj(_GZIP_OR_ZLIB)
    body, count = bytearray(), 0
    while block := response.read1(_BLOCK):
        count += len(block)
        while block:
            body += unpacker.decompress(block, _BLOCK) if unpacker else block
            block = unpacker.unconsumed_tail if unpacker else b""
            if max(count, len(body)) > max_bytes:
                raise SourceError(f"{target.url[:200]} is larger than {max_bytes:,} bytes.")
    if response.length or (unpacker and not unpacker.eof):  # less came than was announced
        raise http.client.IncompleteRead(bytes(body))
    return bytes(body)
