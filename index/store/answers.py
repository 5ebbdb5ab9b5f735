"""What a collection remembers of its answers: what was answered, judged, and waited for.

It lives in the catalogue of its collection and is no part of a generation. It says what was asked
and what was quoted, never who asked; a watch names whom to tell, and is deleted once it ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Protocol

from index.domain import (
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
from index.errors import NotFoundError, QuoteError

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
_PUBLIC = "message IS NOT NULL AND status = 'answered'"

Verdict = Literal["useful", "wrong"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the id of the answer it got."""

    answer_id: str
    question: str


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """An answer that was sent, its quotes cut again from the revisions they came from.

    Attributes:
        channel, message: where all can read it; None where it was private.
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


@dataclass(frozen=True, slots=True)
class StaleAnswer:
    """A public answer that quotes what no longer stands.

    Attributes:
        entry: the answer as it was kept, with where it was posted.
        article: as it is now, with its notice.
        kind: what became of the article.
        quotes: the sentences quoted from it that it no longer has; all, where it was taken out.
    """

    entry: LoggedAnswer
    article: Article
    kind: Literal["changed", "removed", "corrected", "retracted"]
    quotes: tuple[str, ...]


class Reading(Protocol):
    """One generation of a catalogue, as far as answers are recalled from it."""

    db: sqlite3.Connection

    def article(self, article_id: str, revision: int | None = None) -> Article: ...


class AnswerLog:
    """The answers of a collection. Each method is a transaction of its own."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[Reading]],
        writing: Callable[[], AbstractContextManager[sqlite3.Connection]],
    ) -> None:
        """Remember in the catalogue that these two open, to read and to write."""
        self._reading = reading
        self._writing = writing

    def log(
        self, answer: Answer, *, channel: int | None = None, message: int | None = None
    ) -> None:
        """Keep an answer that was sent, and where all can read it; without that it is private.

        The same one given again is kept once, with where it was read last.
        """
        kept = (
            *(answer.answer_id, datetime.now(UTC).isoformat(), answer.question),
            *(_packed(answer.filters), answer.generation, answer.model, answer.status),
            *(answer.confidence, _parts(answer), answer.reason, channel, message),
        )
        with self._writing() as db:
            db.execute(
                "INSERT INTO answer VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
                "at = excluded.at, channel = coalesce(excluded.channel, channel), "
                "message = coalesce(excluded.message, message)",
                kept,
            )
            if message is not None:  # whoever reads it there has not been told of anything
                db.execute("DELETE FROM told WHERE answer_id = ?", (answer.answer_id,))

    def recall(self, answer_id: str) -> LoggedAnswer:
        """An answer that was sent, its quotes cut again as they were. Raises NotFoundError."""
        with self._reading() as reading:
            return _recalled(reading, answer_id)

    def quoting(self, article_id: str, limit: int = 5) -> list[Asked]:
        """Answers for all to read that quote an article, newest first."""
        rows = self._rows(
            f"SELECT answer_id, question FROM answer WHERE {_PUBLIC} AND EXISTS "
            "(SELECT 1 FROM json_each(coalesce(json_extract(cuts, '$.cuts'), cuts)) "
            "WHERE json_extract(value, '$[0]') = ?) ORDER BY at DESC LIMIT ?",
            (article_id, limit),
        )
        return [Asked(*row) for row in rows]

    def judge(self, answer_id: str, verdict: Verdict, note: str = "", *, reader: int) -> None:
        """Keep what a reader said of an answer, in the place of what they said before."""
        now = datetime.now(UTC).isoformat()
        with self._writing() as db:
            number = _alias(db, answer_id, reader)
            db.execute(
                "INSERT OR REPLACE INTO feedback VALUES (?,?,?,?,?)",
                (number, answer_id, now, verdict, note),
            )

    def feedback(self, answer_id: str) -> list[Feedback]:
        """What readers said of an answer, oldest first."""
        rows = self._rows(
            "SELECT verdict, note, at FROM feedback WHERE answer_id = ? ORDER BY at", (answer_id,)
        )
        return [Feedback(verdict, note, datetime.fromisoformat(at)) for verdict, note, at in rows]

    def prune(self, days: int) -> None:
        """Forget answers, and what was said of them, that were given more than so long ago."""
        before = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        with self._writing() as db:
            db.execute("DELETE FROM answer WHERE at < ?", (before,))
            db.execute("DELETE FROM feedback WHERE at < ?", (before,))
            db.execute("DELETE FROM told WHERE answer_id NOT IN (SELECT answer_id FROM answer)")

    def watch(self, answer: Answer, *, channel: int, person: int) -> int:
        """Wait for reports that answer what this answer declined; the watch's number.

        The same wish is one watch.
        """
        wish = (answer.question, _packed(answer.filters), answer.generation, channel, person)
        with self._writing() as db:
            made = db.execute(
                "INSERT INTO watch (question, filters, generation, channel, person) "
                "VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET person = person RETURNING number",
                wish,
            ).fetchall()
        return int(made[0][0])

    def looked(self, number: int, generation: int) -> None:
        """Note that a generation was looked at for a watch."""
        with self._writing() as db:
            db.execute("UPDATE watch SET generation = ? WHERE number = ?", (generation, number))

    def unwatch(self, number: int) -> None:
        """End a watch."""
        with self._writing() as db:
            db.execute("DELETE FROM watch WHERE number = ?", (number,))

    def watches(self) -> list[Watch]:
        """What somebody waits for, oldest first."""
        columns = "number, question, filters, generation, channel, person"
        rows = self._rows(f"SELECT {columns} FROM watch ORDER BY number")
        return [Watch(row[0], row[1], _unpacked(row[2]), *row[3:]) for row in rows]

    def disturbed(self, since: datetime) -> list[StaleAnswer]:
        """Public answers posted since whose quotes no longer stand, until they are told of.

        A quote stands while the live text of its article has it, letter for letter, and the
        article was not corrected or retracted after the answer.
        """
        with self._reading() as reading:
            told = set(reading.db.execute("SELECT answer_id, article_id, kind FROM told"))
            return [
                found
                for entry in _posted(reading, since)
                for article_id in dict.fromkeys(q.quote.article_id for q in entry.answer.quotes)
                if (found := _disturbed(entry, reading.article(article_id)))
                and (entry.answer.answer_id, article_id, found.kind) not in told
            ]

    def told(self, disturbed: Iterable[StaleAnswer]) -> None:
        """Note that readers of these answers know."""
        rows = [(one.entry.answer.answer_id, one.article.article_id, one.kind) for one in disturbed]
        with self._writing() as db:
            db.executemany("INSERT OR IGNORE INTO told VALUES (?, ?, ?)", rows)

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._reading() as reading:
            return reading.db.execute(sql, values).fetchall()


