"""What one write transaction does to a catalogue.

Everything a commit changes (articles, sentences, embeddings, full text, counts, audit log) is
written here, inside the transaction that `embedded` opens and ends.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from datetime import UTC, datetime

import numpy as np

from index.article import Notice
from index.catalogue import Reader, utc_text
from index.errors import ModelMismatchError, NotFoundError, StoreError
from index.plain import Page
from index.store import Commit, Outcome, Prepared, keys
from index.terms import terms


class Writer:
    """Statements of one write transaction; what it did is told by `finish`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Write through a connection that is inside an immediate transaction."""
        self.db = db
        self._reader = Reader(db, {})
        self.generation = self._reader.generation + 1
        self._outcomes: dict[str, Outcome] = {}

    def set_meta(self, key: str, value: str) -> None:
        """Set one value of the `meta` table."""
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def use_model(self, model: str) -> None:
        """Make sure that the collection holds embeddings of this model only."""
        stored = self._reader.model
        if stored is None:
            self.set_meta("model", model)
        elif stored != model:
            raise ModelMismatchError(mismatch(stored, model))

    def use_staging(self, model: str) -> None:
        """Drop what another model had staged."""
        if self._reader.meta("staged_model") != model:
            self.db.execute("DELETE FROM staged")
            self.set_meta("staged_model", model)

    def put(self, prepared: Prepared, *, revive: bool) -> None:
        """Add an article, make a new revision of it, or find that nothing changed."""
        article = prepared.article
        row = self.db.execute(
            "SELECT a.article, a.latest, a.live, r.text_hash, EXISTS (SELECT 1 FROM revision u "
            "WHERE u.article = a.article AND u.revision > a.latest AND u.text_hash = ?) "
            "FROM article a JOIN revision r ON r.revision = a.latest WHERE a.article_id = ?",
            (article.text_hash, article.article_id),
        ).fetchone()
        if row is None:
            cursor = self.db.execute(
                "INSERT INTO article (article_id, latest) VALUES (?, 0)", (article.article_id,)
            )
            self._revise(int(cursor.lastrowid or 0), 1, None, prepared, "added")
            return
        key, latest, live, text_hash, undone = row
        if (live is None or undone) and not revive:  # until its source says something else
            self._outcomes.setdefault(article.article_id, "unchanged")
        elif text_hash != article.text_hash:
            again = self._outcomes.get(article.article_id) == "added"  # in this very commit
            newest = self.db.execute(  # the latest may be an older one, after an undo
                "SELECT max(number) FROM revision WHERE article = ?", (key,)
            ).fetchone()[0]
            self._revise(key, newest + 1, live, prepared, "added" if again else "updated")
        elif live is None:
            self._outcomes[article.article_id] = "restored"
            self._set_live(key, None, latest, "restored")
        else:
            self._outcomes.setdefault(article.article_id, "unchanged")

    def set_live(self, article_id: str, *, live: bool) -> None:
        """Take an article out of the corpus, or bring its latest revision back."""
        row = self.db.execute(
            "SELECT article, latest, live FROM article WHERE article_id = ?", (article_id,)
        ).fetchone()
        if row is None:
            self._outcomes[article_id] = "absent"
        elif (row[2] is not None) == live:
            self._outcomes.setdefault(article_id, "unchanged")
        else:
            outcome: Outcome = "restored" if live else "removed"
            self._outcomes[article_id] = outcome
            self._set_live(row[0], row[2], row[1] if live else None, outcome)

    def notice(self, article_id: str, notice: Notice) -> None:
        """Attach a notice to an article; a retraction takes it out of the corpus."""
        row = self.db.execute(
            "SELECT article, live FROM article WHERE article_id = ?", (article_id,)
        ).fetchone()
        if row is None:
            self._outcomes[article_id] = "absent"
            return
        key, live = row
        self._outcomes[article_id] = notice.kind
        self._set_live(key, live, None if notice.kind == "retracted" else live, notice.kind)
        self.db.execute(
            "INSERT OR REPLACE INTO notice VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(self.generation, key),
                *(notice.kind, notice.note, notice.at.astimezone(UTC).isoformat(), notice.actor),
            ),
        )

    def undo(self, generation: int) -> None:
        """Make each article what it was at a generation, notices included.

        Raises:
            NotFoundError: there is no such generation, or nothing came after it.
        """
        if not 0 <= generation < self.generation - 1:
            raise NotFoundError(
                f"There is no generation {generation} to go back to: `onrecord history` lists them."
            )
        rows = self.db.execute(
            "SELECT a.article, a.article_id, a.live, c.before FROM article a "
            "JOIN change c USING (article) WHERE c.generation = "
            "(SELECT min(generation) FROM change WHERE article = a.article AND generation > ?)",
            (generation,),
        ).fetchall()
        for key, article_id, live, before in rows:
            if live == before:
                continue
            outcome: Outcome = "updated" if live and before else "restored" if before else "removed"
            if before is not None:
                self.db.execute("UPDATE article SET latest = ? WHERE article = ?", (before, key))
            self._outcomes[article_id] = outcome
            self._set_live(key, live, before, outcome)
        later = "SELECT DISTINCT article FROM notice WHERE generation > ?"
        for (key,) in self.db.execute(later, (generation,)).fetchall():
            self._stands_again(key, f"generation <= {generation:d}")

    def page(self, page: Page) -> None:
        """Keep by what a page is known again."""
        self.db.execute(
            "INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?)",
            (
                *(page.address, page.etag, page.modified),
                *(json.dumps(page.articles), json.dumps(page.links)),
            ),
        )

    def finish(self, actor: str, action: str, note: str = "", *, always: bool = False) -> Commit:
        """Write the generation into the audit log, if anything changed."""
        if not set(self._outcomes.values()) - {"unchanged", "absent"} and not always:
            return Commit(self.generation - 1, self._outcomes)
        at = utc_text(datetime.now(UTC))
        self.db.execute(
            "INSERT INTO generation VALUES (?, ?, ?, ?, ?, ?)",
            (self.generation, secrets.token_hex(8), at, actor, action, note),
        )
        return Commit(self.generation, self._outcomes)

    def _revise(
        self, key: int, number: int, live: int | None, prepared: Prepared, outcome: Outcome
    ) -> None:
        article = prepared.article
        cursor = self.db.execute(
            "INSERT INTO revision (article, number, title, text, publisher, publisher_key, author,"
            " published, url, language, source, text_hash, guessed)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                key,
                number,
                article.title,
                article.text,
                article.publisher,
                article.publisher.casefold() if article.publisher else None,
                article.author,
                utc_text(article.published),
                article.url,
                article.language,
                article.source,
                article.text_hash,
                " ".join(article.guessed),
            ),
        )
        revision = int(cursor.lastrowid or 0)
        self.db.executemany(
            "INSERT OR IGNORE INTO alike VALUES (?, ?)", [(own, key) for own in keys(article)]
        )
        if len(prepared.spans) != len(prepared.vectors):
            raise StoreError(f"{article.article_id} needs one vector a sentence.")
        for position, span in enumerate(prepared.spans):
            text = article.text[span.start : span.end]
            cursor = self.db.execute(
                "INSERT INTO sentence (revision, position, start, stop, terms) VALUES (?,?,?,?,?)",
                (revision, position, span.start, span.end, " ".join(terms(text))),
            )
            vector = np.ascontiguousarray(prepared.vectors[position], dtype=np.float32)
            self.db.execute(
                "INSERT INTO embedding VALUES (?, ?)", (cursor.lastrowid, vector.tobytes())
            )
        self.db.execute("UPDATE article SET latest = ? WHERE article = ?", (revision, key))
        self._outcomes[article.article_id] = outcome
        self._set_live(key, live, revision, outcome)

    def _set_live(self, key: int, before: int | None, after: int | None, outcome: Outcome) -> None:
        if before is not None:
            self.db.execute(
                "INSERT INTO live_text (live_text, rowid, terms) "
                "SELECT 'delete', sentence_id, terms FROM sentence WHERE revision = ?",
                (before,),
            )
        if before is None and after is not None:  # back in the corpus, it stands again
            self._stands_again(key, "kind != 'retracted'")
            self.db.execute(  # what its page said meanwhile was not taken in: read it again
                "DELETE FROM page WHERE (SELECT article_id FROM article WHERE article = ?) "
                "IN (SELECT value FROM json_each(articles))",
                (key,),
            )
        if after is not None:
            self.db.execute(
                "INSERT INTO live_text (rowid, terms) "
                "SELECT sentence_id, terms FROM sentence WHERE revision = ?",
                (after,),
            )
        self._count(before, -1)
        self._count(after, 1)
        self.db.execute("UPDATE article SET live = ? WHERE article = ?", (after, key))
        self.db.execute(
            "INSERT INTO change (generation, article, outcome, before, after) VALUES (?,?,?,?,?) "
            "ON CONFLICT DO UPDATE SET outcome = excluded.outcome, after = excluded.after",
            (self.generation, key, outcome, before, after),
        )

    def _stands_again(self, key: int, condition: str) -> None:
        """Put the newest notice that meets a condition, or none, in the place of the newest."""
        self.db.execute(
            "INSERT OR REPLACE INTO notice SELECT ?, article, kind, note, at, actor FROM "
            "(SELECT *, 1 AS told FROM notice WHERE article = ? UNION ALL "
            "SELECT -1, ?, '', '', '', '', 0) "
            f"WHERE {condition} OR NOT told ORDER BY generation DESC LIMIT 1",
            (self.generation, key, key),
        )

    def _count(self, revision: int | None, sign: int) -> None:
        counted = self.db.execute("SELECT count(*) FROM sentence WHERE revision = ?", (revision,))
        before = int(self._reader.meta("live_sentences") or 0)
        self.set_meta("live_sentences", str(before + sign * int(counted.fetchone()[0])))


def mismatch(stored: str, model: str) -> str:
    """What to say when a collection was embedded by another model."""
    return (
        f"This collection was embedded with {stored}, and the settings name {model}: "
        "set the model back, or run `onrecord reindex --rebuild` to embed everything again."
    )
