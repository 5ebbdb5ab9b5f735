"""Decide which stored article an incoming one is, and what storing it does.

An id that was given is kept. An id made from a URL or a path gives way to that of a stored article
of the same page, or of the same publisher and words (`identity_keys`). An article is revised only
from where it came: else the writer of a feed could put words into another outlet's mouth.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import replace
from typing import Any

from index.domain import Article
from index.reading.urls import canonical, site
from index.store.rows import NEWEST, notice_at
from index.store.types import Decision, Put

_KNOWN = """
    SELECT key, article_id, url FROM identity JOIN article USING (article)
    JOIN revision ON revision = latest WHERE key IN (SELECT value FROM json_each(?))
"""
_STORED = """
    SELECT a.article, a.latest, a.live, r.text_hash, r.title, r.source, r.url,
    (SELECT max(number) FROM revision WHERE article = a.article), EXISTS
    (SELECT 1 FROM revision u WHERE u.article = a.article AND u.revision > a.latest
    AND u.text_hash = ?)
    FROM article a JOIN revision r ON r.revision = a.latest WHERE a.article_id = ?
"""


def identity_keys(article: Article) -> tuple[str, ...]:
    """Return keys that recognise an article under another id.

    They are its canonical URL, if it has one, and last a hash of publisher, title and text.
    """
    parts = [(article.publisher or "").casefold(), article.title, article.text]
    words = "\x00".join(" ".join(part.split()) for part in parts).encode("utf-8", "surrogatepass")
    page = (f"page {canonical(article.url)}",) if article.url else ()
    return (*page, f"words {hashlib.sha256(words).hexdigest()}")


def comes_from(source: str | None, known: Article) -> bool:
    """Whether an article may come from a source: from its own site, or a file as before."""
    homes = {site(known.source)} | ({site(known.url)} if known.url else set())
    return site(source) in homes


def refusal(known: Article) -> str:
    """Return why an article from elsewhere may not revise this one, and what to do."""
    return (
        f"“{known.title}” came from {site(known.source) or 'a file'}, and is revised only from "
        "there: give this report an address or an id of its own, or say with `correct` what is "
        "wrong with that one."
    )


def decide(db: sqlite3.Connection, article: Article, *, revive: bool) -> Decision:
    """Decide what storing an article does, in view of what this connection sees."""
    given, same_words = article, False
    row = _stored(db, article)
    if row is None and not article.id_given:
        keys = identity_keys(article)
        known = {key: names for key, *names in db.execute(_KNOWN, (json.dumps(keys),))}
        if twin := next((known[key] for key in keys if key in known), None):
            article = replace(article, article_id=twin[0], url=twin[1])
            same_words = keys[-1] in known
            row = _stored(db, article)
    if row is None:
        return Decision(given, article, "added")
    key, latest, live, text_hash, title, source, url, number, undone = row
    stored = Article(article_id=article.article_id, title=title, text="-", source=source, url=url)
    outcome: Put = "updated"
    reason = ""
    if live is None and revive and (retracted := _retraction(db, article.article_id, title)):
        outcome, reason = "refused", retracted
    elif same_words or text_hash == article.text_hash:
        outcome = "restored" if live is None and revive else "unchanged"
    elif not comes_from(article.source, stored):
        outcome, reason = "refused", refusal(stored)
    elif (live is None or undone) and not revive:  # until its source says something else
        outcome = "unchanged"
    return Decision(given, article, outcome, reason, key, latest, live, number)


def _retraction(db: sqlite3.Connection, article_id: str, title: str) -> str:
    """Why a retracted article is not added again, and what to do; "" if it is not retracted."""
    notice = notice_at(db, article_id, NEWEST)
    if notice is None or notice.kind != "retracted":
        return ""
    return f"“{title}” was retracted ({notice.note}): restore it first, if that was wrong."


def _stored(db: sqlite3.Connection, article: Article) -> tuple[Any, ...] | None:
    """What is stored under its id; last, whether this same text was stored later and undone."""
    values = (article.text_hash, article.article_id)
    row: tuple[Any, ...] | None = db.execute(_STORED, values).fetchone()
    return row
