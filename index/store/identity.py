"""Which stored article an article is, and what putting it does; the same in and out of a commit.

An id that was given is kept. One made from an address or a path is only another name for an
article that is recognised by its page or, word for word, by its publisher (`identity_keys`).
Only where an article came from may revise it: else whoever writes a feed could put words into
another outlet's mouth.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass, replace
from typing import Any

from index.domain import Article
from index.reading.urls import canonical, site
from index.store.types import Decision


def identity_keys(article: Article) -> tuple[str, ...]:
    """Keys that recognise an article under another id.

    Its canonical URL, where it has one, and last a hash of publisher, title and text.
    """
    parts = [(article.publisher or "").casefold(), article.title, article.text]
    words = "\x00".join(" ".join(part.split()) for part in parts).encode("utf-8", "surrogatepass")
    page = (f"page {canonical(article.url)}",) if article.url else ()
    return (*page, f"words {hashlib.sha256(words).hexdigest()}")


def comes_from(source: str | None, known: Article) -> bool:
    """Whether a source is where an article came from: its site, or the same machine's files."""
    homes = {site(known.source)} | ({site(known.url)} if known.url else set())
    return site(source) in homes


def refusal(known: Article) -> str:
    """Why an article from elsewhere may not revise this one, and what to do."""
    return (
        f"“{known.title}” came from {site(known.source) or 'a file'}, and is revised only from "
        "there: give this report an address or an id of its own, or say with `correct` what is "
        "wrong with that one."
    )


@dataclass(frozen=True, slots=True)
class Match:
    """A decision, and the stored article it is about.

    Attributes:
        key, latest, live: of the stored article: its row, and its latest and live revisions.
        number: of its last revision, 0 where it is new.
    """

    decision: Decision
    key: int | None = None
    latest: int = 0
    live: int | None = None
    number: int = 0


def decide(db: sqlite3.Connection, article: Article, *, revive: bool) -> Match:
    """What putting an article does, in view of what this connection sees."""
    row = _stored(db, article.article_id, article.text_hash)
    same_words = False
    if row is None and not article.id_given:
        keys = identity_keys(article)
        ids = [_known_by(db, key) for key in keys]
        twin = next(filter(None, ids), None)
        if twin is not None:
            same_words = ids[-1] is not None
            url = db.execute(
                "SELECT url FROM article JOIN revision ON revision = latest WHERE article_id = ?",
                (twin,),
            ).fetchone()[0]
            article = replace(article, article_id=twin, url=url)
            row = _stored(db, twin, article.text_hash)
    if row is None:
        return Match(Decision(article, "added"))
    key, latest, live, text_hash, title, source, url, number, undone = row
    known = Article(article_id=article.article_id, title=title, text="-", source=source, url=url)
    if same_words or text_hash == article.text_hash:
        decision = Decision(article, "restored" if live is None and revive else "unchanged")
    elif not comes_from(article.source, known):
        decision = Decision(article, "refused", refusal(known))
    elif (live is None or undone) and not revive:  # until its source says something else
        decision = Decision(article, "unchanged")
    else:
        decision = Decision(article, "updated")
    return Match(decision, key, latest, live, number)


def _known_by(db: sqlite3.Connection, key: str) -> str | None:
    """The id of the article that first had an identity key."""
    sql = "SELECT article_id FROM identity JOIN article USING (article) WHERE key = ?"
    row = db.execute(sql, (key,)).fetchone()
    return row[0] if row else None


def _stored(db: sqlite3.Connection, article_id: str, text_hash: str) -> tuple[Any, ...] | None:
    """What is stored under an id; last, whether this very text was there and was undone."""
    row: tuple[Any, ...] | None = db.execute(
        "SELECT a.article, a.latest, a.live, r.text_hash, r.title, r.source, r.url, "
        "(SELECT max(number) FROM revision WHERE article = a.article), EXISTS (SELECT 1 "
        "FROM revision u WHERE u.article = a.article AND u.revision > a.latest AND "
        "u.text_hash = ?) "
        "FROM article a JOIN revision r ON r.revision = a.latest WHERE a.article_id = ?",
        (text_hash, article_id),
    ).fetchone()
    return row
