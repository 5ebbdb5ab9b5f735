"""The public face of index: adding costs what is added, and answers quote what is stored."""

from __future__ import annotations

import io
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fakes import FakeEncoder, write_rows

from index import ingest
from index.answering import ask as asking
from index.answering import compose, decline, select, whats_new
from index.archive import MAX_K, Archive
from index.domain import Answer, Filters
from index.errors import (
    CancelledError,
    InputError,
    ModelMismatchError,
    NotFoundError,
    QuestionError,
    QuoteError,
    StoreError,
)
from index.ingest import Progress
from index.store import writer
from index.store.sqlite import SqliteStore

DAM = {
    "_id": "dam",
    "title": "Dam fails",
    "text": "The dam above Tessen failed at dawn. Nobody in Tessen was warned.",
    "publisher": "Northwire",
    "published": "2026-03-14T12:00:00Z",
}
BANK = {
    "_id": "bank",
    "title": "Bank breached",
    "text": "Thieves took data from a bank in Kessel. The bank blamed a supplier.",
    "publisher": "Evening Gazette",
    "published": "2026-03-16T12:00:00Z",
}
CUP = {"_id": "cup", "title": "Cup", "text": "Athletic won the cup in Adell. The crowd sang."}
ALL = [DAM, BANK, CUP]


@pytest.fixture
def encoder() -> FakeEncoder:
    """Return the encoder of the archive."""
    return FakeEncoder()


@pytest.fixture
def archive(tmp_path: Path, encoder: FakeEncoder) -> Iterator[Archive]:
    """Open an empty collection that answers whatever it can, to see what it quotes."""
    with closing(Archive.open(tmp_path / "data", "server-1", encoder, threshold=0.0)) as opened:
        yield opened


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Write a folder with three reports in JSON lines and one as text."""
    folder = tmp_path / "reports"
    folder.mkdir()
    write_rows(folder / "a.jsonl", ALL)
    (folder / "note.txt").write_text("The siren in Tessen came late.", encoding="utf-8")
    return folder


def stream(*rows: object) -> io.BytesIO:
    """Return JSON lines as standard input."""
    return io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())


def live(archive: Archive) -> set[str]:
    """Return the ids of the articles that questions see."""
    return {article.article_id for article in archive.articles()}


def assert_verbatim(archive: Archive, answer: Answer) -> None:
    """Check that every quote is in the stored article that its citation names."""
    cited = [*answer.quotes, *([answer.closest] if answer.closest else [])]
    articles = {citation.number: citation.article for citation in answer.citations}
    for item in cited:
        stored = archive.article(item.quote.article_id, item.quote.revision)
        assert stored.text[item.quote.start : item.quote.end] == item.quote.text
        assert articles[item.citation].article_id == item.quote.article_id


# Adding


def test_reports_of_a_folder_are_added(
    archive: Archive, reports: Path, encoder: FakeEncoder
) -> None:
    """A folder's reports are all added, and each sentence is embedded once."""
    report = archive.add([str(reports)], actor="mod")
    assert {change.article_id for change in report.added} >= {"dam", "bank", "cup"}
    assert (len(report.added), report.unchanged, report.failed) == (4, 0, ())
    assert sum(change.sentences for change in report.added) == archive.size().sentences == 7
    assert len(encoder.texts) == len(set(encoder.texts)) == 7
    assert archive.history()[0].actor == "mod"
    assert archive.history()[0].action == "add"
    assert archive.model == "fake-256"
    assert archive.publishers() == {"Northwire": 1, "Evening Gazette": 1}
    (source,) = archive.sources.all()
    assert (source.uri, source.kind) == (str(reports.resolve()), "folder")


def test_adding_again_embeds_nothing(archive: Archive, reports: Path, encoder: FakeEncoder) -> None:
    """Adding known reports embeds nothing and makes no generation."""
    first = archive.add([str(reports)])
    encoder.texts.clear()
    again = archive.add([str(reports)])
    assert encoder.texts == []
    assert (again.generation, again.unchanged, again.added) == (first.generation, 4, ())
    assert len(archive.sources.all()) == 1


def test_an_update_embeds_what_is_new(archive: Archive, encoder: FakeEncoder) -> None:
    """Only the changed sentences of a changed report are embedded."""
    archive.add(["-"], stream=stream(*ALL))
    encoder.texts.clear()
    changed = {**DAM, "text": "The dam above Tessen failed at noon. Nobody in Tessen was warned."}
    report = archive.add(["-"], stream=stream(changed, BANK))
    assert encoder.texts == ["The dam above Tessen failed at noon."]
    assert [change.article_id for change in report.updated] == ["dam"]
    assert (report.added, report.unchanged) == ((), 1)
    assert archive.article("dam").revision == 2
    assert archive.article("dam", 1).text == DAM["text"]


