"""Keep data about people: watches, feedback, and who may open a private answer.

Only a watch has the person's id, since they have to be notified. Feedback and private answers have
an alias instead, which cannot be turned back into an id. `People.forget` deletes all of it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import TypeAdapter

from index.domain import Answer, Filters
from index.errors import InputError, NotFoundError
from index.store.database import Database
from index.store.schema import meta, set_meta
from index.store.tables import Tables

FILTERS = TypeAdapter(Filters)
MAX_WATCHES, MAX_WATCHES_OF_PERSON = 500, 25  # per collection: each is asked again at every change
_Role = Literal["asker", "reader"]
_TABLES: dict[_Role, str] = {"asker": "asker", "reader": "feedback"}


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person who looks up an answer, and the channels that they may read."""

    person: int
    channels: frozenset[int]


@dataclass(frozen=True, slots=True)
class Watch:
    """A question that someone waits to see answered.

    Attributes:
        generation: the last one that was checked for an answer.
        server: where it was asked; None in direct messages.
        channel: where to notify the person; None for a direct message.
    """

    number: int
    question: str
    filters: Filters
    generation: int
    server: int | None
    channel: int | None
    person: int


@dataclass(frozen=True, slots=True)
class Kept:
    """How many watches, private answers and notes of feedback are kept about a person."""

    watches: int
    answers: int
    feedback: int


class People(Tables):
    """The data that a collection keeps about people."""

    # Feedback

    def add_feedback(
        self, answer_id: str, note: str, *, reader: int, server: int | None = None
    ) -> None:
        """Store a reader's feedback on an answer, in place of their earlier feedback.

        Raises:
            NotFoundError: there is no such answer.
        """
        now = datetime.now(UTC).isoformat()
        with self._writing() as db:
            if not db.execute("SELECT 1 FROM answer WHERE answer_id = ?", (answer_id,)).fetchone():
                raise no_answer(answer_id)
            alias = _alias(_key(db), "reader", answer_id, reader)
            db.execute(
                "INSERT INTO feedback (alias, answer_id, server, at, note) VALUES (?,?,?,?,?) "
                "ON CONFLICT (alias) DO UPDATE SET server = excluded.server, at = excluded.at, "
                "note = excluded.note, done = FALSE",
                (alias, answer_id, server or 0, now, note),
            )

    def feedback(self, answer_id: str) -> list[str]:
        """Return what readers said is wrong with the quotes of an answer, oldest first."""
        sql = "SELECT note FROM feedback WHERE answer_id = ? ORDER BY at"
        return [note for (note,) in self._rows(sql, (answer_id,))]

    # Watches

    def add_watch(
        self, answer: Answer, *, server: int | None, channel: int | None, person: int
    ) -> int:
        """Watch for reports that answer a declined question; return the number of the watch.

        A person's watch for the same question and filters in the same place is not added twice.

        Raises:
            InputError: the person, or all people of the collection, watch too many questions.
        """
        values = (
            *(datetime.now(UTC).isoformat(), answer.question),
            *(filters_json(answer.filters), answer.generation),
            *(server, channel, person),
        )
        with self._writing() as db:
            ((number,),) = db.execute(
                "INSERT INTO watch (at, question, filters, generation, server, channel, person) "
                "VALUES (?,?,?,?,?,?,?) ON CONFLICT "
                "(question, filters, coalesce(server, 0), coalesce(channel, 0), person) "
                "DO UPDATE SET at = excluded.at RETURNING number",
                values,
            ).fetchall()
            sql = "SELECT count(*), count(*) FILTER (WHERE person = ?) FROM watch"
            count, own = db.execute(sql, (person,)).fetchone()
            if own > MAX_WATCHES_OF_PERSON:
                raise InputError(
                    f"You already wait for {MAX_WATCHES_OF_PERSON} questions here: stop one in "
                    "`/watching` first."
                )
            if count > MAX_WATCHES:
                raise InputError(
                    f"People here already wait for {MAX_WATCHES} questions: ask a moderator to "
                    "stop some in `/watching`."
                )
            return int(number)

    def mark_watches_checked(self, numbers: Iterable[int], generation: int) -> None:
        """Note that a generation was checked for watches."""
        rows = [(generation, number) for number in numbers]
        with self._writing() as db:
            db.executemany("UPDATE watch SET generation = ? WHERE number = ?", rows)

    def remove_watches(self, numbers: Iterable[int]) -> None:
        """End watches, all or none."""
        with self._writing() as db:
            db.executemany("DELETE FROM watch WHERE number = ?", [(number,) for number in numbers])

    def watches(self) -> list[Watch]:
        """Return all watches, oldest first."""
        columns = "number, question, filters, generation, server, channel, person"
        rows = self._rows(f"SELECT {columns} FROM watch ORDER BY number")
        return [
            Watch(number, question, FILTERS.validate_json(filters), *rest)
            for number, question, filters, *rest in rows
        ]

    # A person

    def kept(self, person: int) -> Kept:
        """Return how much is kept about a person."""
        with self._snapshot() as snapshot:
            db, key = snapshot.db, meta(snapshot.db, "readers")
            sql = "SELECT count(*) FROM watch WHERE person = ?"
            ((watches,),) = db.execute(sql, (person,)).fetchall()
            asked = _aliases(db, key, "asker", person)
            return Kept(watches, len(asked), len(_aliases(db, key, "reader", person)))

    def forget(self, person: int) -> Kept:
        """Delete everything that is kept about a person; return how much that was.

        Answers that only they may open are deleted with their questions.
        """
        with self._writing() as db:
            key = _key(db)
            asked = _aliases(db, key, "asker", person)
            feedback = _aliases(db, key, "reader", person)
            watches = db.execute("DELETE FROM watch WHERE person = ?", (person,)).rowcount
            db.executemany("DELETE FROM feedback WHERE alias = ?", [(a,) for a in feedback])
            db.executemany("DELETE FROM asker WHERE alias = ?", [(a,) for a in asked])
            db.executemany(
                "DELETE FROM answer WHERE answer_id = ? AND message IS NULL "
                "AND answer_id NOT IN (SELECT answer_id FROM asker)",
                [(answer_id,) for answer_id in asked.values()],
            )
            return Kept(watches, len(asked), len(feedback))


