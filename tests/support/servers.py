"""A server on loopback that sends exactly the bytes that a test gives it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from index.reading.http import Fetcher

LOOPBACK = "127.0.0.1"


Talk = Callable[[socket.socket, str], None]


@dataclass
class Server:
    """A server that remembers its requests."""

    port: int
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The URL of the server, which ends in a slash."""
        return f"http://{LOOPBACK}:{self.port}/"

    def paths(self) -> list[str]:
        """The requested paths, without robots.txt."""
        lines = [request.split(" ")[1] for request in self.requests]
        return [path for path in lines if path != "/robots.txt"]


@contextmanager
def serving(talk: Talk, robots: bytes | None = None, *, tls: bool = False) -> Iterator[Server]:
    """Serve on a free port of this machine until the block ends."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        server = Server(listener.getsockname()[1])

        def answer(line: socket.socket) -> None:
            with line, suppress(OSError):
                if tls:
                    talk(line, "")
                    return
                request = b""
                while b"\r\n\r\n" not in request and (block := line.recv(65_536)):
                    request += block
                server.requests.append(request.decode("latin-1"))
                if request.startswith(b"GET /robots.txt"):
                    line.sendall(robots or reply(404))
                elif request:
                    talk(line, request.decode("latin-1"))

        def listen() -> None:
            with suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    threading.Thread(target=answer, args=[line], daemon=True).start()

        threading.Thread(target=listen, daemon=True).start()
        yield server
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def reply(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return a whole response."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *lines])
    return head.encode() + b"\r\n\r\n" + body


def plain(body: bytes, **headers: str) -> bytes:
    """Return a response of status 200."""
    return reply(200, body, **headers)


def saying(*answers: bytes) -> Talk:
    """Send these bytes to every request."""

    def talk(line: socket.socket, _: str) -> None:
        for answer in answers:
            line.sendall(answer)

    return talk


def fetcher(server: Server, **options: object) -> Fetcher:
    """Return a fetcher that may reach this server, and resolves every name to this machine."""
    limits = {"seconds": 5.0, **options}
    return Fetcher(
        allow=frozenset({(LOOPBACK, server.port)}),
        resolve=lambda host, _: [host if host[0].isdigit() else LOOPBACK],
        **limits,  # type: ignore[arg-type]
    )
