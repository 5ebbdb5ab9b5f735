"""The face of `index`: a collection that can be asked, added to, corrected and measured.

Plain blocking calls, safe from several threads. Whoever serves people (the bot, the command
line) needs nothing else.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from index import decline, sources
from index.answer import compose
from index.article import Answer, Article, Filters, Sentence
from index.commit import mismatch
from index.embedded import EmbeddedStore
from index.encoder import Encoder
from index.errors import (
    InputError,
    ModelMismatchError,
    NotFoundError,
    QuestionError,
    SourceError,
)
from index.intake import Change, Intake, Progress, Report, Tally, Watcher
from index.log import Recalled
from index.memory import Memory
from index.query import parse
from index.retrieve import DEPTH, Ranking, rank
from index.sources import Failure
from index.store import (
    Changes,
    Event,
    Origin,
    Size,
    Snapshot,
    Store,
)

THRESHOLD = 0.12
MAX_K = 1_000
_REBUILD_SENTENCES = 1_000  # embedded again between two commits


class Archive:
    """One collection with the encoder that embeds for it."""

    def __init__(self, store: Store, encoder: Encoder, *, threshold: float = THRESHOLD) -> None:
        """Wire the parts.

        Args:
            store: holds the collection.
            encoder: must be the one that the collection was embedded with.
            threshold: confidence under which a question is declined, 0..1.
        """
        self._store = store
        self.memory = Memory(store)
        self._encoder = encoder
        self._threshold = threshold

    @classmethod
    def open(
        cls, data: Path, collection: str, encoder: Encoder, *, threshold: float = THRESHOLD
    ) -> Archive:
        """The embedded collection of that name below a data folder.

        Raises:
            InputError: the name is no folder name.
            StoreError: it cannot be opened.
        """
        if not collection or not all(char.isalnum() or char in "-_" for char in collection):
            raise InputError(
                f"“{collection}” cannot name a collection: use letters, digits, - and _."
            )
        return cls(EmbeddedStore(data / collection), encoder, threshold=threshold)

    # Asking

    def ask(self, question: str, filters: Filters = Filters()) -> Answer:  # noqa: B008 - frozen
        """Answer a question on one generation, with quotes checked against it.

        Raises:
            QuestionError: the question or a filter cannot be used.
            ModelMismatchError: the collection was embedded by another model.
        """
        with self._store.snapshot() as snapshot:
            ranking, filters = self._ranked(snapshot, question, filters, DEPTH)
            answer = compose(
                ranking,
                filters=filters,
                generation=snapshot.generation,
                model=self._encoder.model,
                threshold=self._threshold,
            )
            if answer.status == "declined" and filters:
                free, _ = self._ranked(snapshot, question, Filters(), DEPTH)
                if free.confidence >= self._threshold:
                    best = free.articles[free.sentences[0].article_id]
                    left_out = decline.excluded(filters, best)
                    answer = replace(answer, reason=f"{answer.reason} {left_out}")
            _check_quotes(snapshot, answer)
            return answer

    def check(self, answer: Answer) -> None:
        """Compare every quote with the stored text again, just before it is sent.

        Raises:
            QuoteError: one no longer stands there; nothing of the answer may be sent.
        """
        with self._store.snapshot() as snapshot:
            _check_quotes(snapshot, answer)

    def search(
        self,
        question: str,
        k: int = 10,
        filters: Filters = Filters(),  # noqa: B008 - frozen
    ) -> Ranking:
        """Rank sentences without answering; at least k candidates where there are so many.

        Raises:
            QuestionError: the question, k or a filter cannot be used.
        """
        if not 1 <= k <= MAX_K:
            raise QuestionError(f"k is {k}: ask for 1 to {MAX_K:,} results.")
        with self._store.snapshot() as snapshot:
            return self._ranked(snapshot, question, filters, max(DEPTH, k))[0]

    def _ranked(
        self, snapshot: Snapshot, question: str, filters: Filters, depth: int
    ) -> tuple[Ranking, Filters]:
        publishers = snapshot.publishers()
        query = parse(question, publishers)
        filters = replace(filters, publishers=_resolved(filters.publishers, publishers))
        if snapshot.model is not None and snapshot.model != self._encoder.model:
            raise ModelMismatchError(mismatch(snapshot.model, self._encoder.model))
        return rank(snapshot, self._encoder, query, filters, depth), filters

    # Changing

    def add(
        self,
        names: Iterable[str],
        *,
        actor: str = "operator",
        stream: IO[bytes] | None = None,
        files: Iterable[sources.Upload | Failure] = (),
        dry_run: bool = False,
        watch: Watcher | None = None,
    ) -> Report:
        """Add reports from files, folders or a stream; what fails is listed, the rest goes in.

        Args:
            names: paths, or "-" for JSON lines on `stream`.
            actor: who is written into the audit log.
            stream: bytes for "-".
            files: handed in, which no reindex looks for again.
            dry_run: tell what would be done, and do nothing.
            watch: called with the progress; may raise CancelledError to stop after a commit.
        """
        names = [*names]
        fruitful: set[str] = set()
        try:
            run = Intake(
                self._store,
                self._encoder,
                actor=actor,
                action="add",
                dry_run=dry_run,
                total=_total(names) if watch else None,
                watch=watch,
            )
            items = _items(names, stream, fruitful)
            return run.take(itertools.chain(items, sources.uploaded(files)))
        finally:
            for name in names if not dry_run else ():
                if name in fruitful and name != "-":
                    self._store.remember(_origin(name))

    def forget(self, uri: str) -> None:
        """No longer look into a source when reindexing; its articles stay.

        Raises:
            NotFoundError: it is none of the collection's sources.
        """
        places = {origin.uri for origin in self.origins()}
        for place in (uri, _origin(uri).uri):
            if place in places:
                self._store.forget(place)
                return
        raise NotFoundError(f"{uri} is no source here: `onrecord reindex` names them.")

    def reindex(self, *, actor: str = "operator", watch: Watcher | None = None) -> Report:
        """Take in what the collection's sources have new; removed articles stay removed."""
        with self._store.snapshot() as snapshot:
            names = [origin.uri for origin in snapshot.origins()]
        run = Intake(
            self._store,
            self._encoder,
            actor=actor,
            action="reindex",
            revive=False,
            total=_total(names) if watch else None,
            watch=watch,
        )
        return run.take(_items(names, None, set()))

    def rebuild(self, *, actor: str = "operator", watch: Watcher | None = None) -> Report:
        """Embed every sentence again, for a new encoder; questions are answered meanwhile.

        What was embedded is kept when it is interrupted, and the next call goes on from there.
        """
        started = time.monotonic()
        model, done = self._encoder.model, 0
        self._encoder.encode([""])
        while True:
            while missing := self._store.unstaged(model, _REBUILD_SENTENCES):
                vectors = self._encoder.encode([text for _, text in missing])
                self._store.stage(model, [sentence_id for sentence_id, _ in missing], vectors)
                done += len(missing)
                if watch:
                    watch(Progress(0, done, None, f"{done:,} sentences embedded again"))
            commit = self._store.switch(model=model, actor=actor)
            if commit is not None:
                self._store.prepare()
                seconds = time.monotonic() - started
                return Report(commit.generation, embedded=done, seconds=seconds)

    def remove(self, article_ids: Iterable[str], *, actor: str = "operator") -> Report:
        """Take articles out; their text stays, so that old quotes still resolve."""
        return self._set_live(Changes(remove=[*article_ids]), actor, "remove")

    def restore(self, article_ids: Iterable[str], *, actor: str = "operator") -> Report:
        """Bring removed articles back, without embedding them again."""
        return self._set_live(Changes(restore=[*article_ids]), actor, "restore")

    def _set_live(self, changes: Changes, actor: str, action: str) -> Report:
        started = time.monotonic()
        commit = self._store.commit(changes, actor=actor, action=action)
        tally = Tally()
        with self._store.snapshot() as snapshot:
            for article_id, outcome in commit.outcomes.items():
                if outcome == "absent":
                    error = "There is no such article: `onrecord articles` lists all."
                    tally.failed.append(Failure(article_id, error))
                    continue
                article = snapshot.article(article_id)
                count = len(snapshot.sentences(article_id))
                tally.note(outcome, Change(article_id, article.title, count))
        return tally.report(commit.generation, time.monotonic() - started)

    # Remembering

    def log(
        self, answer: Answer, *, channel: int | None = None, message: int | None = None
    ) -> None:
        """Keep an answer that was sent, and where all can read it; without that it is private."""
        self.memory.log(answer, channel=channel, message=message)

    def recall(self, answer_id: str) -> Recalled:
        """An answer that was sent, its quotes cut again as they were. Raises NotFoundError."""
        return self.memory.recall(answer_id)

    # Looking

    @property
    def generation(self) -> int:
        """The newest committed state."""
        with self._store.snapshot() as snapshot:
            return snapshot.generation

    def sentences(self, article_id: str) -> list[Sentence]:
        """The sentences of an article's latest revision, in order. Raises NotFoundError."""
        with self._store.snapshot() as snapshot:
            return snapshot.sentences(article_id)

    def article(self, article_id: str, revision: int | None = None) -> Article:
        """One stored article, removed ones too. Raises NotFoundError."""
        with self._store.snapshot() as snapshot:
            return snapshot.article(article_id, revision)

    def articles(self, *, retired: bool = False) -> list[Article]:
        """All articles that questions see (or all removed ones), by id."""
        with self._store.snapshot() as snapshot:
            return snapshot.articles(retired=retired)

    def history(self, limit: int | None = None) -> list[Event]:
        """The audit log, newest first."""
        with self._store.snapshot() as snapshot:
            return snapshot.history(limit)

    def origins(self) -> list[Origin]:
        """Where a reindex looks for news."""
        with self._store.snapshot() as snapshot:
            return snapshot.origins()

    def publishers(self) -> dict[str, int]:
        """How many articles each publisher has."""
        with self._store.snapshot() as snapshot:
            return snapshot.publishers()

    def size(self) -> Size:
        """How much there is to ask about."""
        with self._store.snapshot() as snapshot:
            return snapshot.size()

    @property
    def model(self) -> str | None:
        """The model that the collection was embedded with; None while it is empty."""
        with self._store.snapshot() as snapshot:
            return snapshot.model

    def backup(self, file: Path) -> None:
        """Write a consistent copy of the collection to a file, while it is in use."""
        self._store.backup(file)

    def recover(self, file: Path) -> None:
        """Put a copy that `backup` made in the place of all that is stored."""
        self._store.recover(file)

    def prepare(self) -> None:
        """Load what the first question would wait for."""
        self._store.prepare()
        self._encoder.encode(["warm"])

    def close(self) -> None:
        """Let go of files."""
        self._store.close()


