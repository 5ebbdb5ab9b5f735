"""SQL that several statements share, and records made from rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from index.domain import Article, Filters, Notice, Sentence
from index.encoder import Vectors
from index.reading.items import Link, PageState
from index.store.database import LIST, Database
from index.store.schema import moment
from index.store.types import Ids, IndexVersion
from index.text.periods import is_whole_day

NEWEST = 2**63 - 1  # stands for the newest generation: it is higher than any number
_FIELDS = (
    "article_id title text publisher author published guessed_date url language source guessed"
).split()
ARTICLE = f"""
    r.revision, r.number, a.live IS NULL, n.kind, n.note, n.at, n.actor, {", ".join(_FIELDS)}
    FROM article a JOIN revision r USING (article) LEFT JOIN notice n ON n.article = a.article
    AND n.generation = (SELECT max(generation) FROM notice WHERE article = a.article)
"""
_CLOCKS = timedelta(2)
SENTENCE = "s.sentence_id, s.revision, s.position, s.start, s.stop, s.speaker, s.act"
# Sentences of a revision have consecutive ids, so neighbours are found by theirs.
NEAR = f"""
    SELECT n.sentence_id FROM sentence s JOIN article a ON a.live = s.revision
    JOIN sentence n ON n.revision = s.revision
    AND n.sentence_id BETWEEN s.sentence_id - ? AND s.sentence_id + ? WHERE s.sentence_id IN {LIST}
"""
_NEWEST = """
    SELECT g.number, g.token, m.value, b.value FROM (SELECT 1 AS one) o
    LEFT JOIN generation g ON g.number = (SELECT max(number) FROM generation)
    LEFT JOIN meta m ON m.key = 'model' LEFT JOIN meta b ON b.key = 'rebuilt'
"""


def newest(db: Database) -> tuple[IndexVersion, str | None]:
    """Return the version of the newest generation, and the model that it was embedded with."""
    number, token, model, rebuilt = db.execute(_NEWEST).fetchone()
    name = f"{model or ''} {rebuilt or ''}".strip()
    return IndexVersion(number or 0, token or "", name), model


def passing(filters: Filters) -> tuple[str, list[object]]:
    """Return the SQL conditions of filters on revision r, and their parameters."""
    publishers = [publisher.casefold() for publisher in filters.publishers]
    conditions: dict[str, object] = {f"r.publisher_key IN {LIST}": publishers}
    for bound, sign, after in ((filters.since, ">=", ""), (filters.latest, "<=", "~")):
        if bound and is_whole_day(bound):  # "~" sorts after all offsets from UTC
            conditions[f"r.published {sign} ?"] = f"{bound:%Y-%m-%dT%H:%M:%S}{after}"
        elif bound:
            conditions[f"unixepoch(r.published) {sign} ?"] = int(bound.timestamp())
            # Clocks differ by less than two days, so the index on dates leaves few to compare.
            about = bound + (_CLOCKS if after else -_CLOCKS)
            conditions[f"r.published {sign} ?"] = about.isoformat(timespec="seconds")
    used = {condition: value for condition, value in conditions.items() if value}
    return "".join(f" AND {condition}" for condition in used), [*used.values()]


def matrix(blobs: list[bytes]) -> Vectors:
    """Return stored vectors as float32 (n, d)."""
    vectors = np.frombuffer(b"".join(blobs), dtype=np.float32)
    return vectors.reshape(len(blobs), -1) if blobs else vectors.reshape(0, 0)


def article_of(row: Sequence[Any]) -> Article:
    """Return the article of an `ARTICLE` row; a notice without a kind cancels earlier notices."""
    _, number, retired, kind, note, at, actor, *values = row
    notice = Notice(kind, note, datetime.fromisoformat(at), actor) if kind else None
    named = dict(zip(_FIELDS, values, strict=True))
    named |= {name: moment(named[name]) for name in ("published", "guessed_date")}
    named["guessed"] = tuple(named["guessed"].split())
    return Article(**named, revision=number, retired=bool(retired), notice=notice)


def page_of(row: Sequence[Any], articles: Sequence[str]) -> PageState:
    """Return the state of a page or file; older versions stored only the addresses of links."""
    address, etag, modified, links = row
    named = (Link(link, "") if isinstance(link, str) else Link(*link) for link in json.loads(links))
    return PageState(address, etag, modified, (*articles,), tuple(named))


def notice_at(db: Database, article_id: str, generation: int) -> Notice | None:
    """Return the notice of an article in a generation."""
    return next(iter(notices_at(db, article_id, generation)), None)


def notices_at(db: Database, article_id: str, generation: int) -> list[Notice]:
    """Return the notices of an article in force in a generation; the first is the one shown.

    They are the newest notice and, below a retraction, the correction that it covers. A notice
    without a kind cancels earlier notices.
    """
    sql = (
        "SELECT kind, note, at, actor, covers FROM notice JOIN article USING (article) "
        "WHERE article_id = ? AND generation <= ? ORDER BY generation DESC LIMIT 1"
    )
    notices, last = list[Notice](), generation
    while last is not None and (row := db.execute(sql, (article_id, last)).fetchone()):
        kind, note, at, actor, last = row
        if not kind:
            break
        notices.append(Notice(kind, note, datetime.fromisoformat(at), actor))
    return notices


def sentence_of(row: Sequence[Any], article: Article) -> Sentence:
    """Return the sentence of a row that begins with `SENTENCE`."""
    number, _, position, start, end, speaker, act = row[:7]
    text, place = article.text[start:end], (article.article_id, article.revision, position)
    return Sentence(number, *place, start, end, text, speaker, act)


def ids_of(rows: Iterable[Sequence[Any]]) -> Ids:
    """Return the first column of some rows: int64 (n,)."""
    return np.fromiter((row[0] for row in rows), dtype=np.int64)
