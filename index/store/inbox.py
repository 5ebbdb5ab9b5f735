"""List open items for moderators: quotes that readers flagged, and questions that were declined.

Moderators see only what they could read anyway: the question of a private answer, or of an answer
in a channel that is closed to them, is never shown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from index.domain import Filters
from index.store.database import LIST
from index.store.people import FILTERS
from index.store.schema import meta, set_meta
from index.store.tables import Tables
from index.text.terms import content_terms

_WEEK = timedelta(days=7)
_LATEST = 1_000  # declined questions listed; earlier ones follow once these are dealt with
_ALIKE = 0.5  # share of words: reworded questions have as many in common, others hardly any


@dataclass(frozen=True, slots=True)
class Flagged:
    """An answer with quotes that readers flagged, and their notes; `question` is None if hidden."""

    answer_id: str
    question: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declined:
    """A group of similar declined questions, shown as the latest was asked.

    Attributes:
        answer_ids: the ids of all their answers.
        times: how often they were asked.
        watchers: how many people watch them.
    """

    answer_ids: tuple[str, ...]
    question: str
    filters: Filters
    times: int
    watchers: int


@dataclass(frozen=True, slots=True)
class Week:
    """Counts of a week: different questions answered and declined, and answers flagged."""

    answered: int
    declined: int
    flagged: int


class Inbox(Tables):
    """The open items of each server that uses a collection."""

    def flagged(self, server: int, channels: Collection[int]) -> list[Flagged]:
        """Return answers flagged in a server that no moderator has dealt with, the latest first.

        Questions are shown only if they were asked in these channels.
        """
        rows = self._rows(
            "SELECT f.answer_id, question, p.channel, note FROM feedback f "
            "JOIN answer USING (answer_id) LEFT JOIN asked p "
            "ON p.answer_id = f.answer_id AND p.server = f.server "
            "WHERE f.server = ? AND NOT f.done ORDER BY f.at DESC",
            (server,),
        )
        flagged = dict[str, Flagged]()
        for answer_id, question, channel, note in rows:
            earlier = flagged.get(answer_id, Flagged(answer_id, None, ()))
            shown = question if channel in channels else None
            flagged[answer_id] = Flagged(answer_id, shown, (*earlier.notes, note))
        return [*flagged.values()]

    def declined(self, server: int, channels: Collection[int]) -> list[Declined]:
        """Return the questions declined in these channels of a server, similar ones grouped.

        Those asked most often come first. Only the latest `_LATEST` are grouped.
        """
        rows = self._rows(
            "SELECT a.answer_id, question, filters, times, "
            "(SELECT count(DISTINCT person) FROM watch w WHERE w.question = a.question "
            "AND w.filters = a.filters AND w.server = p.server AND w.channel IS NOT NULL) "
            "FROM answer a JOIN asked p ON p.answer_id = a.answer_id "
            "WHERE p.server = ? AND times > 0 AND NOT done AND status = 'declined' "
            f"AND p.channel IN {LIST} ORDER BY p.at DESC LIMIT ?",
            (server, [*channels], _LATEST),
        )
        alone = list[Declined]()
        asked = set[tuple[str, str]]()  # questions whose watchers were counted
        for answer_id, question, filters, times, watchers in rows:
            waiting = 0 if (question, filters) in asked else watchers
            asked.add((question, filters))
            restricted = FILTERS.validate_json(filters)
            alone.append(Declined((answer_id,), question, restricted, times, waiting))
        return sorted(map(_joined, grouped(alone)), key=lambda group: -group.times)

    def week(self, server: int, now: datetime) -> Week:
        """Return what happened in a server in the last seven days, private answers included."""
        since = (now.astimezone(UTC) - _WEEK).isoformat()
        ((answered, declined, flagged),) = self._rows(
            "SELECT count(*) FILTER (WHERE status = 'answered'), "
            "count(*) FILTER (WHERE status = 'declined'), "
            "(SELECT count(*) FROM feedback WHERE server = ? AND at >= ?) "
            "FROM asked p JOIN answer USING (answer_id) WHERE server = ? AND p.at >= ?",
            (server, since, server, since),
        )
        return Week(answered, declined, flagged)

    def week_due(self, server: int) -> datetime:
        """Return when the next week of a server begins; a time long past before the first."""
        with self._snapshot() as snapshot:
            return _next_week(meta(snapshot.db, f"week {server}"))

    def begin_week(self, server: int, now: datetime) -> bool:
        """Return whether a week has passed since a server's last week began, or it is the first.

        If so, a new week begins now.
        """
        with self._writing() as db:
            if due := _next_week(meta(db, key := f"week {server}")) <= now:
                set_meta(db, key, now.isoformat())
            return due

    def mark_done(self, server: int, answer_ids: Iterable[str]) -> None:
        """Note that a moderator of a server dealt with flagged or declined answers.

        If they are flagged or asked again later, they are open again.
        """
        rows = [(answer_id, server) for answer_id in answer_ids]
        with self._writing() as db:
            for table in ("feedback", "asked"):
                sql = f"UPDATE {table} SET done = TRUE WHERE answer_id = ? AND server = ?"
                db.executemany(sql, rows)


def grouped(questions: Iterable[Declined]) -> list[list[Declined]]:
    """Group similar questions, each with the first question that it resembles.

    Two questions that share half of their words share a word of the rarer half of each: only such
    questions are compared.
    """
    items = [(item, frozenset(content_terms(item.question))) for item in questions]
    counts = Counter(word for _, words in items for word in words)
    groups = list[tuple[frozenset[str], list[Declined]]]()
    having = defaultdict[tuple[Filters, str], list[int]](list)
    for item, words in items:
        rarest = sorted(words, key=lambda word: (counts[word], word))[: len(words) // 2 + 1] or [""]
        near = sorted({number for word in rarest for number in having[item.filters, word]})
        alike = (groups[number][1] for number in near if _alike(words, groups[number][0]))
        if (group := next(alike, None)) is not None:
            group.append(item)
            continue
        for word in rarest:
            having[item.filters, word].append(len(groups))
        groups.append((words, [item]))
    return [group for _, group in groups]


def _alike(words: frozenset[str], others: frozenset[str]) -> bool:
    return len(words & others) >= _ALIKE * len(words | others)


def _joined(group: Sequence[Declined]) -> Declined:
    return replace(
        group[0],
        answer_ids=tuple(answer_id for item in group for answer_id in item.answer_ids),
        times=sum(item.times for item in group),
        watchers=sum(item.watchers for item in group),
    )


def _next_week(began: str | None) -> datetime:
    return datetime.fromisoformat(began) + _WEEK if began else datetime.min.replace(tzinfo=UTC)
