"""The answer log: what was answered, what readers said of it, and what they wait for.

It lives in the catalogue of its collection and is no part of a generation. It says what was asked
and what was quoted, never who asked; a watch names whom to tell, and is deleted once it ended.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from index.article import (
    Agreement,
    Answer,
    Article,
    Citation,
    CitedQuote,
    Filters,
    News,
    Quote,
    Side,
)

SCHEMA = """
CREATE TABLE answer (
    answer_id TEXT PRIMARY KEY, at TEXT NOT NULL, question TEXT NOT NULL, filters TEXT NOT NULL,
    generation INTEGER NOT NULL, model TEXT NOT NULL, status TEXT NOT NULL,
    confidence REAL NOT NULL, cuts TEXT NOT NULL, reason TEXT, channel INTEGER, message INTEGER)
    WITHOUT ROWID;
CREATE TABLE feedback (
    number INTEGER PRIMARY KEY, answer_id TEXT NOT NULL, at TEXT NOT NULL,
    verdict TEXT NOT NULL, note TEXT NOT NULL);
CREATE INDEX feedback_answer ON feedback (answer_id);
CREATE TABLE watch (
    number INTEGER PRIMARY KEY AUTOINCREMENT, question TEXT NOT NULL, filters TEXT NOT NULL,
    generation INTEGER NOT NULL, channel INTEGER NOT NULL, person INTEGER NOT NULL,
    UNIQUE (question, filters, channel, person));
"""

Verdict = Literal["useful", "wrong"]
Lookup = Callable[[str, int | None], Article]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the id of the answer it got."""

    answer_id: str
    question: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """An answer from the log, its quotes cut again from the revisions they came from.

    Attributes:
        updated, removed: articles behind it, as they are now, that say something else since or
            were taken out.
    """

    answer: Answer
    at: datetime
    channel: int | None
    message: int | None
    updated: tuple[Article, ...]
    removed: tuple[Article, ...]


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a reader said of an answer."""

    verdict: Verdict
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Watch:
    """A question that somebody waits to see answered.

    Attributes:
        generation: the last one that was looked at for it.
        channel, person: where to tell, and whom.
    """

    number: int
    question: str
    filters: Filters
    generation: int
    channel: int
    person: int


class SqliteLog:
    """The log in a catalogue; what it writes belongs to the connection's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Read, or in a write transaction also write."""
        self._db = db

    def record(self, answer: Answer, *, channel: int | None, message: int | None) -> None:
        """Keep an answer; the same one given again is kept once, with where it was read last."""
        filters, now = _packed(answer.filters), datetime.now(UTC).isoformat()
        self._db.execute(
            "INSERT INTO answer VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
            "at = excluded.at, channel = coalesce(excluded.channel, channel), "
            "message = coalesce(excluded.message, message)",
            (
                *(answer.answer_id, now, answer.question, filters, answer.generation),
                *(answer.model, answer.status, answer.confidence, _parts(answer)),
                *(answer.reason, channel, message),
            ),
        )
        if message is not None:  # whoever reads it there has not been told of anything
            self._db.execute("DELETE FROM told WHERE answer_id = ?", (answer.answer_id,))

    def recall(self, answer_id: str, article: Lookup) -> Recalled | None:
        """The answer of that id, its quotes cut again.

        Args:
            answer_id: as it was given.
            article: looks up one article, in a revision or (None) in its latest.
        """
        found = self._db.execute("SELECT * FROM answer WHERE answer_id = ?", (answer_id,))
        row = found.fetchone()
        return _recalled(row, article) if row else None

    def quoting(self, article_id: str, limit: int) -> list[Asked]:
        """Answers for all to read that quote an article, newest first."""
        rows = self._db.execute(
            "SELECT answer_id, question FROM answer "
            "WHERE message IS NOT NULL AND status = 'answered' AND EXISTS "
            "(SELECT 1 FROM json_each(coalesce(json_extract(cuts, '$.cuts'), cuts)) "
            "WHERE json_extract(value, '$[0]') = ?) ORDER BY at DESC LIMIT ?",
            (article_id, limit),
        )
        return [Asked(*row) for row in rows]

    def judge(self, answer_id: str, verdict: Verdict, note: str, reader: int) -> None:
        """Keep what a reader said of an answer; a reader's last word counts."""
        self._db.execute(
            "INSERT OR REPLACE INTO feedback VALUES (?,?,?,?,?)",
            (
                *(self._alias(answer_id, reader), answer_id, datetime.now(UTC).isoformat()),
                *(verdict, note),
            ),
        )

    def _alias(self, answer_id: str, reader: int) -> int:
        """A number for a reader of one answer: a hash, keyed by a secret of the collection.

        It tells one reader's words from another's, and not who they are nor what else they said.
        """
        self._db.execute(
            "INSERT OR IGNORE INTO meta VALUES ('readers', ?)", (secrets.token_hex(32),)
        )
        key = self._db.execute("SELECT value FROM meta WHERE key = 'readers'").fetchone()[0]
        told = f"{answer_id} {reader}".encode()
        digest = hashlib.blake2b(told, key=bytes.fromhex(key), digest_size=8).digest()
        return int.from_bytes(digest, signed=True)

    def feedback(self, answer_id: str) -> list[Feedback]:
        """What readers said of an answer, oldest first."""
        rows = self._db.execute(
            "SELECT verdict, note, at FROM feedback WHERE answer_id = ? ORDER BY at",
            (answer_id,),
        )
        return [Feedback(verdict, note, datetime.fromisoformat(at)) for verdict, note, at in rows]

    def prune(self, before: datetime) -> None:
        """Forget answers, and what was said of them, from before a moment."""
        for name in ("answer", "feedback"):
            self._db.execute(f"DELETE FROM {name} WHERE at < ?", (before.isoformat(),))
        self._db.execute("DELETE FROM told WHERE answer_id NOT IN (SELECT answer_id FROM answer)")

    def watch(self, watch: Watch) -> int:
        """Keep a watch, unless it is there already; its number (the given one counts nothing)."""
        key = (watch.question, _packed(watch.filters), watch.channel, watch.person)
        self._db.execute(
            "INSERT INTO watch (question, filters, channel, person, generation) "
            "VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
            (*key, watch.generation),
        )
        where = "question = ? AND filters = ? AND channel = ? AND person = ?"
        found = self._db.execute(f"SELECT number FROM watch WHERE {where}", key)
        return int(found.fetchone()[0])

    def looked(self, number: int, generation: int) -> None:
        """Note the generation that a watch was last looked at in."""
        self._db.execute("UPDATE watch SET generation = ? WHERE number = ?", (generation, number))

    def unwatch(self, number: int) -> None:
        """End a watch."""
        self._db.execute("DELETE FROM watch WHERE number = ?", (number,))

    def watches(self) -> list[Watch]:
        """All watches, oldest first."""
        rows = self._db.execute(
            "SELECT number, question, filters, generation, channel, person FROM watch "
            "ORDER BY number"
        )
        return [Watch(row[0], row[1], _unpacked(row[2]), *row[3:]) for row in rows]

    def posted(self, since: datetime) -> list[str]:
        """Ids of the answers with quotes that all could read, from then on, oldest first."""
        rows = self._db.execute(
            "SELECT answer_id FROM answer WHERE message IS NOT NULL AND status = 'answered' "
            "AND at >= ? ORDER BY at",
            (since.astimezone(UTC).isoformat(),),
        )
        return [row[0] for row in rows]

    def told(self) -> set[tuple[str, str, str]]:
        """Answer id, article id and kind of all that was told with `tell`."""
        return set(self._db.execute("SELECT answer_id, article_id, kind FROM told"))

    def tell(self, answer_id: str, article_id: str, kind: str) -> None:
        """Note that readers of an answer know what became of an article that it quotes."""
        self._db.execute(
            "INSERT OR IGNORE INTO told VALUES (?, ?, ?)", (answer_id, article_id, kind)
        )


