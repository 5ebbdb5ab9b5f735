"""The log of a collection's answers.

It is stored with its collection and is not part of a generation. It holds questions and quotes,
never the asker (`index.store.people` says who may open a private answer). Answers are stored
without the text of any article: their quotes are cut again from the articles when they are read.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from index.domain import Agreement, Answer, Citation, CitedQuote, News, Quote
from index.errors import NotFoundError, QuoteError
from index.store.database import LIST, Database
from index.store.people import FILTERS, Viewer, add_asker, filters_json, is_asker, no_answer
from index.store.snapshot import CatalogueSnapshot
from index.store.standing import Standing, standings
from index.store.tables import Tables

_AGREEMENT = TypeAdapter[Agreement | None](Agreement | None)
_NEWS = TypeAdapter[News | None](News | None)
_PUBLIC = "message IS NOT NULL AND status = 'answered'"


@dataclass(frozen=True, slots=True)
class QuotingAnswer:
    """The id of a public answer that quotes an article, and its question."""

    answer_id: str
    question: str


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """An answer that was sent, its quotes cut again from the revisions they came from.

    Attributes:
        channel, message: where others can read it; None if it was private.
        standings: how each article that it cites has changed since.
    """

    answer: Answer
    at: datetime
    channel: int | None
    message: int | None
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class StaleAnswer:
    """A public answer whose articles have changed in a way that its readers do not know yet.

    Attributes:
        entry: the answer as it was recorded, and where it was posted.
        standings: of the articles that have changed, or had when readers were last notified.
    """

    entry: LoggedAnswer
    standings: tuple[Standing, ...]


class AnswerLog(Tables):
    """The answers of a collection."""

    def record(
        self,
        answer: Answer,
        *,
        server: int | None = None,
        channel: int | None = None,
        message: int | None = None,
        asker: int | None = None,
    ) -> None:
        """Record an answer that was sent, with its public message or else its private asker.

        An answer that is sent again is recorded once, with the place and time at which it was last
        public, and with each server where it was asked.
        """
        now, public = datetime.now(UTC).isoformat(), message is not None
        values = (
            *(answer.answer_id, now, answer.question),
            *(filters_json(answer.filters), answer.generation, answer.model, answer.status),
            *(answer.confidence, _parts_json(answer), answer.reason, channel, message),
        )
        with self._writing() as db:
            db.execute(
                "INSERT INTO answer VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (answer_id) "
                "DO UPDATE SET at = CASE WHEN excluded.message IS NULL AND answer.message "
                "IS NOT NULL THEN answer.at ELSE excluded.at END, "
                "channel = coalesce(excluded.channel, answer.channel), "
                "message = coalesce(excluded.message, answer.message)",
                values,
            )
            quoted = {cited_quote.quote.article_id for cited_quote in answer.quotes}
            db.executemany(
                "INSERT INTO quoted VALUES (?, ?) ON CONFLICT DO NOTHING",
                [(answer.answer_id, article_id) for article_id in sorted(quoted)],
            )
            db.execute(
                "INSERT INTO asked (answer_id, server, at, times, channel) VALUES (?,?,?,?,?) "
                "ON CONFLICT (answer_id, server) DO UPDATE SET at = excluded.at, "
                "times = asked.times + excluded.times, "
                "channel = coalesce(excluded.channel, asked.channel)",
                (answer.answer_id, server or 0, now, int(public), channel),
            )
            if public:  # the readers of the new message have not been notified yet
                db.execute("DELETE FROM notified WHERE answer_id = ?", (answer.answer_id,))
                sql = "UPDATE asked SET done = FALSE WHERE answer_id = ? AND server = ?"
                db.execute(sql, (answer.answer_id, server or 0))
            if asker is not None:
                add_asker(db, answer.answer_id, asker)

    def get(self, answer_id: str, viewer: Viewer | None = None) -> LoggedAnswer:
        """Return an answer that was sent, with its quotes, by its id as it is shown: “`1a2b`”.

        Raises:
            NotFoundError: there is no such answer, or the viewer (None: the operator) may not see
                it, because its channel is closed to them or it was another person's private answer.
        """
        key = answer_id.strip(" `#\n").lower()
        with self._snapshot() as snapshot:
            row = snapshot.db.execute("SELECT * FROM answer WHERE answer_id = ?", (key,)).fetchone()
            if row is None or not _may_see(snapshot.db, viewer, key):
                raise no_answer(answer_id)
            return _restored(snapshot, row)

    def quoting(
        self, article_id: str, channels: Iterable[int], limit: int = 5
    ) -> list[QuotingAnswer]:
        """Return public answers in these channels that quote an article, newest first."""
        rows = self._rows(
            "SELECT answer_id, question FROM quoted JOIN answer USING (answer_id) "
            f"WHERE article_id = ? AND {_PUBLIC} AND channel IN {LIST} ORDER BY at DESC LIMIT ?",
            (article_id, [*channels], limit),
        )
        return [QuotingAnswer(*row) for row in rows]

    def prune(self, days: int) -> None:
        """Delete watches, and answers with their feedback, that are older than `days` days."""
        before = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        with self._writing() as db:
            db.execute("DELETE FROM answer WHERE at < ?", (before,))
            db.execute("DELETE FROM watch WHERE at < ?", (before,))

    def overdue(self, days: int) -> timedelta | None:
        """Return how long ago `prune` became due; negative if it is not due, None without answers.

        It is due when it has a day's work, so that it runs once a day at most.
        """
        sql = "SELECT min(at) FROM (SELECT at FROM answer UNION ALL SELECT at FROM watch) AS kept"
        ((oldest,),) = self._rows(sql)
        if oldest is None:
            return None
        return datetime.now(UTC) - datetime.fromisoformat(oldest) - timedelta(days=days + 1)

    def stale(self, since: datetime) -> list[StaleAnswer]:
        """Return public answers since a time whose articles have changed unknown to their readers.

        Readers know what the answer showed, and the changes that they were notified of later.
        """
        stale = []
        with self._snapshot() as snapshot:
            rows = snapshot.db.execute(
                "SELECT answer_id, article_id, state FROM notified JOIN answer USING (answer_id) "
                "WHERE at >= ?",
                (since.astimezone(UTC).isoformat(),),
            )
            known = {(answer_id, article_id): state for answer_id, article_id, state in rows}
            for entry in _posted(snapshot, since):
                states = {
                    s: known.get((entry.answer.answer_id, s.article.article_id), "")
                    for s in entry.standings
                }
                if any(standing.state != state for standing, state in states.items()):
                    worth_a_line = (s for s, state in states.items() if s.state or state)
                    stale.append(StaleAnswer(entry, tuple(worth_a_line)))
        return stale

    def mark_notified(self, stale: StaleAnswer) -> None:
        """Note that the readers of an answer know the present state of its articles."""
        answer_id = stale.entry.answer.answer_id
        rows = [(answer_id, s.article.article_id, s.state) for s in stale.standings]
        with self._writing() as db:
            db.executemany(
                "INSERT INTO notified VALUES (?, ?, ?) "
                "ON CONFLICT (answer_id, article_id) DO UPDATE SET state = excluded.state",
                rows,
            )


def _posted(snapshot: CatalogueSnapshot, since: datetime) -> Iterator[LoggedAnswer]:
    """Yield public answers since a time, except those that quote articles lost in a recovery."""
    rows = snapshot.db.execute(
        f"SELECT * FROM answer WHERE {_PUBLIC} AND at >= ? ORDER BY at",
        (since.astimezone(UTC).isoformat(),),
    )
    for row in rows:
        with contextlib.suppress(NotFoundError, QuoteError):
            yield _restored(snapshot, row)


def _may_see(db: Database, viewer: Viewer | None, answer_id: str) -> bool:
    """Return whether a viewer may open an answer: it is in a channel they can read, or theirs."""
    rows = db.execute("SELECT channel FROM asked WHERE answer_id = ?", (answer_id,)).fetchall()
    return (
        viewer is None
        or not viewer.channels.isdisjoint(channel for (channel,) in rows)
        or is_asker(db, answer_id, viewer.person)
    )


def _parts_json(answer: Answer) -> str:
    """Return as JSON an answer's quotes (only their spans), citations, agreement and news."""
    scores = answer.scores or (0.0,) * len(answer.shown)
    cuts = []
    for cited_quote, score in zip(answer.shown, scores, strict=False):
        cut = asdict(cited_quote)
        quote, part = cut.pop("quote"), cut.pop("answer")
        place = {name: quote[name] for name in ("article_id", "start", "end")}
        answer_place = (part["start"], part["end"]) if part else None
        cuts.append(place | cut | {"score": score, "answer": answer_place})
    cited = [
        {
            "number": citation.number,
            "article_id": citation.article.article_id,
            "revision": citation.article.revision,
            "independent_of": citation.independent_of,
        }
        for citation in answer.citations
    ]
    parts = {"cuts": cuts, "cited": cited, "agreement": answer.agreement, "news": answer.news}
    return to_json(parts).decode()


