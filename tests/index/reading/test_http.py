"""Fetching is safe whatever the URL and whoever answers, and obeys robots.txt."""

from __future__ import annotations

import gzip
import shutil
import socket
import ssl
import subprocess
import time
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.servers import LOOPBACK, Server, Talk, fetcher, plain, reply, saying, serving

from index.errors import SourceError
from index.reading.http import USER_AGENT, Fetcher
from index.reading.urls import canonical, is_public, parse

PAGE = b"<html><body><p>The dam failed at dawn.</p></body></html>"


# Addresses of one page


@pytest.mark.parametrize(
    ("url", "other", "same"),
    [
        ("https://www.news.example/a/b/", "http://news.example/a/b", True),
        ("https://news.example/a?b=1&utm_source=x&c=2", "http://news.example/a?c=2&b=1#top", True),
        ("https://NEWS.example:443/a?fbclid=x&at_medium=z", "https://news.example/a", True),
        ("https://news.example/café", "https://news.example/caf%C3%A9", True),
        (" https://news.example ", "https://news.example/?", True),
        ("https://news.example/a", "https://news.example/A", False),
        ("https://news.example/?id=1", "https://news.example/?id=2", False),
        ("https://news.example/?id=1", "https://news.example/", False),
        ("https://news.example/a", "https://sport.news.example/a", False),
        ("https://news.example/a", "https://news.example:8080/a", False),
        ("http://[x/a", "http://[x/b", False),
    ],
)
def test_one_page_has_one_key(url: str, other: str, same: bool) -> None:
    """Tracking parameters and spelling make no other page; all other differences do."""
    assert (canonical(url) == canonical(other)) is same


@given(st.text(max_size=40))
def test_a_parsed_url_parses_to_itself(text: str) -> None:
    """The URL that is checked, fetched and stored has the same spelling."""
    with suppress(SourceError):
        target = parse(f"http://news.example/{text}", {80})
        assert parse(target.url, {80}) == target
        assert canonical(target.url) == canonical(f"http://news.example/{text}")


# What is fetched


def test_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Body, type, charset and validators are returned; our name is sent, no proxy is used."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    answer = plain(PAGE, Content_Type="Text/HTML; charset=UTF-8", ETag='"a1"', Last_Modified="then")
    with serving(saying(answer)) as server:
        found = fetcher(server).get(f"http://news.example:{server.port}/ä?q=é#part")
    assert (found.body, found.content_type, found.charset) == (PAGE, "text/html", "utf-8")
    assert (found.etag, found.last_modified, found.not_modified) == ('"a1"', "then", False)
    assert found.url == f"http://news.example:{server.port}/%C3%A4?q=%C3%A9"
    assert f"User-Agent: {USER_AGENT}" in server.requests[-1]
    assert f"Host: news.example:{server.port}\r\n" in server.requests[-1]
    assert "Cookie" not in server.requests[-1]


def test_an_unchanged_page_is_not_sent() -> None:
    """Validators are sent, and 304 is accepted only then."""
    with serving(saying(b"HTTP/1.1 304 X\r\nETag: e\r\n\r\n")) as server:
        url = server.url
        found = fetcher(server).get(url, '"a1"', "Sat, 14 Mar 2026 09:30:00 GMT")
        assert (found.not_modified, found.body, found.etag) == (True, b"", "e")
        with pytest.raises(SourceError, match="304"):
            fetcher(server).get(url)
        fetcher(server).get(url, "a\r\nEvil: yes")
    assert "If-None-Match: a Evil: yes\r\n" in server.requests[-1]  # a validator stays one header
    assert 'If-None-Match: "a1"\r\n' in server.requests[1]
    assert "If-Modified-Since: Sat, 14 Mar 2026 09:30:00 GMT\r\n" in server.requests[1]


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(PAGE * 999)),
        ("deflate", zlib.compress(PAGE * 999)),
        ("identity", PAGE * 999),
    ],
)
def test_compressed_answers(coding: str, body: bytes) -> None:
    """Compressed bodies are decompressed."""
    with serving(saying(plain(body, Content_Encoding=coding))) as server:
        assert fetcher(server).get(server.url).body == PAGE * 999