def _parts(answer: Answer) -> str:
    """What an answer is made of, as JSON: where its quotes were cut, and how they agree."""
    quotes = answer.quotes or ((answer.closest,) if answer.closest else ())
    scores = answer.scores or (0.0,) * len(quotes)
    return json.dumps({
        "cuts": [
            [
                *(one.quote.article_id, one.quote.revision, one.quote.start, one.quote.end),
                *(one.citation, score, one.speaker, one.act, one.also, one.change),
            ]
            for one, score in zip(quotes, scores, strict=False)
        ],
        "sources": [
            [one.article.article_id, one.article.revision, one.number, one.independent_of]
            for one in answer.citations
        ],
        "agreement": asdict(answer.agreement) if answer.agreement else None,
        "news": [answer.news.since.isoformat(), answer.news.reports] if answer.news else None,
    })  # fmt: skip


def _recalled(row: tuple[Any, ...], article: Lookup) -> Recalled:
    parts = json.loads(row[8])
    if isinstance(parts, list):  # as earlier versions kept it: the cuts alone
        parts = {"cuts": parts, "sources": [(*cut[:2], cut[4], ()) for cut in parts]}
    sources = {
        number: Citation(number, article(article_id, revision), tuple(independent))
        for article_id, revision, number, independent in parts["sources"]
    }
    quotes = tuple(_cut(sources, cut) for cut in parts["cuts"])
    answered = row[6] == "answered"
    answer = Answer(
        answer_id=row[0],
        question=row[2],
        filters=_unpacked(row[3]),
        generation=row[4],
        model=row[5],
        status=row[6],
        confidence=row[7],
        quotes=quotes if answered else (),
        citations=tuple(sources[number] for number in sorted(sources)),
        agreement=_agreement(parts.get("agreement")),
        news=News(date.fromisoformat(told[0]), told[1]) if (told := parts.get("news")) else None,
        reason=row[9],
        closest=quotes[0] if quotes and not answered else None,
        scores=tuple(cut[5] for cut in parts["cuts"]),
    )
    old = {one.article.article_id: one.article for one in sources.values()}
    now = [article(article_id, None) for article_id in old]
    return Recalled(
        answer=answer,
        at=datetime.fromisoformat(row[1]),
        channel=row[10],
        message=row[11],
        updated=tuple(
            one for one in now if one.revision != old[one.article_id].revision and not one.retired
        ),
        removed=tuple(one for one in now if one.retired),
    )


def _cut(sources: Mapping[int, Citation], kept: Sequence[Any]) -> CitedQuote:
    later: tuple[Any, ...] = (None, "report", (), None)  # what earlier versions did not keep
    start, end, number, _, speaker, act, also, change = (*kept[2:], *later[len(kept) - 6 :])
    quote = Quote.cut(sources[number].article, start, end)
    return CitedQuote(quote, number, speaker, act, tuple(also), change)


def _agreement(kept: dict[str, Any] | None) -> Agreement | None:
    if kept is None:
        return None
    sides = (Side(tuple(side["quotes"]), side["speaker"]) for side in kept["sides"])
    return Agreement(kept["kind"], tuple(sides))


def _packed(filters: Filters) -> str:
    moments = (filters.since, filters.until, filters.as_of)
    return json.dumps([filters.publishers, *(m.isoformat() if m else None for m in moments)])


def _unpacked(text: str) -> Filters:
    publishers, *moments = json.loads(text)
    since, until, as_of = (datetime.fromisoformat(m) if m else None for m in moments)
    return Filters(tuple(publishers), since, until, as_of)