def _alias(db: sqlite3.Connection, answer_id: str, reader: int) -> int:
    """A number for a reader of one answer: a hash, keyed by a secret of the collection.

    It tells one reader's words from another's, and not who they are nor what else they said.
    """
    db.execute("INSERT OR IGNORE INTO meta VALUES ('readers', ?)", (secrets.token_hex(32),))
    key = db.execute("SELECT value FROM meta WHERE key = 'readers'").fetchone()[0]
    told = f"{answer_id} {reader}".encode()
    digest = hashlib.blake2b(told, key=bytes.fromhex(key), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _posted(reading: Reading, since: datetime) -> Iterator[LoggedAnswer]:
    """Public answers; one that was sent while a copy was recovered may quote what is not there."""
    ids = reading.db.execute(
        f"SELECT answer_id FROM answer WHERE {_PUBLIC} AND at >= ? ORDER BY at",
        (since.astimezone(UTC).isoformat(),),
    ).fetchall()
    for (answer_id,) in ids:
        with contextlib.suppress(NotFoundError, QuoteError):
            yield _recalled(reading, answer_id)


def _disturbed(entry: LoggedAnswer, now: Article) -> StaleAnswer | None:
    quoted = [one.quote for one in entry.answer.quotes if one.quote.article_id == now.article_id]
    lost = tuple(quote.text for quote in quoted if now.retired or quote.text not in now.text)
    if now.notice and now.notice.at >= entry.at.replace(microsecond=0):  # kept to the second
        return StaleAnswer(entry, now, now.notice.kind, lost)
    if lost:
        return StaleAnswer(entry, now, "removed" if now.retired else "changed", lost)
    return None


def _recalled(reading: Reading, answer_id: str) -> LoggedAnswer:
    key = answer_id.strip().lower()
    row = reading.db.execute("SELECT * FROM answer WHERE answer_id = ?", (key,)).fetchone()
    if row is None:
        raise NotFoundError(
            f"No answer “{answer_id}” is kept here: copy the id from under an answer; those "
            "given long ago are forgotten."
        )
    _, at, question, filters, generation, model, status, confidence, parts, reason, *_ = row
    made = _unparted(json.loads(parts), status, reading)
    answer = Answer(
        answer_id=key,
        question=question,
        filters=_unpacked(filters),
        generation=generation,
        model=model,
        status=status,
        confidence=confidence,
        reason=reason,
        **made,
    )
    was = {one.article.article_id: one.article.revision for one in answer.citations}
    now = [reading.article(article_id) for article_id in was]
    updated = (one for one in now if not one.retired and one.revision != was[one.article_id])
    removed = (one for one in now if one.retired)
    told_at = datetime.fromisoformat(at)
    return LoggedAnswer(answer, told_at, row[-2], row[-1], tuple(updated), tuple(removed))


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


def _unparted(parts: Any, status: str, reading: Reading) -> dict[str, Any]:
    """What `_parts` put down, as fields of an answer."""
    if isinstance(parts, list):  # as earlier versions kept it: the cuts alone
        parts = {"cuts": parts, "sources": [(*cut[:2], cut[4], ()) for cut in parts]}
    sources = {
        number: Citation(number, reading.article(article_id, revision), tuple(independent))
        for article_id, revision, number, independent in parts["sources"]
    }
    quotes = tuple(_cut(sources, cut) for cut in parts["cuts"])
    agreed, news = parts.get("agreement"), parts.get("news")
    sides = (
        [Side(tuple(one["quotes"]), one["speaker"]) for one in agreed["sides"]] if agreed else []
    )
    return {
        "quotes": quotes if status == "answered" else (),
        "closest": quotes[0] if quotes and status != "answered" else None,
        "citations": tuple(sources[number] for number in sorted(sources)),
        "agreement": Agreement(agreed["kind"], tuple(sides)) if agreed else None,
        "news": News(date.fromisoformat(news[0]), news[1]) if news else None,
        "scores": tuple(cut[5] for cut in parts["cuts"]),
    }


def _cut(sources: Mapping[int, Citation], kept: Sequence[Any]) -> CitedQuote:
    later: tuple[Any, ...] = (None, "report", (), None)  # what earlier versions did not keep
    start, end, number, _, speaker, act, also, change = (*kept[2:], *later[len(kept) - 6 :])
    quote = Quote.cut(sources[number].article, start, end)
    return CitedQuote(quote, number, speaker, act, tuple(also), change)


def _packed(filters: Filters) -> str:
    moments = (filters.since, filters.until, filters.as_of)
    return json.dumps([filters.publishers, *(m.isoformat() if m else None for m in moments)])


def _unpacked(text: str) -> Filters:
    publishers, *moments = json.loads(text)
    since, until, as_of = (datetime.fromisoformat(m) if m else None for m in moments)
    return Filters(tuple(publishers), since, until, as_of)