def test_redirects_are_followed() -> None:
    """Relative and absolute redirects are followed; the final URL is returned."""

    def talk(line: socket.socket, request: str) -> None:
        path = request.split(" ")[1]
        port = request.split("Host: ")[1].split("\r\n", maxsplit=1)[0].rpartition(":")[2]
        places = {"/a": "b?x=1", "/b?x=1": f"http://other.example:{port}/c#top"}
        line.sendall(reply(302, Location=places[path]) if path in places else plain(PAGE))

    with serving(talk) as server:
        found = fetcher(server).get(f"http://news.example:{server.port}/a")
    assert found.url == f"http://other.example:{server.port}/c"
    assert server.paths() == ["/a", "/b?x=1", "/c"]


# What is refused before any connection

PRIVATE = (
    "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.1.2.3"
    " 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1"
    " 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255"
    " 168.63.129.16 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 fe80::1"
    " fc00::1 fd00:ec2::254 fec0::1 ff02::1 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::a00:1"
    " 2002:7f00:1::1 2002:808:808::1 2001::1 2001:0:7f00:1:0:0:80ff:fffe 2001:db8::1 3fff::1"
    " 100::1 5f00::1 fe80::1%eth0 nonsense"
).split()


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused(address: str) -> None:
    """A name that resolves to an address outside the open internet is refused."""
    assert not is_public(address)
    assert is_public("8.8.8.8")
    assert is_public("2a00::1")
    with pytest.raises(SourceError, match="not a public web server"):
        Fetcher(resolve=lambda *_: [address]).get("http://news.example/")


HOSTILE = [
    *"""
    http://127.0.0.1:{port}/ http://127.0.0.2:{port}/ http://0.0.0.0:{port}/
    http://2130706433:{port}/ http://0x7f000001:{port}/ http://0x7f.1:{port}/
    http://0177.0.0.1:{port}/ http://0177.0x0.0.01:{port}/ http://127.1:{port}/
    http://127.0.1:{port}/ http://017700000001:{port}/ http://127.0.0.1.:{port}/
    http://127.0.0.1..:{port}/ http://127.0.0.01:{port}/ http://127.0.0.1.1:{port}/
    http://１２７.０.０.１:{port}/ http://①②⑦.⓪.⓪.①:{port}/ http://127。0。0。1:{port}/
    http://127%2e0%2e0%2e1:{port}/ http://%31%32%37.0.0.1:{port}/ http://localhost:{port}/
    http://LOCALHOST:{port}/ http://localhost.:{port}/ http://ⓛocalhost:{port}/
    http://localhost.localdomain:{port}/ http://intranet:{port}/
    http://metadata.google.internal:{port}/ http://news.example.:{port}/
    http://news..example:{port}/ http://.news.example:{port}/ http://-news.example:{port}/
    http://news.ⓔxample:{port}/ http://news_.example-:{port}/
    http://[::1]:{port}/ http://[::]:{port}/ http://[::ffff:127.0.0.1]:{port}/
    http://[::ffff:7f00:1]:{port}/ http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/
    http://[64:ff9b::7f00:1]:{port}/ http://[fe80::1%25lo]:{port}/ http://[::1:{port}/
    http://[v1.127]:{port}/ http://user@127.0.0.1:{port}/ http://user:pass@news.example:{port}/
    http://news.example@127.0.0.1:{port}/ http://127.0.0.1:{port}@news.example/
    http://news.example:80@127.0.0.1:{port}/ http:127.0.0.1:{port}/ http:///127.0.0.1:{port}/
    //127.0.0.1:{port}/ 127.0.0.1:{port}/ http://127.0.0.1:{port}x/ http://127.0.0.1:-1/
    http://127.0.0.1:99999/ http://127.0.0.1:0/ http://news.example:22/ http://news.example:6379/
    http://news.example:8080/ https://127.0.0.1:{port}/ file:///etc/passwd ftp://127.0.0.1:{port}/
    gopher://127.0.0.1:{port}/_GET javascript:alert(1) jar:http://127.0.0.1:{port}/!/
    unix:/var/run/docker.sock http+unix://%2fvar%2frun/ http:// http://:{port}/ http://?{port}
    """.split(),
    "http://news.example\u200b:{port}/",
    "http://news.exa\xadmple:{port}/",
    "http://news.example\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\.news.example/",
    "http://127.0.0.1:{port}\t.news.example/",
    "http://127.0.0.1\r\n:{port}/",
    "http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "http:\\\\127.0.0.1:{port}\\",
    "data:text/html,<p>The dam failed.",
    "",
    " ",
    "\x00",
    "http://" + "a" * 64 + ".example:{port}/",
    "http://" + "a." * 140 + "example:{port}/",
    "http://news.example/" + "a" * 5_000,
]


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_addresses_never_reach_a_server(url: str) -> None:
    """However a URL spells this machine, its server gets no connection."""
    with serving(saying(plain(b"secret"))) as server:
        watched = Fetcher(ports=frozenset({80, 443, server.port}), seconds=5)
        with pytest.raises(SourceError) as error:
            watched.get(url.format(port=server.port))
    assert server.requests == []
    assert str(error.value).endswith(".")
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    "place",
    r"""
    http://10.0.0.1/ http://169.254.169.254/latest/meta-data/ http://[::1]/ http://0x7f.1/
    http://2130706433/ http://localhost/ http://user@news.example/ //127.0.0.2/
    http://127.0.0.1:22/ file:///etc/passwd gopher://127.0.0.1/ javascript:alert(1)
    http://[::ffff:127.0.0.1]/ http:\\127.0.0.1/
    """.split(),
)
def test_redirects_to_forbidden_places(place: str) -> None:
    """A redirect is checked like a URL from a person."""
    with serving(saying(reply(302, Location=place))) as server, pytest.raises(SourceError):
        fetcher(server).get(f"http://news.example:{server.port}/start")
    assert server.paths() == ["/start"]


