"""The answer log: what is kept of an answer, and what it gives back later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.fakes import FakeEncoder

from index.archive import Archive
from index.domain import Filters
from index.errors import NotFoundError
from index.store.catalogue import Catalogue

DAM = "A gate at Hallow Dam failed at 4:40 a.m. on Monday. Two people died, the authority said."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "reports"
    made.mkdir()
    (made / "dam.txt").write_text(DAM, encoding="utf-8")
    return made


@pytest.fixture
def archive(engine_store: Catalogue, folder: Path) -> Iterator[Archive]:
    opened = Archive(engine_store, FakeEncoder(), threshold=0.0)
    opened.add([str(folder)])
    yield opened
    opened.close()


def test_recalled_answer_equals_the_answer_that_was_sent(archive: Archive) -> None:
    """Question, filters, generation, quotes and citations are restored."""
    filters = Filters(until=datetime(2036, 3, 9, 12, tzinfo=UTC))
    sent = archive.ask("When did the dam gate fail?")
    archive.answers.record(sent, channel=7, message=8)
    found = archive.answers.get(sent.answer_id)
    assert found.answer == sent
    assert (found.channel, found.message) == (7, 8)
    assert found.answer.scores == sent.scores
    assert not any(standing.became for standing in found.standings)
    declined = archive.ask("Who?", filters)
    archive.answers.record(declined)
    assert archive.answers.get(declined.answer_id).answer == declined


def test_log_does_not_know_who_asked(archive: Archive) -> None:
    """No column of the answer log or of the feedback names a person."""
    archive.answers.record(archive.ask("When did the gate fail?"), channel=1, message=2)
    with archive.answers._writing() as db:
        columns, said = (
            {column[0] for column in db.execute(f"SELECT * FROM {table}").description}
            for table in ("answer", "feedback")
        )
    assert columns == set(
        "answer_id at question filters generation model status confidence parts reason channel "
        "message".split()
    )
    assert said == {"alias", "answer_id", "server", "at", "note", "done"}


def test_recall_says_what_changed_since(archive: Archive, folder: Path) -> None:
    """After an update the old words are recalled, and the article is marked as changed."""
    sent = archive.ask("When did the dam gate fail?")
    archive.answers.record(sent)
    (folder / "dam.txt").write_text(DAM.replace("4:40", "5:10"), encoding="utf-8")
    archive.sources.reindex()
    found = archive.answers.get(sent.answer_id)
    assert found.answer.quotes == sent.quotes
    assert "4:40" in found.answer.quotes[0].quote.text
    (standing,) = found.standings
    assert (standing.article.revision, standing.became) == (2, ("changed",))
    archive.remove([standing.article.article_id])
    (standing,) = archive.answers.get(sent.answer_id).standings
    assert standing.became == ("removed",)


def test_an_id_is_taken_as_it_is_shown(archive: Archive) -> None:
    """An id copied from under an answer is found with the markup around it."""
    sent = archive.ask("When did the dam gate fail?")
    archive.answers.record(sent)
    shown = f" #`{sent.answer_id.upper()}` "
    assert archive.answers.get(shown).answer == sent


def test_undone_changes_are_notified_too(archive: Archive) -> None:
    """Readers are notified once of each state, also after an undo."""
    sent = archive.ask("When did the gate fail?")
    name, since = sent.quotes[0].quote.article_id, datetime.now(UTC) - timedelta(days=1)
    archive.answers.record(sent, channel=1, message=2)
    before = archive.generation
    heard = []
    for change in (
        lambda: archive.correct(name, "It was five."),
        lambda: archive.retract(name, "Fabricated."),
        lambda: archive.undo(before),
        lambda: archive.correct(name, "It was five."),
        lambda: archive.undo(before),
        lambda: archive.remove([name]),
        lambda: archive.restore([name]),
    ):
        change()
        (stale,) = archive.answers.stale(since)
        heard += [standing.state for standing in stale.standings]
        archive.answers.mark_notified(stale)
        assert archive.answers.stale(since) == []
    assert heard == [
        *("corrected It was five.", "retracted Fabricated.", ""),
        *("corrected It was five.", "", "removed", ""),
    ]


def test_what_an_answer_showed_is_no_news(archive: Archive) -> None:
    """A correction that the answer showed is not notified, but its withdrawal is."""
    name, since = archive.articles()[0].article_id, datetime.now(UTC) - timedelta(days=1)
    archive.correct(name, "It was five.")
    sent = archive.ask("When did the gate fail?")
    archive.answers.record(sent, channel=1, message=2)
    assert archive.answers.stale(since) == []
    archive.undo(1)
    (stale,) = archive.answers.stale(since)
    assert [standing.became for standing in stale.standings] == [("withdrawn",)]


def test_undo_between_two_checks_is_no_news(archive: Archive) -> None:
    """A retraction that is undone before anybody was notified is never mentioned."""
    sent = archive.ask("When did the gate fail?")
    archive.answers.record(sent, channel=1, message=2)
    archive.retract(sent.quotes[0].quote.article_id, "Fabricated.")
    archive.undo(1)
    assert archive.answers.stale(datetime.now(UTC) - timedelta(days=1)) == []


def test_logging_makes_no_generation(archive: Archive) -> None:
    """The same question gives the same answer id before and after logging."""
    sent = archive.ask("When did the gate fail?")
    archive.answers.record(sent)
    archive.people.add_feedback(sent.answer_id, "Another gate.", reader=1)
    assert archive.ask("When did the gate fail?").answer_id == sent.answer_id


def test_same_answer_is_kept_once_and_stays_public(archive: Archive) -> None:
    """An answer given again in private stays public where it was."""
    sent = archive.ask("When did the gate fail?")
    archive.answers.record(sent, channel=1, message=2)
    archive.answers.record(sent)
    assert archive.answers.get(sent.answer_id).message == 2
    article_id = sent.quotes[0].quote.article_id
    assert [entry.answer_id for entry in archive.answers.quoting(article_id, [1])] == [
        sent.answer_id
    ]


def test_private_answers_are_not_listed_with_their_articles(archive: Archive) -> None:
    """A private answer's question is not among an article's questions."""
    sent = archive.ask("When did the gate fail?")
    archive.answers.record(sent)
    assert archive.answers.quoting(sent.quotes[0].quote.article_id, [1, 0]) == []


def test_unknown_answer_is_a_plain_error(archive: Archive) -> None:
    """An unknown id is refused with what to do."""
    with pytest.raises(NotFoundError, match="copy the id"):
        archive.answers.get("0123456789ab")


def test_old_answers_are_deleted(archive: Archive) -> None:
    """Pruning deletes only answers and feedback older than the kept days."""
    sent = archive.ask("When did the gate fail?")
    archive.answers.record(sent)
    archive.people.add_feedback(sent.answer_id, "Another gate.", reader=1)
    archive.answers.prune(1)
    assert archive.answers.get(sent.answer_id).answer == sent
    archive.answers.prune(0)
    with pytest.raises(NotFoundError, match="old ones are deleted"):
        archive.answers.get(sent.answer_id)
    assert archive.people.feedback(sent.answer_id) == []


def test_an_answer_lost_in_a_recovery_is_skipped(
    archive: Archive, folder: Path, tmp_path: Path
) -> None:
    """An answer whose articles a recovery removed does not stop other notes."""
    archive.backup(tmp_path / "copy")
    (folder / "gull.txt").write_text("A gull flew over the harbour.", encoding="utf-8")
    archive.sources.reindex()
    lost, kept = archive.ask("What flew over the harbour?"), archive.ask("When did the gate fail?")
    archive.recover(tmp_path / "copy")
    archive.answers.record(lost, channel=1, message=2)
    archive.answers.record(kept, channel=1, message=3)
    archive.remove([kept.quotes[0].quote.article_id])
    found = archive.answers.stale(datetime.now(UTC) - timedelta(days=1))
    assert [one.entry.answer.answer_id for one in found] == [kept.answer_id]


def test_an_answer_shown_again_gets_its_note_again(archive: Archive) -> None:
    """The readers of a new message get the note, even if the first message has it."""
    sent, since = archive.ask("When did the gate fail?"), datetime.now(UTC) - timedelta(days=1)
    archive.answers.record(sent, channel=1, message=2)
    archive.remove([sent.quotes[0].quote.article_id])
    archive.answers.mark_notified(archive.answers.stale(since)[0])
    assert archive.answers.stale(since) == []
    archive.answers.record(sent)
    assert archive.answers.stale(since) == []
    archive.answers.record(sent, channel=1, message=3)
    assert [one.entry.message for one in archive.answers.stale(since)] == [3]
