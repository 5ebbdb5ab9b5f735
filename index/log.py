"""The answer log: what was answered, what readers said of it, and what they wait for.

It lives in the catalogue of its collection and is no part of a generation. It says what was asked
and what was quoted, never who asked; a watch names whom to tell, and is deleted once it ended.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from index.article import Act, Answer, Article, Citation, CitedQuote, Filters, Quote

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


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a quote was cut: enough to cut it again, letter for letter."""

    article_id: str
    revision: int
    start: int
    end: int
    citation: int
    score: float
    speaker: str | None = None
    act: Act = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An answer as it is kept.

    Attributes:
        cuts: of its quotes; that of the closest one where it declines.
        channel, message: where all could read it; None for an answer that only its reader saw.
    """

    answer_id: str
    at: datetime
    question: str
    filters: Filters
    generation: int
    model: str
    status: Literal["answered", "declined"]
    confidence: float
    cuts: tuple[Cut, ...]
    reason: str | None
    channel: int | None
    message: int | None


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

    def record(self, entry: Entry) -> None:
        """Keep an answer; the same one given again is kept once, with where it was read last."""
        values = (entry.generation, entry.model, entry.status, entry.confidence)
        cuts = json.dumps([list(_values(cut)) for cut in entry.cuts])
        self._db.execute(
            "INSERT INTO answer VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
            "at = excluded.at, channel = coalesce(excluded.channel, channel), "
            "message = coalesce(excluded.message, message)",
            (
                *(entry.answer_id, entry.at.isoformat(), entry.question, _packed(entry.filters)),
                *(*values, cuts, entry.reason, entry.channel, entry.message),
            ),
        )

    def entry(self, answer_id: str) -> Entry | None:
        """The answer of that id."""
        found = self._db.execute("SELECT * FROM answer WHERE answer_id = ?", (answer_id,))
        row = found.fetchone()
        return _entry(row) if row else None

    def quoting(self, article_id: str, limit: int) -> list[Entry]:
        """Answers for all to read that quote an article, newest first."""
        rows = self._db.execute(
            "SELECT * FROM answer WHERE message IS NOT NULL AND status = 'answered' AND EXISTS "
            "(SELECT 1 FROM json_each(cuts) WHERE json_extract(value, '$[0]') = ?) "
            "ORDER BY at DESC LIMIT ?",
            (article_id, limit),
        )
        return [_entry(row) for row in rows]

    def judge(self, answer_id: str, verdict: Verdict, note: str) -> None:
        """Keep what a reader said of an answer."""
        self._db.execute(
            "INSERT INTO feedback (answer_id, at, verdict, note) VALUES (?,?,?,?)",
            (answer_id, datetime.now(UTC).isoformat(), verdict, note),
        )

    def feedback(self, answer_id: str) -> list[Feedback]:
        """What readers said of an answer, oldest first."""
        rows = self._db.execute(
            "SELECT verdict, note, at FROM feedback WHERE answer_id = ? ORDER BY number",
            (answer_id,),
        )
        return [Feedback(verdict, note, datetime.fromisoformat(at)) for verdict, note, at in rows]

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


def entry_of(answer: Answer, *, channel: int | None, message: int | None) -> Entry:
    """An answer as it is kept."""
    quotes = answer.quotes or ((answer.closest,) if answer.closest else ())
    scores = answer.scores or (0.0,) * len(quotes)
    return Entry(
        answer_id=answer.answer_id,
        at=datetime.now(UTC),
        question=answer.question,
        filters=answer.filters,
        generation=answer.generation,
        model=answer.model,
        status=answer.status,
        confidence=answer.confidence,
        cuts=tuple(
            Cut(
                q.quote.article_id,
                q.quote.revision,
                q.quote.start,
                q.quote.end,
                q.citation,
                score,
                q.speaker,
                q.act,
            )
            for q, score in zip(quotes, scores, strict=False)
        ),
        reason=answer.reason,
        channel=channel,
        message=message,
    )


def recalled(entry: Entry, article: Callable[[str, int | None], Article]) -> Recalled:
    """Make an answer again from what was kept.

    Args:
        entry: from the log.
        article: looks up one article, in a revision or (None) in its latest.
    """
    cited = {cut.citation: article(cut.article_id, cut.revision) for cut in entry.cuts}
    quotes = tuple(
        CitedQuote(
            Quote.cut(cited[cut.citation], cut.start, cut.end),
            cut.citation,
            speaker=cut.speaker,
            act=cut.act,
        )
        for cut in entry.cuts
    )
    answered = entry.status == "answered"
    answer = Answer(
        answer_id=entry.answer_id,
        question=entry.question,
        filters=entry.filters,
        generation=entry.generation,
        model=entry.model,
        status=entry.status,
        confidence=entry.confidence,
        quotes=quotes if answered else (),
        citations=tuple(Citation(number, cited[number]) for number in sorted(cited)),
        reason=entry.reason,
        closest=quotes[0] if quotes and not answered else None,
        scores=tuple(cut.score for cut in entry.cuts),
    )
    now = [(old, article(old.article_id, None)) for old in cited.values()]
    return Recalled(
        answer=answer,
        at=entry.at,
        channel=entry.channel,
        message=entry.message,
        updated=tuple(new for old, new in now if new.revision != old.revision and not new.retired),
        removed=tuple(new for _, new in now if new.retired),
    )


def _values(cut: Cut) -> tuple[Any, ...]:
    place = (cut.article_id, cut.revision, cut.start, cut.end)
    return (*place, cut.citation, cut.score, cut.speaker, cut.act)


def _entry(row: tuple[Any, ...]) -> Entry:
    return Entry(
        answer_id=row[0],
        at=datetime.fromisoformat(row[1]),
        question=row[2],
        filters=_unpacked(row[3]),
        generation=row[4],
        model=row[5],
        status=row[6],
        confidence=row[7],
        cuts=tuple(Cut(*values) for values in json.loads(row[8])),
        reason=row[9],
        channel=row[10],
        message=row[11],
    )


def _packed(filters: Filters) -> str:
    moments = (filters.since, filters.until, filters.as_of)
    return json.dumps([filters.publishers, *(m.isoformat() if m else None for m in moments)])


def _unpacked(text: str) -> Filters:
    publishers, *moments = json.loads(text)
    since, until, as_of = (datetime.fromisoformat(m) if m else None for m in moments)
    return Filters(tuple(publishers), since, until, as_of)