def test_a_port_is_allowed_at_its_address_alone() -> None:
    """An allowed address and port do not open the port or the address elsewhere."""
    with serving(saying(plain(PAGE))) as server, serving(saying(plain(b"secret"))) as other:
        ours = fetcher(server)
        for url in (f"http://127.0.0.2:{server.port}/", f"http://127.0.0.1:{other.port}/"):
            with pytest.raises(SourceError):
                ours.get(url)
        with pytest.raises(SourceError, match="not a public"):
            Fetcher(allow=frozenset({(LOOPBACK, server.port)}), resolve=lambda *_: ["8.8.8.8"]).get(
                f"http://news.example:{server.port}/"
            )
    assert other.requests == []


def test_a_name_is_resolved_once_a_connection() -> None:
    """A name that changes its address after the check does not change the connection."""
    asked = []

    def rebinding(host: str, _: int) -> list[str]:
        asked.append(host)
        return [LOOPBACK] if len(asked) <= 2 else ["10.0.0.1"]

    with serving(saying(plain(PAGE))) as server:
        ours = Fetcher(allow=frozenset({(LOOPBACK, server.port)}), resolve=rebinding)
        assert ours.get(f"http://news.example:{server.port}/").body == PAGE
        assert asked == ["news.example"] * 2  # robots.txt, then the page
        with pytest.raises(SourceError, match="not a public"):
            ours.get(f"http://news.example:{server.port}/")


def test_the_next_address_is_tried() -> None:
    """Forbidden and dead addresses of a name are skipped."""
    with serving(saying(plain(PAGE))) as server:
        allow = frozenset({(LOOPBACK, server.port), ("127.0.0.9", server.port)})
        ours = Fetcher(allow=allow, resolve=lambda *_: ["10.0.0.1", "127.0.0.9", LOOPBACK])
        assert ours.get(f"http://news.example:{server.port}/").body == PAGE


# Bad answers


def repeating(start: bytes, again: bytes, pause_s: float = 0.0) -> Talk:
    """Send the start, then the rest again and again."""

    def talk(line: socket.socket, _: str) -> None:
        line.sendall(start)
        while True:
            line.sendall(again)
            time.sleep(pause_s)

    return talk


