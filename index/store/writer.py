"""Write the changes of one commit to the tables of a collection.

Articles, sentences, embeddings, rewrites and the audit log are written here, inside the transaction
that the engine opens and ends; the engine itself updates its search indexes.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime
from itertools import chain

import numpy as np

from index.domain import Article, Notice
from index.errors import InputError, ModelMismatchError, NotFoundError, StoreError
from index.reading.items import PageState
from index.store.database import LIST, Database
from index.store.identity import claim, decide
from index.store.rewrites import note_rewrites
from index.store.rows import newest, notice_at, notices_at
from index.store.schema import clock_text, meta, set_meta, utc_text
from index.store.types import Changes, Commit, Decision, NoticeChange, Outcome, PreparedArticle


class Writer:
    """Writes the changes of one transaction; `finish` returns what it did."""

    def __init__(self, db: Database, after: int = 0) -> None:
        """Use a connection inside a write transaction; the generation comes `after` that number."""
        self._db = db
        self.generation = max(newest(db)[0].generation, after) + 1
        self._outcomes: dict[str, Outcome] = {}
        self._decisions: list[Decision] = []
        self._notices: dict[str, list[NoticeChange]] = {}
        self._live = Counter[int]()  # by revision: 1 if it becomes live, -1 if it no longer is
        self._sentences: list[Sequence[object]] = []  # rows that `finish` writes, all at once
        self._embeddings: list[Sequence[object]] = []

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
        moves = [(name, False) for name in changes.remove]
        moves += [(name, True) for name in changes.restore]
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
        """Write the generation to the audit log, if anything changed."""
        put = tuple(self._decisions)
        if self._sentences:
            set_meta(self._db, "next sentence", str(self._next_sentence()))
            self._db.insert("sentence", self._sentences)
            self._db.insert("embedding", self._embeddings)
            self._sentences, self._embeddings = [], []
        before, after = ([r for r, n in self._live.items() if n == step] for step in (-1, 1))
        if before or after:
            self._db.switch_live(before, after)
            self._count(before, -1)
            self._count(after, 1)
            self._live.clear()
        if not set(self._outcomes.values()) - {"unchanged", "absent"} and not always:
            return Commit(self.generation - 1, self._outcomes, put)
        at = utc_text(datetime.now(UTC))
        self._db.execute(
            "INSERT INTO generation VALUES (?, ?, ?, ?, ?, ?)",
            (self.generation, secrets.token_hex(8), at, actor, action, note),
        )
        return Commit(self.generation, self._outcomes, put, (*chain(*self._notices.values()),))

    def _count(self, revisions: Sequence[int], times: int) -> None:
        """Update the publishers' counts for revisions that became live (1) or retired (-1)."""
        self._db.execute(
            "INSERT INTO publisher SELECT coalesce(publisher_key, ''), min(publisher), "
            f"? * count(*), ? * sum(sentences) FROM revision WHERE revision IN {LIST} "
            "GROUP BY publisher_key ON CONFLICT (key) DO UPDATE SET "
            "articles = publisher.articles + excluded.articles, name = CASE WHEN "
            "publisher.articles > 0 THEN publisher.name ELSE excluded.name END, "
            "sentences = publisher.sentences + excluded.sentences",
            (times, times, [*revisions]),
        )

    def _put(self, prepared: PreparedArticle, *, revive: bool) -> None:
        """Add an article, revise it, restore it, or leave it as it is."""
        decision = decide(self._db, prepared.article, revive=revive)
        article, key, live = decision.article, decision.key, decision.live
        if key is None:
            sql = "INSERT INTO article (article_id, latest) VALUES (?, 0) RETURNING article"
            ((key,),) = self._db.execute(sql, (article.article_id,)).fetchall()
            self._revise(article, key, 1, None, prepared=prepared, outcome="added")
        elif decision.outcome == "updated":
            if self._outcomes.get(article.article_id) == "added":  # earlier in this commit
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
        """Return the row, live and latest revision of an article; if unknown, record it absent."""
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
        covers = self._correction(key) if notice.kind == "retracted" else None
        self._write_notice(key, (notice.kind, notice.note, at, notice.actor, covers))
        if before and before.kind == notice.kind:
            change = NoticeChange(article_id, self._title(key), before, in_force=False)
            self._notices[article_id] = [change]

    def _write_notice(self, key: int, notice: Sequence[object]) -> None:
        """Store an article's newest notice: kind, note, time, actor and generation it covers."""
        self._db.execute(
            "INSERT INTO notice VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (generation, article) "
            "DO UPDATE SET kind = excluded.kind, note = excluded.note, at = excluded.at, "
            "actor = excluded.actor, covers = excluded.covers",
            (self.generation, key, *notice),
        )

    def _correction(self, key: int) -> int | None:
        """Return the generation of an article's correction, in force or covered; None without."""
        row = self._db.execute(
            "SELECT kind, generation, covers FROM notice WHERE article = ? AND generation < ? "
            "ORDER BY generation DESC LIMIT 1",
            (key, self.generation),
        ).fetchone()
        kind, generation, covers = row or ("", None, None)
        return generation if kind == "corrected" else covers

    def _title(self, key: int) -> str:
        """Return the title of an article's latest revision."""
        sql = "SELECT title FROM article a JOIN revision ON revision = latest WHERE a.article = ?"
        return str(self._db.execute(sql, (key,)).fetchone()[0])

    def _undo(self, generation: int) -> None:
        """Restore each article and its notices to their state in a generation.

        Raises:
            NotFoundError: there is no such generation.
        """
        sql = "SELECT 1 FROM generation WHERE number = ?"  # a recovery leaves gaps
        past = 0 <= generation < self.generation  # else it may be too large for SQLite
        if not past or (generation and not self._db.execute(sql, (generation,)).fetchone()):
            raise NotFoundError(
                f"There is no generation {generation} to go back to: choose one from the history."
            )
        rows = self._db.execute(
            "SELECT a.article_id, a.article, a.live, c.before FROM (SELECT article, "
            "min(generation) AS generation FROM change WHERE generation > ? GROUP BY article) f "
            "JOIN change c USING (article, generation) JOIN article a USING (article) "
            "WHERE coalesce(c.before, 0) <> coalesce(a.live, 0) ORDER BY a.article",
            (generation,),
        ).fetchall()
        for article_id, key, live, before in rows:
            self._set_live_revision(article_id, key, live, before)
        later = (
            "SELECT DISTINCT a.article_id, a.article, a.live FROM notice "
            "JOIN article a USING (article) WHERE generation > ? ORDER BY a.article"
        )
        for article_id, key, live in self._db.execute(later, (generation,)).fetchall():
            then = notices_at(self._db, article_id, generation)
            if then == notices_at(self._db, article_id, self.generation):
                continue
            notice = self._reinstate_notice(article_id, key, generation)
            if self._outcomes.get(article_id, "unchanged") != "unchanged":
                continue
            if self._notices.get(article_id):
                outcome: Outcome = notice.kind if notice else "withdrawn"
                self._write_live(article_id, key, live, live, outcome)
            else:  # nothing visible has changed: this must not make a generation
                sql = "DELETE FROM notice WHERE generation = ? AND article = ?"
                self._db.execute(sql, (self.generation, key))

    def _save_validators(self, page: PageState) -> None:
        """Store how to recognise whether a page or file has changed when it is read next."""
        self._db.execute("DELETE FROM page WHERE address = ?", (page.address,))
        links = json.dumps(page.links, default=astuple)
        self._db.insert("page", [(page.address, page.etag, page.modified, links)])
        rows = [(page.address, position, name) for position, name in enumerate(page.articles)]
        self._db.insert("page_article", rows)

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
        """Write a revision of an article, and make it the live revision."""
        spans = prepared.spans
        if len(spans) != len(prepared.vectors):
            raise StoreError(f"{article.article_id} needs one vector per sentence.")
        publisher_key = article.publisher.casefold() if article.publisher else None
        first = self._next_sentence()
        ((revision,),) = self._db.execute(
            "INSERT INTO revision (article, number, first, sentences, title, publisher, "
            "publisher_key, author, published, guessed_date, url, language, source, guessed, "
            "text_hash, text) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING revision",
            (
                *(key, number, first, len(spans), article.title, article.publisher, publisher_key),
                *(article.author, clock_text(article.published), clock_text(article.guessed_date)),
                *(article.url, article.language),
                *(article.source, " ".join(article.guessed), article.text_hash, article.text),
            ),
        ).fetchall()
        claim(self._db, article, key)
        self._write_sentences(revision, first, prepared)
        note_rewrites(self._db, revision, key, article.text, prepared.hashes)
        self._write_live(article.article_id, key, live, revision, outcome)

    def _write_sentences(self, revision: int, first: int, prepared: PreparedArticle) -> None:
        """Prepare rows of sentences and embeddings, with consecutive ids, for `finish` to write."""
        columns = zip(prepared.spans, prepared.terms, prepared.voices, strict=True)
        self._sentences += [
            (first + n, revision, n, span.start, span.end, words, *voice)
            for n, (span, words, voice) in enumerate(columns)
        ]
        vectors = np.ascontiguousarray(prepared.vectors, dtype=np.float32)
        self._embeddings += [(first + n, vector.tobytes()) for n, vector in enumerate(vectors)]

    def _next_sentence(self) -> int:
        """Return the id of the next sentence, which was never used before."""
        if self._sentences:
            return int(str(self._sentences[-1][0])) + 1
        return int(meta(self._db, "next sentence") or 1)

    def _set_live_revision(
        self, article_id: str, key: int, before: int | None, after: int | None
    ) -> None:
        """Make a stored revision, or none, the live revision, and note the outcome."""
        if before == after:
            self._outcomes.setdefault(article_id, "unchanged")
            return
        outcome: Outcome = "updated" if before and after else "restored" if after else "removed"
        self._write_live(article_id, key, before, after, outcome)

    def _write_live(
        self, article_id: str, key: int, before: int | None, after: int | None, outcome: Outcome
    ) -> None:
        """Write which revision is live, to the article and to the audit log."""
        self._outcomes[article_id] = outcome
        if before != after:
            self._live.update({after: 1} if after else {})
            self._live.subtract({before: 1} if before else {})
        if before is None and after is not None and outcome != "added":  # it is restored
            self._reinstate_notice(article_id, key, self._correction(key) or 0)
            self._db.execute(  # changes of its page were not stored meanwhile: read it again
                "DELETE FROM page WHERE address IN "
                "(SELECT address FROM page_article WHERE article_id = ?)",
                (article_id,),
            )
        self._db.execute(
            "UPDATE article SET live = ?, latest = coalesce(?, latest) WHERE article = ?",
            (after, after, key),
        )
        self._db.execute(
            "INSERT INTO change (generation, article, outcome, before, after) VALUES (?,?,?,?,?) "
            "ON CONFLICT (generation, article) DO UPDATE SET outcome = excluded.outcome, "
            "after = excluded.after",
            (self.generation, key, outcome, before, after),
        )

    def _reinstate_notice(self, article_id: str, key: int, generation: int) -> Notice | None:
        """Bring an article's notice of a generation back into force, or cancel all notices."""
        then = self._db.execute(
            "SELECT kind, note, at, actor, covers FROM notice WHERE article = ? "
            "AND generation <= ? ORDER BY generation DESC LIMIT 1",
            (key, generation),
        ).fetchone()
        self._write_notice(key, then or ("", "", "", "", None))
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
    """Raise ModelMismatchError if a collection was embedded with another encoder."""
    if stored not in {None, model}:
        raise ModelMismatchError(
            f"This collection was embedded with {stored}, and the settings name {model}: "
            "the operator has to set the model back, or run `onrecord reindex --rebuild`."
        )