def test_equal_sentences_are_embedded_once(archive: Archive, encoder: FakeEncoder) -> None:
    """A sentence in many reports of a batch is embedded once."""
    archive.add(["-"], stream=stream(*({**CUP, "_id": f"c{n}"} for n in range(20))))
    assert len(encoder.texts) == 2
    assert archive.size().sentences == 40


def test_one_id_on_several_lines(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line of an id is stored and listed once; adding the same again changes nothing."""
    monkeypatch.setattr(ingest, "BATCH_ARTICLES", 2)
    other = {**DAM, "text": "The dam held."}
    rows = [DAM, CUP, BANK, DAM, other, other]
    report = archive.add(["-"], stream=stream(*rows))
    assert [change.article_id for change in report.added] == ["dam", "cup", "bank"]
    assert report.updated == ()
    assert archive.article("dam").text == "The dam held."
    again = archive.add(["-"], stream=stream(*rows))
    assert (again.updated, again.unchanged, again.generation) == ((), 3, report.generation)
    assert {s.text for s in archive.search("Did the dam hold?").sentences} >= {"The dam held."}


def test_dry_run_changes_nothing(archive: Archive, reports: Path, encoder: FakeEncoder) -> None:
    """A dry run says what would be done, and embeds, commits and remembers nothing."""
    archive.add(["-"], stream=stream({**DAM, "text": "The dam held."}, BANK))
    encoder.texts.clear()
    report = archive.add([str(reports)], dry_run=True)
    assert {change.article_id for change in report.updated} == {"dam"}
    assert {change.article_id for change in report.added} >= {"cup"}
    assert (len(report.added), report.unchanged) == (2, 1)
    assert encoder.texts == []
    assert live(archive) == {"dam", "bank"}
    assert archive.sources.all() == []
    assert len(archive.history()) == 1


def test_failures_are_listed_and_the_rest_is_added(archive: Archive, tmp_path: Path) -> None:
    """Missing files, broken lines, binary files and empty reports fail alone."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    write_rows(folder / "a.jsonl", [DAM, {"_id": "x"}, "no", {"_id": "y", "text": "—!?…"}, CUP])
    (folder / "b.txt").write_bytes(bytes(range(256)) * 9)
    report = archive.add([str(tmp_path / "nowhere"), str(folder), "x" * 5_000])
    assert live(archive) == {"dam", "cup"}
    assert len(report.failed) == 6
    assert all(failure.error and failure.source for failure in report.failed)
    assert [source.uri for source in archive.sources.all()] == [str(folder.resolve())]


def test_an_encoder_that_fails_loses_nothing_committed(
    archive: Archive, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier commits stay after a failure, and adding again continues."""
    monkeypatch.setattr(ingest, "BATCH_ARTICLES", 2)
    rows = [{**CUP, "_id": f"c{n}", "text": f"Team {n} won the cup."} for n in range(6)]
    encoder.fail_after = 4
    report = archive.add(["-"], stream=stream(*rows))
    assert len(report.added) == 4
    assert [failure.source for failure in report.failed] == ["the rest"]
    assert live(archive) == {"c0", "c1", "c2", "c3"}
    encoder.fail_after = None
    assert len(archive.add(["-"], stream=stream(*rows)).added) == 2


def test_cancelling_keeps_what_was_committed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watcher that raises stops the task; what was committed stays, and is reported."""
    monkeypatch.setattr(ingest, "BATCH_ARTICLES", 2)
    told: list[Progress] = []

    def watch(progress: Progress) -> None:
        told.append(progress)
        if progress.articles == 4:
            raise CancelledError("Enough.")

    rows = [{**CUP, "_id": f"c{n}"} for n in range(9)]
    report = archive.add(["-"], stream=stream(*rows), on_progress=watch)
    assert len(report.added) == 4
    assert [failure.error for failure in report.failed] == ["Enough; what is listed stays."]
    assert live(archive) == {"c0", "c1", "c2", "c3"}
    counted = dict.fromkeys((p.articles, p.sentences, p.total) for p in told)
    assert [*counted] == [(0, 0, None), (0, 2, None), (2, 4, None), (2, 6, None), (4, 8, None)]
    assert archive.search("Who won the cup?").sentences
    assert len(archive.add(["-"], stream=stream(*rows)).added) == 5


def test_progress_has_a_total_if_known(archive: Archive, tmp_path: Path) -> None:
    """Text files can be counted, so their progress ends at the total."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"{name} says that the dam failed.")
    told: list[Progress] = []
    archive.add([str(tmp_path)], on_progress=told.append)
    assert (told[-1].articles, told[-1].total) == (2, 2)
    assert told[-1].title


def test_another_encoder_answers_from_the_full_text(archive: Archive, tmp_path: Path) -> None:
    """Before a rebuild, candidates come from full text, with the new encoder's vectors."""
    archive.add(["-"], stream=stream(*ALL))
    store, encoder = SqliteStore(tmp_path / "data" / "server-1"), FakeEncoder("other")
    with closing(Archive(store, encoder, threshold=0.0)) as other:
        answer = other.ask("Who was warned in Tessen?")
        assert [cited.quote.article_id for cited in answer.quotes] == ["dam"]
        assert answer.model.startswith("other ")
        ranking = other.search("Who was warned in Tessen?")
        assert {sentence.article_id for sentence in ranking.sentences} == {"dam"}
        assert ranking.vectors
        for sentence in ranking.sentences:
            assert np.allclose(ranking.vectors[sentence.sentence_id], encoder.vector(sentence.text))


def test_another_encoder_adds_nothing(archive: Archive, tmp_path: Path) -> None:
    """With another model nothing is added, but removing still works."""
    archive.add(["-"], stream=stream(DAM))
    store = SqliteStore(tmp_path / "data" / "server-1")
    with closing(Archive(store, FakeEncoder("other"))) as other:
        with pytest.raises(ModelMismatchError):
            other.add(["-"], stream=stream(CUP))
        assert other.remove(["dam"]).removed
    assert live(archive) == set()


# Removing


def test_remove_and_restore(archive: Archive, encoder: FakeEncoder) -> None:
    """Removing and restoring embed nothing, name what they did, and list unknown ids."""
    archive.add(["-"], stream=stream(*ALL))
    encoder.texts.clear()
    report = archive.remove(["dam", "nobody", "dam"], actor="mod")
    assert [(c.article_id, c.title, c.sentences) for c in report.removed] == [
        ("dam", "Dam fails", 2)
    ]
    assert [failure.source for failure in report.failed] == ["nobody"]
    assert live(archive) == {"bank", "cup"}
    assert [article.article_id for article in archive.articles(retired=True)] == ["dam"]
    assert "dam" not in {s.article_id for s in archive.search("the dam of Tessen").sentences}
    encoder.texts.clear()
    assert [c.article_id for c in archive.restore(["dam", "cup"]).restored] == ["dam"]
    assert encoder.texts == []
    assert "dam" in {s.article_id for s in archive.search("the dam of Tessen").sentences}


# Reindexing


def test_reindex_takes_in_what_is_new(
    archive: Archive, reports: Path, encoder: FakeEncoder
) -> None:
    """A reindex adds new and changed files of a source; removed articles stay removed."""
    archive.add([str(reports)])
    archive.remove(["cup"])
    changed = {**BANK, "text": "Thieves took data from a bank in Kessel. It was insured."}
    cup = {**CUP, "text": "Athletic lost the cup."}
    write_rows(reports / "a.jsonl", [DAM, changed, cup])
    (reports / "new.txt").write_text("Rain fell on Adell all night.", encoding="utf-8")
    encoder.texts.clear()
    report = archive.sources.reindex(actor="clock")
    assert sorted(encoder.texts) == ["It was insured.", "Rain fell on Adell all night."]
    assert [change.article_id for change in report.updated] == ["bank"]
    assert len(report.added) == 1
    assert "cup" not in live(archive)
    assert archive.history()[0].action == "reindex"
    assert archive.sources.reindex().generation == report.generation


def test_reindex_outlives_a_lost_source(archive: Archive, reports: Path, tmp_path: Path) -> None:
    """A missing source is reported; other sources are read, and its articles stay."""
    lone = tmp_path / "lone.txt"
    lone.write_text("The mill in Adell closed.", encoding="utf-8")
    archive.add([str(lone), str(reports)])
    lone.unlink()
    report = archive.sources.reindex()
    assert [failure.source for failure in report.failed] == [str(lone.resolve())]
    assert report.unchanged == 4
    assert archive.size().articles == 5


def test_rebuild_embeds_all_for_the_new_encoder(archive: Archive, tmp_path: Path) -> None:
    """Every sentence, also of removed articles, is embedded again, and questions work."""
    archive.add(["-"], stream=stream(*ALL))
    archive.remove(["cup"])
    encoder = FakeEncoder("other")
    told: list[Progress] = []
    with closing(Archive(SqliteStore(tmp_path / "data" / "server-1"), encoder)) as other:
        report = other.rebuild(actor="op", on_progress=told.append)
        assert report.generation == other.history()[0].generation == 3
        assert other.model == "other"
        texts = {text for text in encoder.texts if text}
        assert "Athletic won the cup in Adell." in texts
        assert len(texts) == 6
        assert told[-1].sentences == 6
        encoder.texts.clear()
        assert other.restore(["cup"]).restored
        assert encoder.texts == []
        assert other.search("Who won the cup?").sentences[0].article_id == "cup"


def test_an_interrupted_rebuild_continues(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Embedded sentences are not embedded again, and questions work meanwhile."""
    monkeypatch.setattr(ingest, "BATCH_SENTENCES", 2)
    archive.add(["-"], stream=stream(*ALL))
    encoder = FakeEncoder("other")

    def stop(_: Progress) -> None:
        raise CancelledError("Enough.")

    with closing(Archive(SqliteStore(tmp_path / "data" / "server-1"), encoder)) as other:
        with pytest.raises(CancelledError):
            other.rebuild(on_progress=stop)
        assert archive.search("Who was warned in Tessen?").sentences
        other.rebuild()
        assert archive.search("Who was warned in Tessen?").sentences
    assert sorted(text for text in encoder.texts if text) == sorted(
        {text for text in encoder.texts if text}
    )


def test_a_rebuild_includes_new_reports(archive: Archive, tmp_path: Path) -> None:
    """Reports added with the old model during a rebuild are embedded with the new one too."""
    archive.add(["-"], stream=stream(DAM))

    def meanwhile(progress: Progress) -> None:
        if progress.sentences == 2:
            archive.add(["-"], stream=stream(CUP))

    store = SqliteStore(tmp_path / "data" / "server-1")
    with closing(Archive(store, FakeEncoder("other"), threshold=0.0)) as other:
        other.rebuild(on_progress=meanwhile)
        assert other.search("Who won the cup?").sentences[0].article_id == "cup"


# Asking


def test_search_returns_k_results(archive: Archive) -> None:
    """At least k candidates are returned from a collection of more."""
    text = " ".join(f"Sentence {n} of the report is about water." for n in range(150))
    archive.add(["-"], stream=stream({"_id": "long", "text": text}))
    assert len(archive.search("water", 120).sentences) >= 120
    assert len(archive.search("water", MAX_K).sentences) == 150


@pytest.mark.parametrize("k", [0, -1, MAX_K + 1])
def test_k_is_bounded(archive: Archive, k: int) -> None:
    """A k out of range is an error of the question."""
    with pytest.raises(QuestionError, match="results"):
        archive.search("Who?", k)


def test_another_count_is_no_answer(archive: Archive) -> None:
    """Asked for the dead, reports that only count people who fled are declined with a reason."""
    text = "The fire in Ostby forced 300 people from their homes. It burned for a day."
    archive.add(["-"], stream=stream({"_id": "fire", "text": text, "published": "2026-03-14"}))
    assert archive.ask("How many people had to flee the fire in Ostby?").status == "answered"
    for filters in (Filters(), Filters(since=datetime(1999, 1, 1, tzinfo=UTC))):  # not to blame
        answer = archive.ask("How many people died in the fire in Ostby?", filters)
        assert answer.status == "declined"
        assert answer.reason == "The closest passages give no number of “died”."


def test_copies_that_score_alike_answer(archive: Archive) -> None:
    """Any number of copies of a sentence answer, however their mean score is rounded."""
    row = {"title": "Dam", "text": "A gate failed at dawn."}
    for count in range(40):
        archive.add(["-"], stream=stream({**row, "_id": f"copy {count}"}))
        assert archive.ask("What failed at dawn?").status == "answered"


def test_an_empty_collection_declines(archive: Archive, encoder: FakeEncoder) -> None:
    """If nothing is stored, or nothing passes the filters, the answer is a decline."""
    long_ago = Filters(until=datetime(1999, 1, 1, tzinfo=UTC))
    for empty in (archive.ask("Who was warned?"), archive.ask("Who was warned?", long_ago)):
        assert (empty.status, empty.generation, empty.quotes) == ("declined", 0, ())
    archive.add(["-"], stream=stream(*ALL))
    assert archive.ask("Who was warned?", long_ago).status == "declined"
    assert empty.model.startswith(encoder.model)


def test_publisher_filters_are_resolved(archive: Archive) -> None:
    """Case is ignored and part of a name is enough; an unknown name lists the known names."""
    archive.add(["-"], stream=stream(*ALL))
    for name in ("evening gazette", "GAZETTE"):
        ranking = archive.search("dam bank cup", filters=Filters(publishers=(name,)))
        assert {s.article_id for s in ranking.sentences} == {"bank"}
    with pytest.raises(QuestionError, match="Northwire"):
        archive.ask("Who?", Filters(publishers=("Nobody Times",)))
    answer = archive.ask("Who took data?", Filters(publishers=("gazette",)))
    assert answer.filters.publishers == ("Evening Gazette",)


def test_dates_bound_what_is_quoted(archive: Archive) -> None:
    """An answer as of a time quotes nothing published later."""
    archive.add(["-"], stream=stream(*ALL))
    moment = datetime(2026, 3, 15, tzinfo=UTC)
    ranking = archive.search("dam bank cup", filters=Filters(as_of=moment))
    assert {s.article_id for s in ranking.sentences} == {"dam"}
    later = archive.search("dam bank cup", filters=Filters(since=moment + timedelta(hours=1)))
    assert {s.article_id for s in later.sentences} == {"bank"}


def forget_answers(archive: Archive) -> None:
    """Clear the cache of answers."""
    archive._asked = asking.Asker(archive._ranker)


def test_an_answer_omits_a_part_that_fails(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The quotes are the same, whatever other part of the answer fails."""
    archive.add(["-"], stream=stream(*ALL))
    question = "Was anybody in Tessen warned of the dam?"
    news = "What has changed since 14 March?"
    two = "Who took data from a bank, and who won the cup?"
    whole = [archive.ask(asked).quotes for asked in (question, news, two)]

    def broken(*_: object) -> None:
        raise IndexError("tuple index out of range")

    parts = [
        *((compose, part) for part in ("agreement", "voice", "independence")),
        *((select, part) for part in ("_repeats", "_set_beside")),
        *((asking, "corrected"), (whats_new, "agreement")),
    ]
    for module, part in parts:
        caplog.clear()
        forget_answers(archive)
        with monkeypatch.context() as patch:
            patch.setattr(module, part, broken)
            partial = [archive.ask(asked).quotes for asked in (question, news, two)]
        assert [[q.quote for q in quotes] for quotes in partial] == [
            [q.quote for q in quotes] for quotes in whole
        ]
        assert "an optional part of an answer failed and is left out" in caplog.text, part


def test_a_decline_falls_back_to_the_plainest_reason(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the reason cannot be worded, the plainest reason is given."""
    archive.add(["-"], stream=stream(*ALL))
    question = "Was anybody warned of the dam?"
    early = Filters(until=datetime(2026, 1, 1, tzinfo=UTC))
    left_out = archive.ask(question, early).reason
    assert left_out
    assert "“Dam fails”" in left_out
    monkeypatch.setattr(decline, "excluded", None)
    forget_answers(archive)
    assert archive.ask(question, early).reason == "There are no reports that pass the filters."
    archive._threshold = 1.0
    unknown = "Did Marlo Quent play chess?"
    assert archive.ask(unknown).reason == "No report mentions “Marlo” or “Quent”."
    monkeypatch.setattr(decline, "reason", None)
    forget_answers(archive)
    monkeypatch.setattr(whats_new, "_nothing_new", None)
    for asked in (unknown, "What has changed since 14 March 2027?"):
        answer = archive.ask(asked)
        assert (answer.status, answer.reason) == ("declined", decline.NO_ANSWER)


def test_independence_that_is_not_known_is_not_counted(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown independence is None, also in the log, and never “not independent”."""
    archive.add(["-"], stream=stream(*ALL))
    monkeypatch.setattr(compose, "independence", None)
    answer = archive.ask("Was anybody in Tessen warned of the dam?")
    assert {citation.independent_of for citation in answer.citations} == {None}
    assert answer.independent is None
    archive.answers.record(answer)
    assert archive.answers.get(answer.answer_id).answer == answer


def test_a_question_asked_again_is_not_answered_anew(
    archive: Archive, encoder: FakeEncoder
) -> None:
    """The answer to a question and filters is cached until the collection changes."""
    archive.add(["-"], stream=stream(*ALL))
    first = archive.ask("Where did the dam fail?")
    encoder.texts.clear()
    assert archive.ask("Where did the dam fail?") is first
    assert encoder.texts == []
    filtered = archive.ask("Where did the dam fail?", Filters(publishers=("Evening Gazette",)))
    assert {c.article.article_id for c in filtered.citations} <= {"bank"}
    archive.remove(["dam"])
    assert archive.ask("Where did the dam fail?") != first


def test_asking_again_gives_the_same_answer(archive: Archive) -> None:
    """A question has the same answer in a generation; a commit changes its id."""
    archive.add(["-"], stream=stream(*ALL))
    first, again = archive.ask("Who was warned?"), archive.ask("Who was warned?")
    assert first == again
    archive.remove(["cup"])
    assert archive.ask("Who was warned?").answer_id != first.answer_id


WORDS = (
    "the dam bank cup Tessen warned 😀 e\u0301 “No,” said. failed! Who? U.S. a\u202eb \u200d".split(
        " "
    )
)
TEXTS = st.lists(st.sampled_from([*WORDS, "\n", "\n\n"]), min_size=1, max_size=40).map(" ".join)


@given(st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from(WORDS), st.sampled_from(WORDS))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_answers_quote_verbatim(archive: Archive, texts: list[str], one: str, two: str) -> None:
    """An answer's quotes occur letter for letter in stored articles, for any small corpus."""
    rows = [{"_id": f"r{n}", "text": text} for n, text in enumerate(texts)]
    archive.add(["-"], stream=stream(*rows))
    answer = archive.ask(f"Who {one} what {two}?")
    assert_verbatim(archive, answer)
    archive.check(answer)


def tamper(folder: Path, sql: str) -> None:
    """Change a collection behind the program's back."""
    with closing(sqlite3.connect(folder / "catalogue.sqlite3")) as db:
        assert db.execute(sql).rowcount > 0
        db.commit()


def test_tampering_is_found_before_sending(archive: Archive, tmp_path: Path) -> None:
    """If the stored text is changed after an answer was made, the answer is not sent."""
    archive.add(["-"], stream=stream(DAM))
    answer = archive.ask("Who in Tessen was warned?")
    assert answer.quotes
    archive.check(answer)
    tamper(
        tmp_path / "data" / "server-1",
        "UPDATE revision SET text = replace(text, 'Tessen', 'Kessel')",
    )
    with pytest.raises(QuoteError):
        archive.check(answer)


def test_a_quote_of_an_article_that_is_gone_is_not_sent(archive: Archive, tmp_path: Path) -> None:
    """If a recovery removed the article, its quote is refused with what to do."""
    archive.add(["-"], stream=stream(CUP))
    archive.backup(tmp_path / "before.sqlite3")
    archive.add(["-"], stream=stream(DAM))
    answer = archive.ask("Who in Tessen was warned?")
    archive.recover(tmp_path / "before.sqlite3")
    with pytest.raises(QuoteError, match="ask again"):
        archive.check(answer)


def test_old_answers_check_after_updates_and_removals(archive: Archive) -> None:
    """A quote of an older revision, or of a removed article, still matches its text."""
    archive.add(["-"], stream=stream(DAM))
    answer = archive.ask("Who in Tessen was warned?")
    archive.add(["-"], stream=stream({**DAM, "text": "The dam held."}))
    archive.remove(["dam"])
    assert answer.quotes
    archive.check(answer)


# The rest


@pytest.mark.parametrize("name", ["", "..", "a/b", ".", "a b", "\x00"])
def test_collections_stay_in_their_folder(tmp_path: Path, name: str) -> None:
    """A collection's name cannot lead out of the data folder."""
    with pytest.raises(InputError):
        Archive.open(tmp_path, name, FakeEncoder())
    assert [*tmp_path.iterdir()] == []


def test_collections_do_not_mix(tmp_path: Path) -> None:
    """A collection's contents cannot be found or read from another."""
    with (
        closing(Archive.open(tmp_path, "one", FakeEncoder())) as one,
        closing(Archive.open(tmp_path, "two", FakeEncoder())) as two,
    ):
        one.add(["-"], stream=stream(DAM))
        assert two.search("Who was warned in Tessen?").sentences == ()
        assert two.publishers() == {}
        with pytest.raises(NotFoundError):
            two.article("dam")


def test_a_removed_source_is_not_read(archive: Archive, reports: Path) -> None:
    """A source that had an article is read by a reindex until it is removed."""
    archive.add([str(reports), "/nowhere.txt"])
    assert [source.uri for source in archive.sources.all()] == [str(reports)]
    archive.sources.forget(str(reports))
    assert archive.sources.all() == []
    with pytest.raises(NotFoundError):
        archive.sources.forget(str(reports))


def test_reports_of_one_origin_are_found(archive: Archive, reports: Path) -> None:
    """A rewrite that is added later is found from either side, and nothing else is."""
    wire = [
        "A freight train carrying timber left the rails near the harbour of Ostby on Tuesday.",
        "The driver was taken to a clinic with light injuries, the railway company said.",
        "Engineers expect the line between Ostby and Vik to stay closed until the weekend.",
    ]
    rewrite = [wire[2], wire[0].replace("carrying", "with"), "Buses stood in for trains."]
    archive.add([str(reports)])
    archive.add(["-"], stream=stream({"_id": "wire", "text": " ".join(wire)}))
    assert archive.related("wire") == []
    archive.add(["-"], stream=stream({"_id": "paper", "text": " ".join(rewrite)}))
    assert [one.article_id for one in archive.related("wire")] == ["paper"]
    assert [one.article_id for one in archive.related("paper")] == ["wire"]


def test_undo_says_which_notices_it_withdraws(archive: Archive) -> None:
    """A dry run lists notices, the audit log counts them, and a second undo restores them."""
    archive.add(["-"], stream=stream(*ALL))
    archive.correct("dam", "It was noon.")
    archive.retract("cup", "Made up.")
    before = archive.generation
    preview = archive.undo(1, dry_run=True)
    assert {(n.title, n.notice.note, n.in_force) for n in preview.notices} == {
        ("Dam fails", "It was noon.", False),
        ("Cup", "Made up.", False),
    }
    assert [change.title for change in preview.restored] == ["Cup"]
    assert (archive.generation, live(archive)) == (before, {"dam", "bank"})
    assert archive.undo(1).notices == preview.notices
    event = archive.history()[0]
    assert (event.action, event.note) == ("undo", "back to 1")
    assert event.articles == {"restored": 1, "withdrawn": 1}
    assert archive.article("dam").notice is None
    again = archive.undo(before)
    assert {(n.notice.note, n.in_force) for n in again.notices} == {
        ("It was noon.", True),
        ("Made up.", True),
    }
    assert archive.history()[0].articles == {"removed": 1, "corrected": 1}


def test_a_failing_index_does_not_hide_the_result(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If building the index fails after adding, the result is returned, and it is built later."""

    def broken(_: SqliteStore) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(ingest, "_MANY_SENTENCES", 0)
    monkeypatch.setattr(SqliteStore, "prepare", broken)
    assert len(archive.add(["-"], stream=stream(*ALL)).added) == len(ALL)


def test_a_preview_of_an_undo_copies_nothing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview copies nothing, so it is as fast in a large collection."""
    archive.add(["-"], stream=stream(*ALL))
    archive.remove(["dam"])
    monkeypatch.delattr(SqliteStore, "copy")
    preview = archive.undo(1, dry_run=True)
    assert [change.article_id for change in preview.restored] == ["dam"]


def test_restoring_says_that_it_withdraws_a_retraction(archive: Archive) -> None:
    """Restoring a retracted report says so; its earlier correction is back."""
    archive.add(["-"], stream=stream(*ALL))
    archive.correct("dam", "It was noon.")
    archive.retract("dam", "Made up.")
    notices = archive.restore(["dam"]).notices
    assert [(n.notice.note, n.in_force) for n in notices] == [
        ("Made up.", False),
        ("It was noon.", True),
    ]
    assert archive.restore(["dam"]).notices == ()


def test_undo_counts_the_correction_under_a_retraction(archive: Archive) -> None:
    """An article that was corrected, then retracted, loses and regains two notices."""
    archive.add(["-"], stream=stream(*ALL))
    archive.correct("dam", "It was noon.")
    archive.retract("dam", "Made up.")
    lost = archive.undo(1).notices
    assert [(n.notice.note, n.in_force) for n in lost] == [
        ("Made up.", False),
        ("It was noon.", False),
    ]
    assert archive.undo(2).notices[0].notice.note == "It was noon."
    (lost,) = archive.undo(3).notices
    assert (lost.notice.note, lost.in_force) == ("Made up.", True)
    assert [n.notice.note for n in archive.undo(1, dry_run=True).notices] == [
        "Made up.",
        "It was noon.",
    ]


def test_an_undone_correction_does_not_come_back(archive: Archive) -> None:
    """A retraction that an undo restored does not cover a later correction."""
    archive.add(["-"], stream=stream(*ALL))
    archive.retract("dam", "Made up.")
    archive.restore(["dam"])
    archive.correct("dam", "It was noon.")
    undone = archive.undo(2).notices
    assert [(n.notice.note, n.in_force) for n in undone] == [
        ("It was noon.", False),
        ("Made up.", True),
    ]
    assert [n.notice.note for n in archive.restore(["dam"]).notices] == ["Made up."]
    assert archive.article("dam").notice is None


def test_undo_without_a_change_leaves_no_trace(archive: Archive) -> None:
    """Going back to the present state, or to an equal state, makes no generation."""
    archive.add(["-"], stream=stream(*ALL))
    archive.correct("dam", "It was noon.")
    archive.undo(1)
    for generation in (1, 3):
        result = archive.undo(generation)
        assert (result.generation, result.notices) == (3, ())
    assert len(archive.history()) == 3
    archive.correct("dam", "It was one.")
    assert archive.article("dam").notice.note == "It was one."
    for unknown in (5, -1, 2**63):
        with pytest.raises(NotFoundError, match="no generation"):
            archive.undo(unknown)


def test_undo_of_unseen_changes_is_refused(archive: Archive) -> None:
    """If anything was committed since the state that was decided on, nothing is undone."""
    archive.add(["-"], stream=stream(*ALL))
    archive.remove(["cup"])
    seen = archive.generation
    archive.correct("dam", "It was noon.")
    with pytest.raises(InputError, match="changed meanwhile"):
        archive.undo(1, seen=seen)
    assert archive.generation == seen + 1
    assert archive.undo(1, seen=seen + 1).restored


def test_a_retraction_is_not_lost_by_the_way(archive: Archive) -> None:
    """A correction or adding again does not end a retraction; a second one names the first."""
    archive.add(["-"], stream=stream(*ALL))
    assert archive.retract("dam", "Made up.").replaced is None
    with pytest.raises(InputError, match=r"\(Made up\.\): restore it before"):
        archive.correct("dam", "It was noon.")
    for text in (ALL[0]["text"], "The dam failed again."):
        (failure,) = archive.add(["-"], stream=stream({**ALL[0], "text": text})).failed
        assert "was retracted (Made up.): restore it first" in failure.error
    noted = archive.retract("dam", "Copied.")
    assert noted.replaced is not None
    assert (noted.article.notice.note, noted.replaced.note) == ("Copied.", "Made up.")
    archive.restore(["dam"])
    assert archive.article("dam").notice is None


@pytest.mark.parametrize("back", ["restore", "undo"])
def test_changes_during_a_removal_are_read_after_restoring(tmp_path: Path, back: str) -> None:
    """A file that changed while its article was removed is not taken as unchanged."""
    file = tmp_path / "dam.txt"
    with closing(Archive.open(tmp_path, "desk", FakeEncoder())) as archive:
        for moment, text in enumerate(("The dam failed at dawn.", "The dam failed at noon.")):
            file.write_text(text, encoding="utf-8")
            os.utime(file, (1e9 + moment, 1e9 + moment))
            if not moment:
                (added,) = archive.add([str(file)]).added
                archive.remove([added.article_id])
            assert not archive.sources.reindex().updated
        archive.restore([added.article_id]) if back == "restore" else archive.undo(1)
        assert archive.sources.reindex().updated
        assert archive.article(added.article_id).text == "The dam failed at noon."


def test_undone_text_does_not_come_back_by_itself(tmp_path: Path) -> None:
    """A source with undone text changes nothing until its text changes again."""
    file = tmp_path / "dam.txt"
    with closing(Archive.open(tmp_path, "desk", FakeEncoder())) as archive:

        def reread(text: str) -> bool:
            file.write_text(text, encoding="utf-8")  # so lately that it cannot be known again
            return bool(archive.sources.reindex().updated)

        file.touch()
        archive.sources.add(str(file))
        reread("The dam failed at dawn.")
        assert reread("The dam failed at noon.")
        archive.undo(1)
        assert not reread("The dam failed at noon.")
        assert reread("The dam failed at dusk.")
        assert reread("The dam failed at noon.")


def test_a_clock_set_back_changes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """History, undo and answers follow the order of changes, whatever the clock says."""

    class Backwards(datetime):
        hours = 0

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            cls.hours += 1
            return datetime(2026, 3, 14, tzinfo=tz) - timedelta(hours=cls.hours)

    monkeypatch.setattr(writer, "datetime", Backwards)
    with closing(Archive.open(tmp_path, "c", FakeEncoder())) as archive:
        for name in ("dam", "cup"):
            row = f'{{"id": "{name}", "text": "The {name} failed."}}'
            archive.add(["-"], stream=io.BytesIO(row.encode()))
        archive.remove(["dam"])
        assert [event.generation for event in archive.history()] == [3, 2, 1]
        assert {sentence.article_id for sentence in archive.search("failed").sentences} == {"cup"}
        archive.undo(1)
        assert [article.article_id for article in archive.articles()] == ["dam"]