OK = b"HTTP/1.1 200 OK\r\n"
SLOW = {
    "headers": repeating(OK + b"X: ", b"a", 0.05),
    "body": repeating(OK + b"\r\n", b"a", 0.05),
    "continue": repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
    "silence": lambda *_: time.sleep(3),
}
GZIP_START = OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10]
ENDLESS = {
    "headers": repeating(OK, b"X: " + b"a" * 1_000 + b"\r\n"),
    "body": repeating(OK + b"\r\n", b"a" * 65_536),
    "chunks": repeating(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    ),
    "gzip of nothing": repeating(GZIP_START, b"\x00\x00\x00\xff\xff" * 10_000),
}


@pytest.mark.parametrize("talk", SLOW.values(), ids=SLOW)
def test_time_is_limited(talk: Talk) -> None:
    """The time limit applies to the whole answer, not to each byte."""
    started = time.monotonic()
    with serving(talk) as server, pytest.raises(SourceError, match="too long"):
        fetcher(server, seconds=0.5).get(server.url)
    assert time.monotonic() - started < 2


def test_a_resolver_that_hangs() -> None:
    """A name server that does not answer takes no longer than the time limit."""
    started = time.monotonic()
    with pytest.raises(SourceError, match="too long"):
        Fetcher(seconds=0.3, resolve=lambda *_: time.sleep(3) or []).get("http://news.example/")
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("talk", ENDLESS.values(), ids=ENDLESS)
def test_endless_answers(talk: Talk) -> None:
    """Endless bodies and headers are read up to a limit."""
    with (
        serving(talk) as server,
        pytest.raises(SourceError, match=r"larger than|does not answer as a web server does"),
    ):
        fetcher(server, max_bytes=200_000).get(server.url)


BOMB = gzip.compress(bytes(50_000_000))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (plain(BOMB, Content_Encoding="gzip"), "larger than"),
        (plain(zlib.compress(bytes(50_000_000)), Content_Encoding="deflate"), "larger than"),
        (plain(BOMB, Content_Encoding="gzip, gzip"), "did not ask for"),
        (plain(PAGE, Content_Encoding="br"), "did not ask for"),
        (plain(PAGE, Content_Encoding="gzip"), "does not answer as a web server does"),
        (
            plain(gzip.compress(PAGE)[:-9], Content_Encoding="gzip"),
            "does not answer as a web server does",
        ),
        (plain(b"a" * 1_000_001), "larger than"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",
            "does not answer as a web server does",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nzz",
            "does not answer as a web server does",
        ),
        (
            b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
            "does not answer as a web server does",
        ),
        (
            b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n",
            "does not answer as a web server does",
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not answer as a web server does"),
        (b"\x16\x03\x01\x00\x00", "does not answer as a web server does"),
        (b"", "does not answer as a web server does"),
        (b"HTTP/1.1 999999 X\r\n\r\n", "does not answer as a web server does"),
        (reply(302, Location="http://[::1"), "does not answer as a web server does"),
        (reply(301, Location="/"), "redirects more than 5 times"),
        (reply(302), "302"),
        (reply(401), "not open"),
        (reply(403), "not open"),
        (reply(404), "no such page"),
        (reply(410), "gone"),
        (reply(429), "try again later"),
        (reply(503), "try again later"),
        (reply(206, PAGE), "206"),
    ],
)
def test_bad_answers(answer: bytes, error: str) -> None:
    """Every bad answer gives a plain sentence and no page."""
    with serving(saying(answer)) as server, pytest.raises(SourceError, match=error) as told:
        fetcher(server, max_bytes=1_000_000).get(server.url)
    assert str(told.value).endswith(".")


def test_servers_that_cannot_be_reached() -> None:
    """A closed port and a server without TLS are SourceErrors."""
    with socket.create_server((LOOPBACK, 0)) as closed:
        server = Server(closed.getsockname()[1])
    with pytest.raises(SourceError, match="cannot be reached"):
        fetcher(server).get(server.url)
    with serving(saying(plain(PAGE))) as server, pytest.raises(SourceError):
        fetcher(server, seconds=0.5).get(server.url.replace("http:", "https:"))


# TLS


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate for news.example, with its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=news.example", "-addext", "subjectAltName=DNS:news.example"]
    where = ["-keyout", f"{path}.key", "-out", str(path)]
    subprocess.run(["openssl", *request.split(), *names, *where], check=True, capture_output=True)  # noqa: S607
    path.write_bytes(path.read_bytes() + Path(f"{path}.key").read_bytes())
    return path