def _restored(snapshot: CatalogueSnapshot, row: tuple[Any, ...]) -> LoggedAnswer:
    """Return the answer in a row. Raises NotFoundError or QuoteError if an article is lost."""
    key, at, question, filters, generation, model, status, confidence, text, *place = row
    reason, channel, message = place
    parts = json.loads(text)
    articles = {
        cited["number"]: snapshot.article(cited["article_id"], cited["revision"])
        for cited in parts["cited"]
    }
    quotes = tuple(
        CitedQuote(
            Quote.cut(articles[cut["citation"]], cut["start"], cut["end"]),
            *(cut["citation"], cut["speaker"], cut["act"], tuple(cut["also"]), cut["change"]),
            cut["answer"] and Quote.cut(articles[cut["citation"]], *cut["answer"]),
        )
        for cut in parts["cuts"]
    )
    answer = Answer(
        answer_id=key,
        question=question,
        filters=FILTERS.validate_json(filters),
        generation=generation,
        model=model,
        status=status,
        confidence=confidence,
        quotes=quotes if status == "answered" else (),
        citations=tuple(
            Citation(number, articles[number], None if others is None else tuple(others))
            for number, others in sorted((c["number"], c["independent_of"]) for c in parts["cited"])
        ),
        agreement=_AGREEMENT.validate_python(parts["agreement"]),
        reason=reason,
        closest=quotes[0] if quotes and status != "answered" else None,
        news=_NEWS.validate_python(parts["news"]),
        scores=tuple(cut["score"] for cut in parts["cuts"]),
    )
    at = datetime.fromisoformat(at)
    return LoggedAnswer(answer, at, channel, message, standings(snapshot, answer))
