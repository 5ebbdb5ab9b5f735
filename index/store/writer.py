"""Write the changes of one commit to a collection's file.

Articles, sentences, embeddings, full text, rewrites and the audit log are written here, inside the
transaction that `sqlite` opens and ends.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime
from itertools import chain

import numpy as np

from index.domain import Article, Notice
from index.errors import InputError, ModelMismatchError, NotFoundError, StoreError
from index.reading.items import PageState
from index.store.identity import claim, decide
from index.store.rows import newest, notice_at, notices_at
from index.store.schema import clock_text, meta, set_meta, utc_text
from index.store.types import Changes, Commit, Decision, NoticeChange, Outcome, PreparedArticle
from index.text.rewrites import is_rewrite

_SHARED = 2  # hashes that the sketches of a text and its rewrite share; 1 of a tiny sketch
_TINY = 8  # hashes of a sketch: texts of some 30 words
_COMMON = 51  # a hash in so many revisions is boilerplate, not a sign of a rewrite
_CANDIDATES = 20  # compared with a new revision


class Writer:
    """Writes the changes of one transaction; `finish` returns what it did."""

    def __init__(self, db: sqlite3.Connection, after: int = 0) -> None:
        """Use a connection inside an immediate transaction; number generations `after` that one."""
        self._db = db
        self.generation = max(newest(db).generation, after) + 1
        self._outcomes: dict[str, Outcome] = {}
        self._decisions: list[Decision] = []
        self._notices: dict[str, list[NoticeChange]] = {}

    def apply(self, changes: Changes, model: str | None) -> None:
        """Write all changes."""
        if changes.seen not in {None, self.generation - 1}:
            raise InputError(
                "Something else was changed meanwhile, so nothing was done: try again."
            )
        if changes.put:
            check_model(meta(self._db, "model"), model or "")
            set_meta(self._db, "model", model or "")
        for prepared in changes.put:
            self._put(prepared, revive=changes.revive)
        moves = [(name, False) for name in changes.remove] + [
            (name, True) for name in changes.restore
        ]
        for article_id, restored in moves:
            for key, live, latest in self._stored(article_id):
                self._set_live_revision(article_id, key, live, latest if restored else None)
        for article_id, notice in changes.notices:
            for key, live, _ in self._stored(article_id):
                self._add_notice(article_id, key, live, notice)
        if changes.undo is not None:
            self._undo(changes.undo)
        for page in changes.pages:
            self._save_validators(page)

    def finish(self, actor: str, action: str, note: str = "", *, always: bool = False) -> Commit:
        """Write the generation into the audit log, if anything changed."""
        put = tuple(self._decisions)
        if not set(self._outcomes.values()) - {"unchanged", "absent"} and not always:
            return Commit(self.generation - 1, self._outcomes, put)
        at = utc_text(datetime.now(UTC))
        self._db.execute(
            "INSERT INTO generation VALUES (?, ?, ?, ?, ?, ?)",
            (self.generation, secrets.token_hex(8), at, actor, action, note),
        )
        return Commit(self.generation, self._outcomes, put, (*chain(*self._notices.values()),))

    def _put(self, prepared: PreparedArticle, *, revive: bool) -> None:
        """Add an article, revise it, bring it back, or leave it as it is."""
        decision = decide(self._db, prepared.article, revive=revive)
        article, key, live = decision.article, decision.key, decision.live
        if key is None:
            sql = "INSERT INTO article (article_id, latest) VALUES (?, 0)"
            key = self._db.execute(sql, (article.article_id,)).lastrowid or 0
            self._revise(article, key, 1, None, prepared=prepared, outcome="added")
        elif decision.outcome == "updated":
            if self._outcomes.get(article.article_id) == "added":  # in this same commit
                decision = replace(decision, outcome="added")
            number = decision.number + 1
            self._revise(article, key, number, live, prepared=prepared, outcome=decision.outcome)
        elif decision.outcome != "refused":
            after = decision.latest if decision.outcome == "restored" else live
            self._set_live_revision(article.article_id, key, live, after)
            if decision.claims:
                claim(self._db, decision.given, key)
        self._decisions.append(decision)

    def _stored(self, article_id: str) -> list[tuple[int, int | None, int]]:
        """The row, live and latest revision of an article; note an unknown one as absent."""
        sql = "SELECT article, live, latest FROM article WHERE article_id = ?"
        rows = self._db.execute(sql, (article_id,)).fetchall()
        if not rows:
            self._outcomes[article_id] = "absent"
        return rows

    def _add_notice(self, article_id: str, key: int, live: int | None, notice: Notice) -> None:
        """Attach a notice to an article; a retraction removes it from the corpus.

        Raises:
            InputError: a correction would hide a retraction.
        """
        before = notice_at(self._db, article_id, self.generation)
        if before and before.kind == "retracted" and notice.kind == "corrected":
            raise InputError(
                f"It is retracted ({before.note}): restore it before you correct it, or retract it "
                "again with another note."
            )
        after = None if notice.kind == "retracted" else live
        self._write_live(article_id, key, live, after, notice.kind)
        at = notice.at.astimezone(UTC).isoformat()
        self._db.execute(
            "INSERT OR REPLACE INTO notice VALUES (?, ?, ?, ?, ?, ?)",
            (self.generation, key, notice.kind, notice.note, at, notice.actor),
        )
        if before and before.kind == notice.kind:
            change = NoticeChange(article_id, self._title(key), before, in_force=False)
            self._notices[article_id] = [change]

    def _title(self, key: int) -> str:
        """The title of an article's latest revision."""
        sql = "SELECT title FROM article a JOIN revision ON revision = latest WHERE a.article = ?"
        return str(self._db.execute(sql, (key,)).fetchone()[0])

    def _undo(self, generation: int) -> None:
        """Make each article what it was at a generation, notices included.

        Raises:
            NotFoundError: there is no such generation.
        """
        sql = "SELECT 1 FROM generation WHERE number = ?"  # a recovery leaves gaps
        past = 0 <= generation < self.generation  # else it may be too large for SQLite
        if not past or (generation and not self._db.execute(sql, (generation,)).fetchone()):
            raise NotFoundError(
                f"There is no generation {generation} to go back to: choose one from the history."
            )
        # The first change since of each article: beside min(), SQLite takes `before` of that row.
        rows = self._db.execute(
            "SELECT a.article_id, a.article, a.live, c.before FROM article a JOIN "
            "(SELECT article, before, min(generation) FROM change WHERE generation > ? "
            "GROUP BY article) c USING (article) WHERE c.before IS NOT a.live",
            (generation,),
        ).fetchall()
        for article_id, key, live, before in rows:
            self._set_live_revision(article_id, key, live, before)
        later = (
            "SELECT DISTINCT a.article_id, a.article, a.live FROM notice "
            "JOIN article a USING (article) WHERE generation > ?"
        )
        for article_id, key, live in self._db.execute(later, (generation,)).fetchall():
            then = notices_at(self._db, article_id, generation)
            if then == notices_at(self._db, article_id, self.generation):
                continue
            notice = self._reinstate_notice(article_id, key, f"generation <= {generation:d}")
            if self._outcomes.get(article_id, "unchanged") != "unchanged":
                continue
            if self._notices.get(article_id):
                outcome: Outcome = notice.kind if notice else "withdrawn"
                self._write_live(article_id, key, live, live, outcome)
            else:  # nothing to see has changed: this may not become a generation
                sql = "DELETE FROM notice WHERE generation = ? AND article = ?"
                self._db.execute(sql, (self.generation, key))

    def _save_validators(self, page: PageState) -> None:
        """Store how to recognise a page or file that has not changed when it is read next."""
        self._db.execute("DELETE FROM page WHERE address = ?", (page.address,))
        self._db.execute(
            "INSERT INTO page VALUES (?, ?, ?, ?)",
            (
                page.address,
                page.etag,
                page.modified,
                json.dumps(page.links, default=astuple),
            ),
        )
        rows = [(page.address, position, name) for position, name in enumerate(page.articles)]
        self._db.executemany("INSERT INTO page_article VALUES (?, ?, ?)", rows)

    def _revise(
        self,
        article: Article,
        key: int,
        number: int,
        live: int | None,
        *,
        prepared: PreparedArticle,
        outcome: Outcome,
    ) -> None:
        """Write a revision of an article, stored by its own id; make it the live one."""
        spans = prepared.spans
        if len(spans) != len(prepared.vectors):
            raise StoreError(f"{article.article_id} needs one vector per sentence.")
        publisher_key = article.publisher.casefold() if article.publisher else None
        used = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'sentence'")
        first = (used.fetchone() or (0,))[0] + 1
        cursor = self._db.execute(
            "INSERT INTO revision (article, number, first, sentences, title, publisher, "
            "publisher_key, author, published, guessed_date, url, language, source, guessed, "
            "text_hash, text) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                *(key, number, first, len(spans), article.title, article.publisher, publisher_key),
                *(article.author, clock_text(article.published), clock_text(article.guessed_date)),
                *(article.url, article.language),
                *(article.source, " ".join(article.guessed), article.text_hash, article.text),
            ),
        )
        revision = int(cursor.lastrowid or 0)
        claim(self._db, article, key)
        self._write_sentences(revision, first, prepared)
        self._find_rewrites(revision, key, article.text, prepared.hashes)
        self._write_live(article.article_id, key, live, revision, outcome)

    def _write_sentences(self, revision: int, first: int, prepared: PreparedArticle) -> None:
        """Write sentences and embeddings under consecutive ids that were never used before."""
        spans = prepared.spans
        voices = prepared.voices or ((None, "report"),) * len(spans)
        self._db.executemany(
            "INSERT INTO sentence VALUES (?,?,?,?,?,?,?,?)",
            [
                (first + n, revision, n, span.start, span.end, words, *voice)
                for n, (span, words, voice) in enumerate(
                    zip(spans, prepared.terms, voices, strict=True)
                )
            ],
        )
        vectors = np.ascontiguousarray(prepared.vectors, dtype=np.float32)
        self._db.executemany(
            "INSERT INTO embedding VALUES (?, ?)",
            [(first + n, vector.tobytes()) for n, vector in enumerate(vectors)],
        )

    def _find_rewrites(self, revision: int, key: int, text: str, hashes: Sequence[int]) -> None:
        """Store which revisions of other articles copy or rewrite this text, or are its source.

        Candidates share word trigrams in their sketches; live ones come first.
        """
        least = _SHARED if len(hashes) >= _TINY else 1
        candidates = self._db.execute(
            "SELECT r.revision, r.text FROM (SELECT s.revision, count(*) AS shared "
            "FROM json_each(?) h CROSS JOIN sketch s ON s.hash = h.value "
            "WHERE (SELECT count(*) FROM (SELECT 1 FROM sketch WHERE hash = h.value LIMIT ?)) < ? "
            "GROUP BY s.revision HAVING shared >= ?) JOIN revision r USING (revision) "
            "JOIN article a USING (article) WHERE a.article <> ? "
            "ORDER BY a.live IS r.revision DESC, shared DESC, r.revision LIMIT ?",
            (json.dumps(hashes), _COMMON, _COMMON, least, key, _CANDIDATES),
        ).fetchall()
        pairs = [
            (revision, other) for other, other_text in candidates if is_rewrite(text, other_text)
        ]
        pairs += [(other, revision) for _, other in pairs]
        self._db.executemany("INSERT INTO rewrite VALUES (?, ?)", pairs)
        rows = [(value, revision) for value in hashes]
        self._db.executemany("INSERT INTO sketch VALUES (?, ?)", rows)

    def _set_live_revision(
        self, article_id: str, key: int, before: int | None, after: int | None
    ) -> None:
        """Make a stored revision, or none, the live one, and note the outcome."""
        if before == after:
            self._outcomes.setdefault(article_id, "unchanged")
            return
        outcome: Outcome = "updated" if before and after else "restored" if after else "removed"
        self._write_live(article_id, key, before, after, outcome)

    def _write_live(
        self, article_id: str, key: int, before: int | None, after: int | None, outcome: Outcome
    ) -> None:
        """Write which revision is live, with the full text and the audit log."""
        self._outcomes[article_id] = outcome
        if before is not None:
            self._db.execute(
                "INSERT INTO live_text (live_text, rowid, terms) "
                "SELECT 'delete', sentence_id, terms FROM sentence WHERE revision = ?",
                (before,),
            )
        if before is None and after is not None and outcome != "added":  # it is back
            self._reinstate_notice(article_id, key, "kind != 'retracted'")
            self._db.execute(  # what its page said meanwhile was not stored: read it again
                "DELETE FROM page WHERE address IN "
                "(SELECT address FROM page_article WHERE article_id = ?)",
                (article_id,),
            )
        if after is not None:
            self._db.execute(
                "INSERT INTO live_text (rowid, terms) "
                "SELECT sentence_id, terms FROM sentence WHERE revision = ?",
                (after,),
            )
        for revision, count in ((before, -1), (after, 1)):
            self._db.execute(
                "INSERT INTO publisher SELECT ifnull(publisher_key, ''), publisher, ?1, "
                "?1 * sentences FROM revision WHERE revision = ?2 ON CONFLICT DO UPDATE SET "
                "articles = articles + excluded.articles, "
                "name = iif(articles > 0, name, excluded.name), "
                "sentences = sentences + excluded.sentences",
                (count, revision),
            )
        self._db.execute(
            "UPDATE article SET live = ?, latest = coalesce(?, latest) WHERE article = ?",
            (after, after, key),
        )
        self._db.execute(
            "INSERT INTO change (generation, article, outcome, before, after) VALUES (?,?,?,?,?) "
            "ON CONFLICT DO UPDATE SET outcome = excluded.outcome, after = excluded.after",
            (self.generation, key, outcome, before, after),
        )

    def _reinstate_notice(self, article_id: str, key: int, condition: str) -> Notice | None:
        """Make the latest notice that meets a condition the newest again, or cancel all."""
        self._db.execute(
            "INSERT OR REPLACE INTO notice SELECT ?, article, kind, note, at, actor FROM "
            "(SELECT *, 1 AS real FROM notice WHERE article = ? UNION ALL "
            "SELECT -1, ?, '', '', '', '', 0) "
            f"WHERE {condition} OR NOT real ORDER BY generation DESC LIMIT 1",
            (self.generation, key, key),
        )
        before = notices_at(self._db, article_id, self.generation - 1)
        after = notices_at(self._db, article_id, self.generation)
        withdrawn = [(notice, False) for notice in before if notice not in after]
        shown_again = [(notice, True) for notice in after[:1] if notice not in before[:1]]
        title = self._title(key)
        self._notices[article_id] = [
            NoticeChange(article_id, title, *change) for change in withdrawn + shown_again
        ]
        return next(iter(after), None)


def check_model(stored: str | None, model: str) -> None:
    """Raise ModelMismatchError if a collection was embedded by another model."""
    if stored not in {None, model}:
        raise ModelMismatchError(
            f"This collection was embedded with {stored}, and the settings name {model}: "
            "the operator has to set the model back, or run `onrecord reindex --rebuild`."
        )
