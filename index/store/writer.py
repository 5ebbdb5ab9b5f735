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

from index.domain import Notice, PageState
from index.errors import ModelMismatchError, NotFoundError, StoreError
from index.store.reader import meta, newest, utc_text
from index.store.types import Changes, Commit, Outcome, PreparedArticle, keys
from index.text.terms import terms


def set_meta(db: sqlite3.Connection, key: str, value: str) -> None:
    """Set one value of the `meta` table."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


class Writer:
    """Changes articles in one write transaction; what it did is told by `finish`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Write through a connection that is inside an immediate transaction."""
        self._db = db
        self.generation = newest(db).generation + 1
        self._outcomes: dict[str, Outcome] = {}

    def apply(self, changes: Changes, model: str | None) -> None:
        """Do all of it; see `Store.commit` for what it raises."""
        if changes.put:
            check_model(meta(self._db, "model"), model or "")
            set_meta(self._db, "model", model or "")
        for prepared in changes.put:
            self._put(prepared, revive=changes.revive)
        for article_id in changes.remove:
            self._bring(article_id, live=False)
        for article_id in changes.restore:
            self._bring(article_id, live=True)
        for article_id, notice in changes.notices:
            self._notice(article_id, notice)
        if changes.undo is not None:
            self._undo(changes.undo)
        for page in changes.pages:
            self._page(page)

    def finish(self, actor: str, action: str, note: str = "", *, always: bool = False) -> Commit:
        """Write the generation into the audit log, if anything changed."""
        if not set(self._outcomes.values()) - {"unchanged", "absent"} and not always:
            return Commit(self.generation - 1, self._outcomes)
        at = utc_text(datetime.now(UTC))
        self._db.execute(
            "INSERT INTO generation VALUES (?, ?, ?, ?, ?, ?)",
            (self.generation, secrets.token_hex(8), at, actor, action, note),
        )
        return Commit(self.generation, self._outcomes)

    def _put(self, prepared: PreparedArticle, *, revive: bool) -> None:
        """Add an article, make a new revision of it, or find that nothing changed."""
        article = prepared.article
        row = self._db.execute(
            "SELECT a.article, a.latest, a.live, r.text_hash, max(u.number), "
            "max(u.revision > a.latest AND u.text_hash = ?) FROM article a "
            "JOIN revision r ON r.revision = a.latest JOIN revision u ON u.article = a.article "
            "WHERE a.article_id = ? GROUP BY a.article",
            (article.text_hash, article.article_id),
        ).fetchone()
        if row is None:
            sql = "INSERT INTO article (article_id, latest) VALUES (?, 0)"
            key = self._db.execute(sql, (article.article_id,)).lastrowid
            self._revise(int(key or 0), 1, None, prepared, "added")
            return
        key, latest, live, text_hash, number, undone = row
        if (live is None or undone) and not revive:  # until its source says something else
            self._outcomes.setdefault(article.article_id, "unchanged")
        elif text_hash != article.text_hash:
            again = self._outcomes.get(article.article_id) == "added"  # in this very commit
            self._revise(key, number + 1, live, prepared, "added" if again else "updated")
        else:
            self._show(article.article_id, key, live, latest)

    def _bring(self, article_id: str, *, live: bool) -> None:
        """Take an article out of the corpus, or bring its latest revision back."""
        if stored := self._stored(article_id):
            key, before, latest = stored
            self._show(article_id, key, before, latest if live else None)

    def _notice(self, article_id: str, notice: Notice) -> None:
        """Attach a notice to an article; a retraction takes it out of the corpus."""
        if stored := self._stored(article_id):
            key, live, _ = stored
            after = None if notice.kind == "retracted" else live
            self._set_live(article_id, key, live, after, notice.kind)
            at = notice.at.astimezone(UTC).isoformat()
            self._db.execute(
                "INSERT OR REPLACE INTO notice VALUES (?, ?, ?, ?, ?, ?)",
                (self.generation, key, notice.kind, notice.note, at, notice.actor),
            )

    def _stored(self, article_id: str) -> tuple[int, int | None, int] | None:
        """Its key, its live revision and its latest; where there is none, that is the outcome."""
        sql = "SELECT article, live, latest FROM article WHERE article_id = ?"
        row: tuple[int, int | None, int] | None = self._db.execute(sql, (article_id,)).fetchone()
        if row is None:
            self._outcomes[article_id] = "absent"
        return row

    def _undo(self, generation: int) -> None:
        """Make each article what it was at a generation, notices included.

        Raises:
            NotFoundError: there is no such generation, or nothing came after it.
        """
        if not 0 <= generation < self.generation - 1:
            raise NotFoundError(
                f"There is no generation {generation} to go back to: `onrecord history` lists them."
            )
        rows = self._db.execute(
            "SELECT a.article_id, a.article, a.live, c.before FROM article a "
            "JOIN change c USING (article) WHERE c.before IS NOT a.live AND c.generation = "
            "(SELECT min(generation) FROM change WHERE article = a.article AND generation > ?)",
            (generation,),
        ).fetchall()
        for article_id, key, live, before in rows:
            self._show(article_id, key, live, before)
        later = "SELECT DISTINCT article FROM notice WHERE generation > ?"
        for (key,) in self._db.execute(later, (generation,)).fetchall():
            self._stands_again(key, f"generation <= {generation:d}")

    def _page(self, page: PageState) -> None:
        """Keep by what a page is known again."""
        held = json.dumps(page.articles), json.dumps(page.links)
        self._db.execute(
            "INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?)",
            (page.address, page.etag, page.modified, *held),
        )

    def _revise(
        self, key: int, number: int, live: int | None, prepared: PreparedArticle, outcome: Outcome
    ) -> None:
        one = prepared.article
        if len(prepared.spans) != len(prepared.vectors):
            raise StoreError(f"{one.article_id} needs one vector a sentence.")
        by = one.publisher, one.publisher.casefold() if one.publisher else None, one.author
        cursor = self._db.execute(
            "INSERT INTO revision (article, number, title, text, publisher, publisher_key, author,"
            " published, url, language, source, text_hash, guessed)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                *(key, number, one.title, one.text, *by, utc_text(one.published), one.url),
                *(one.language, one.source, one.text_hash, " ".join(one.guessed)),
            ),
        )
        revision = int(cursor.lastrowid or 0)
        self._db.executemany(
            "INSERT OR IGNORE INTO alike VALUES (?, ?)", [(own, key) for own in keys(one)]
        )
        vectors = np.ascontiguousarray(prepared.vectors, dtype=np.float32)
        voices = prepared.voices or ((None, "report"),) * len(prepared.spans)
        rows = zip(prepared.spans, vectors, voices, strict=True)
        for position, (span, vector, voice) in enumerate(rows):
            said = " ".join(terms(one.text[span.start : span.end]))
            cursor = self._db.execute(
                "INSERT INTO sentence (revision, position, start, stop, terms, speaker, act) "
                "VALUES (?,?,?,?,?,?,?)",
                (revision, position, span.start, span.end, said, *voice),
            )
            stored = (cursor.lastrowid, vector.tobytes())
            self._db.execute("INSERT INTO embedding VALUES (?, ?)", stored)
        self._set_live(one.article_id, key, live, revision, outcome)

    def _show(self, article_id: str, key: int, before: int | None, after: int | None) -> None:
        """Make questions see a revision that is stored, or none; the outcome follows from it."""
        if before == after:
            self._outcomes.setdefault(article_id, "unchanged")
        else:
            both: Outcome = "updated" if before and after else "restored" if after else "removed"
            self._set_live(article_id, key, before, after, both)

    def _set_live(
        self, article_id: str, key: int, before: int | None, after: int | None, outcome: Outcome
    ) -> None:
        self._outcomes[article_id] = outcome
        if before is not None:
            self._db.execute(
                "INSERT INTO live_text (live_text, rowid, terms) "
                "SELECT 'delete', sentence_id, terms FROM sentence WHERE revision = ?",
                (before,),
            )
        if before is None and after is not None and outcome != "added":  # back, it stands again
            self._stands_again(key, "kind != 'retracted'")
            self._db.execute(  # what its page said meanwhile was not taken in: read it again
                "DELETE FROM page WHERE ? IN (SELECT value FROM json_each(articles))",
                (article_id,),
            )
        if after is not None:
            self._db.execute("UPDATE article SET latest = ? WHERE article = ?", (after, key))
            self._db.execute(
                "INSERT INTO live_text (rowid, terms) "
                "SELECT sentence_id, terms FROM sentence WHERE revision = ?",
                (after,),
            )
        self._db.execute("UPDATE article SET live = ? WHERE article = ?", (after, key))
        count = int(meta(self._db, "live_sentences") or 0) + self._size(after) - self._size(before)
        set_meta(self._db, "live_sentences", str(count))
        self._db.execute(
            "INSERT INTO change (generation, article, outcome, before, after) VALUES (?,?,?,?,?) "
            "ON CONFLICT DO UPDATE SET outcome = excluded.outcome, after = excluded.after",
            (self.generation, key, outcome, before, after),
        )

    def _size(self, revision: int | None) -> int:
        sql = "SELECT count(*) FROM sentence WHERE revision = ?"
        return int(self._db.execute(sql, (revision,)).fetchone()[0])

    def _stands_again(self, key: int, condition: str) -> None:
        """Put the newest notice that meets a condition, or none, in the place of the newest."""
        self._db.execute(
            "INSERT OR REPLACE INTO notice SELECT ?, article, kind, note, at, actor FROM "
            "(SELECT *, 1 AS told FROM notice WHERE article = ? UNION ALL "
            "SELECT -1, ?, '', '', '', '', 0) "
            f"WHERE {condition} OR NOT told ORDER BY generation DESC LIMIT 1",
            (self.generation, key, key),
        )


def check_model(stored: str | None, model: str) -> None:
    """Raise ModelMismatchError where a collection was embedded by another model."""
    if stored not in {None, model}:
        raise ModelMismatchError(
            f"This collection was embedded with {stored}, and the settings name {model}: "
            "set the model back, or run `onrecord reindex --rebuild` to embed everything again."
        )
