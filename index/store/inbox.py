"""What waits for a moderator: quotes that readers flagged, and questions that were declined.

Moderators see what they could read anyway: the question of an answer in a channel that is closed to
them, or of a private one, is never shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from index.domain import Filters
from index.store.database import LIST
from index.store.people import FILTERS
from index.store.schema import meta, set_meta
from index.store.tables import Tables
from index.text.terms import content_terms

_WEEK = timedelta(days=7)
_ALIKE = 0.5  # of the words of two questions: reworded ones share as many, others hardly any


@dataclass(frozen=True, slots=True)
class Flagged:
    """An answer with quotes that readers say are wrong, and why; `question` is None if hidden."""

    answer_id: str
    question: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declined:
    """Declined questions that are alike, as the latest was asked.

    Attributes:
        answer_ids: of all of them.
        times: how often they were asked.
        watchers: how many people wait for an answer.
    """

    answer_ids: tuple[str, ...]
    question: str
    filters: Filters
    times: int
    watchers: int


@dataclass(frozen=True, slots=True)
class Week:
    """How many different questions were answered and declined in a week, and quotes flagged."""

    answered: int
    declined: int
    flagged: int


class Inbox(Tables):
    """The open items of a collection."""

    def flagged(self, channels: Collection[int]) -> list[Flagged]:
        """Return the flagged answers that nobody dealt with, for who reads these channels.

        The latest come first.
        """
        rows = self._rows(
            "SELECT answer_id, question, channel, note FROM feedback f JOIN answer "
            "USING (answer_id) WHERE NOT done ORDER BY f.at DESC"
        )
        flagged = dict[str, Flagged]()
        for answer_id, question, channel, note in rows:
            earlier = flagged.get(answer_id, Flagged(answer_id, None, ()))
            shown = question if channel in channels else None
            flagged[answer_id] = Flagged(answer_id, shown, (*earlier.notes, note))
        return [*flagged.values()]

    def declined(self, channels: Collection[int]) -> list[Declined]:
        """Return the questions declined in these channels, alike ones together.

        Those asked most often come first.
        """
        rows = self._rows(
            "SELECT answer_id, question, filters, times, "
            "(SELECT count(DISTINCT person) FROM watch w "
            "WHERE (w.question, w.filters) = (a.question, a.filters) AND w.channel IS NOT NULL) "
            "FROM answer a JOIN posted USING (answer_id) WHERE NOT done AND status = 'declined' "
            f"AND channel IN {LIST} ORDER BY at DESC",
            ([*channels],),
        )
        groups = list[tuple[frozenset[str], Declined]]()
        asked = set[tuple[str, str]]()  # of which the watchers are counted
        for answer_id, question, filters, times, watchers in rows:
            waiting = 0 if (question, filters) in asked else watchers
            asked.add((question, filters))
            words = frozenset(content_terms(question))
            restricted = FILTERS.validate_json(filters)
            alone = Declined((answer_id,), question, restricted, times, waiting)
            for number, (others, group) in enumerate(groups):
                if group.filters == restricted and _alike(words, others):
                    groups[number] = others, _joined(group, alone)
                    break
            else:
                groups.append((words, alone))
        return sorted((group for _, group in groups), key=lambda group: -group.times)

    def week(self, now: datetime) -> Week:
        """Return what happened in the last seven days, private answers included."""
        since = (now.astimezone(UTC) - _WEEK).isoformat()
        ((answered, declined, flagged),) = self._rows(
            "SELECT count(*) FILTER (WHERE status = 'answered'), "
            "count(*) FILTER (WHERE status = 'declined'), "
            "(SELECT count(*) FROM feedback WHERE at >= ?) FROM answer WHERE at >= ?",
            (since, since),
        )
        return Week(answered, declined, flagged)

    def begin_week(self, server: int, now: datetime) -> bool:
        """Return whether a week has passed since this last was true for a server, or it never was.

        A new week begins then.
        """
        key = f"week {server}"
        with self._writing() as db:
            began = meta(db, key)
            # The loop that asks runs once a day, hardly ever at the same second.
            if began and now - datetime.fromisoformat(began) < _WEEK - timedelta(hours=1):
                return False
            set_meta(db, key, now.isoformat())
            return True

    def mark_done(self, answer_ids: Iterable[str]) -> None:
        """Note that a moderator dealt with what was flagged or declined in these answers.

        What is flagged or asked again later is open again.
        """
        rows = [(answer_id,) for answer_id in answer_ids]
        with self._writing() as db:
            db.executemany("UPDATE feedback SET done = TRUE WHERE answer_id = ?", rows)
            db.executemany("UPDATE posted SET done = TRUE WHERE answer_id = ?", rows)


def _alike(words: frozenset[str], others: frozenset[str]) -> bool:
    return len(words & others) >= _ALIKE * len(words | others)


def _joined(group: Declined, other: Declined) -> Declined:
    return replace(
        group,
        answer_ids=group.answer_ids + other.answer_ids,
        times=group.times + other.times,
        watchers=group.watchers + other.watchers,
    )