def filters_json(filters: Filters) -> str:
    """Return filters as JSON; equal filters give equal text."""
    return FILTERS.dump_json(filters).decode()


def no_answer(answer_id: str) -> NotFoundError:
    """Return the error for an answer that does not exist or that a viewer may not open."""
    return NotFoundError(
        f"No answer “{answer_id}” was found: copy the id from under an answer; old ones are "
        "deleted, and a private one opens only for the person who asked."
    )


def add_asker(db: Database, answer_id: str, person: int) -> None:
    """Let a person open an answer that they got in private."""
    alias = _alias(_key(db), "asker", answer_id, person)
    db.execute("INSERT INTO asker VALUES (?, ?) ON CONFLICT DO NOTHING", (alias, answer_id))


def is_asker(db: Database, answer_id: str, person: int) -> bool:
    """Return whether a person got an answer in private."""
    if (key := meta(db, "readers")) is None:
        return False
    alias = _alias(key, "asker", answer_id, person)
    return db.execute("SELECT 1 FROM asker WHERE alias = ?", (alias,)).fetchone() is not None


def _aliases(db: Database, key: str | None, role: _Role, person: int) -> dict[int, str]:
    """Return a person's aliases in a table, with the answer of each."""
    if key is None:
        return {}
    rows = db.execute(f"SELECT alias, answer_id FROM {_TABLES[role]}").fetchall()
    return {
        alias: answer_id
        for alias, answer_id in rows
        if alias == _alias(key, role, answer_id, person)
    }


def _key(db: Database) -> str:
    """Return the collection's secret, which is created at first use."""
    if (key := meta(db, "readers")) is None:
        set_meta(db, "readers", key := secrets.token_hex(32))
    return key


def _alias(key: str, role: _Role, answer_id: str, person: int) -> int:
    """Return a person's alias for one answer: a hash, keyed by a secret of the collection.

    It distinguishes the people of an answer, but not who they are or what else they asked.
    """
    content = f"{role} {answer_id} {person}".encode()
    digest = hashlib.blake2b(content, key=bytes.fromhex(key), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
