"""How much does checking unchanged sources cost: a feed with pages, and a folder of pages?

python tests/benchmarks/refresh.py [ARTICLES]
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from index.archive import Archive
from index.encoder import PackagedEncoder
from index.network import prepare_process
from index.reading.http import Fetcher
from index.store.sqlite import SqliteStore

_OLD = 1_700_000_000


def page(number: int) -> str:
    """Return a web page with a report of three sentences."""
    text = (
        f"Gate {number} of the dam above Tessen was opened at dawn by the crew on duty. "
        f"Water rose by {number} centimetres in the valley before noon on the same day. "
        "Nobody was hurt, and the road along the river stayed open to all traffic."
    )
    return (
        f"<!doctype html><html><head><title>Gate {number}</title></head><body><article>"
        f"<h1>Gate {number}</h1><p>{text}</p></article></body></html>"
    )


class Site(BaseHTTPRequestHandler):
    """A feed of summaries and its pages, with ETags."""

    articles = 0

    def do_GET(self) -> None:
        """Send a page, or 304 if it is unchanged."""
        name = self.path.strip("/")
        body = (page(int(name)) if name.isdigit() else self.feed()).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        same = self.headers.get("If-None-Match") == etag
        self.send_response(404 if name == "robots.txt" else 304 if same else 200)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", "0" if same else str(len(body)))
        self.end_headers()
        if not same:
            self.wfile.write(body)

    def feed(self) -> str:
        """Return RSS that links to every page."""
        host = self.headers["Host"]
        items = (
            f"<item><title>{n}</title><link>http://{host}/{n}</link></item>"
            for n in range(self.articles)
        )
        return f'<rss version="2.0"><channel>{"".join(items)}</channel></rss>'

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Add articles from both, then check both again."""
    prepare_process()
    Site.articles = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fetcher = Fetcher(allow=frozenset({("127.0.0.1", server.server_port)}))
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder, "pages")
        pages.mkdir()
        for number in range(Site.articles):
            (pages / f"{number}.html").write_text(page(number), encoding="utf-8")
            os.utime(pages / f"{number}.html", (_OLD, _OLD))
        feed = f"http://127.0.0.1:{server.server_port}/feed"
        for name, source in (("feed", feed), ("folder", str(pages))):
            encoder = PackagedEncoder(threads=os.cpu_count() or 1)
            archive = Archive(SqliteStore(Path(folder, name)), encoder, fetcher=fetcher)
            for word, take in (("add", archive.add), ("refresh", archive.sources.reindex)):
                made = take([source])
                print(
                    f"{word} a {name}: {made.seconds:.2f} s, {len(made.added)} added, "
                    f"{made.unchanged} unchanged, {len(made.failed)} failed"
                )
            archive.close()
    server.shutdown()


if __name__ == "__main__":
    main()