def _items(
    names: Iterable[str], stream: IO[bytes] | None, fruitful: set[str]
) -> Iterator[sources.Item]:
    """What the sources hold; the names of those that held an article go into `fruitful`."""
    for name in names:
        try:
            for item in sources.read(name, stream):
                if isinstance(item, Article):
                    fruitful.add(name)
                yield item
        except SourceError as error:
            yield Failure(name, str(error))


def _origin(name: str) -> Origin:
    if sources.is_address(name):
        return Origin(name, "url")
    path = Path(name).expanduser().resolve()
    return Origin(str(path), "folder" if path.is_dir() else "file")


def _total(names: Iterable[str]) -> int | None:
    counts = [sources.count(name) if name != "-" else None for name in names]
    return None if None in counts else sum(count or 0 for count in counts)


def _resolved(wanted: Iterable[str], publishers: Iterable[str]) -> tuple[str, ...]:
    """Publishers as the collection spells them: that name, else all that hold it as whole words."""
    found = []
    known = [*publishers]
    for name in wanted:
        words = re.compile(rf"(?<!\w){re.escape(name.strip())}(?!\w)", re.IGNORECASE)
        exact = [one for one in known if one.casefold() == name.strip().casefold()]
        near = exact or [one for one in known if name.strip() and words.search(one)]
        if not near:
            have = ", ".join(known[:10]) or "none"
            raise QuestionError(f"No report is by “{name}”; publishers here: {have}.")
        found += near
    return tuple(dict.fromkeys(found))


def _check_quotes(snapshot: Snapshot, answer: Answer) -> None:
    for cited in [*answer.quotes, *([answer.closest] if answer.closest else [])]:
        cited.quote.check(snapshot.article(cited.quote.article_id, cited.quote.revision))