def over_tls(identity: Path, talk: Talk) -> Talk:
    """Serve over TLS, without a robots.txt."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity)

    def secured(line: socket.socket, _: str) -> None:
        with suppress(OSError), context.wrap_socket(line, server_side=True) as tls:
            request = tls.recv(65_536).decode()
            if request.startswith("GET /robots.txt"):
                tls.sendall(reply(404))
            else:
                talk(tls, request)

    return secured


def test_certificates_are_checked(identity: Path) -> None:
    """A page over TLS needs a trusted certificate for its host name."""
    trusting = ssl.create_default_context(cafile=str(identity))
    with serving(over_tls(identity, saying(plain(PAGE))), tls=True) as server:
        ours = fetcher(server, context=trusting)
        url = f"https://news.example:{server.port}/"
        assert ours.get(url).body == PAGE
        with pytest.raises(SourceError, match="no valid certificate"):
            fetcher(server).get(url)
        with pytest.raises(SourceError, match="no valid certificate"):
            ours.get(f"https://other.example:{server.port}/")


def test_time_is_limited_under_tls(identity: Path) -> None:
    """The time limit also holds over TLS, for bodies and for handshakes."""
    trusting = ssl.create_default_context(cafile=str(identity))
    for talk in (over_tls(identity, SLOW["body"]), SLOW["silence"]):
        started = time.monotonic()
        with serving(talk, tls=True) as server, pytest.raises(SourceError, match="too long"):
            fetcher(server, seconds=0.7, context=trusting).get(
                f"https://news.example:{server.port}/"
            )
        assert time.monotonic() - started < 2


# robots.txt

ROBOTS = (
    b"User-agent: *\nDisallow: /\n\nUser-agent: OnRecord\nDisallow: /private\nAllow: /private/a$\n"
)


def test_robots_are_asked_once_and_obeyed() -> None:
    """robots.txt is read once and obeyed, also after redirects."""

    def talk(line: socket.socket, request: str) -> None:
        moved = request.startswith("GET /moved")
        line.sendall(reply(302, Location="/private") if moved else plain(PAGE))

    with serving(talk, plain(ROBOTS)) as server:
        ours = fetcher(server)
        base = f"http://{LOOPBACK}:{server.port}"
        assert ours.get(base + "/news").body == PAGE
        assert ours.get(base + "/private/a").body == PAGE
        for path in ("/private", "/private/a/b", "/moved"):
            with pytest.raises(SourceError, match="asks programs not to read"):
                ours.get(base + path)
    assert server.paths() == ["/news", "/private/a", "/moved"]
    assert len(server.requests) == 4


def test_robots_that_cannot_be_read() -> None:
    """A robots.txt that fails forbids everything; a missing or garbled file forbids nothing."""
    with serving(saying(plain(PAGE)), reply(500)) as server:
        with pytest.raises(SourceError, match="try again later"):
            fetcher(server).get(server.url)
        assert server.paths() == []
    for robots in (plain(b"\xff\x00 nonsense"), reply(404), reply(302, Location="/robots.txt")):
        with serving(saying(plain(PAGE)), robots) as server:
            assert fetcher(server).get(server.url).body == PAGE


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        ("User-agent: *\nAllow: /news\nDisallow: /", "/sport", False),
        ("User-agent: *\nDisallow: /*?s=", "/x?s=1", False),
        ("User-agent: onrecord\nAllow: /\n\nUser-agent: *\nDisallow: /", "/x", True),
        ("User-agent: *\nDisallow: /" + "*a" * 2_000 + "$", "/" + "a" * 3_900 + "b", True),
    ],
    ids=["longest match", "wildcard", "our group", "slow pattern"],
)
def test_robots_rules(rules: str, path: str, expected: bool) -> None:
    """Rules are read as in RFC 9309, and slow patterns cause no delay."""
    with serving(saying(plain(PAGE)), plain(rules.encode())) as server:
        try:
            fetcher(server).get(server.url.rstrip("/") + path)
        except SourceError as error:
            assert "asks programs not to read" in str(error)  # noqa: PT017 - either is right
        assert bool(server.paths()) is expected
