"""Data about people: watches, feedback, access to private answers; and deleting it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.fakes import FakeEncoder

from index import Archive, Kept, Viewer
from index.domain import Filters
from index.errors import InputError, NotFoundError
from index.store import people
from index.store.catalogue import Catalogue
from index.store.snapshot import CatalogueSnapshot

DAM = "A gate at Hallow Dam failed at 4:40 a.m. on Monday. Two people died, the authority said."
ME = 123456789012345678


@pytest.fixture
def archive(engine_store: Catalogue, tmp_path: Path) -> Iterator[Archive]:
    file = tmp_path / "dam.txt"
    file.write_text(DAM, encoding="utf-8")
    opened = Archive(engine_store, FakeEncoder(), threshold=0.0)
    opened.add([str(file)])
    yield opened
    opened.close()


def test_private_answer_opens_for_its_asker(archive: Archive) -> None:
    """Only the asker and the operator can open a private answer, and no name is stored."""
    sent = archive.ask("When did the gate fail?")
    archive.answers.record(sent, asker=ME)
    assert archive.answers.get(sent.answer_id, Viewer(ME, frozenset())).answer == sent
    assert archive.answers.get(sent.answer_id).answer == sent
    for name in (sent.answer_id, sent.answer_id.upper()):
        with pytest.raises(NotFoundError, match="opens only for the person who asked"):
            archive.answers.get(name, Viewer(2, frozenset({1, 0})))
    rows = archive.people._rows("SELECT * FROM asker")
    assert len(rows) == 1
    assert str(ME) not in str(rows)


def test_public_answer_opens_in_its_channel(archive: Archive) -> None:
    """Only people who may read its channel can open a public answer or see it listed."""
    sent = archive.ask("When did the gate fail?")
    archive.answers.record(sent, channel=7, message=8)
    assert archive.answers.get(sent.answer_id, Viewer(ME, frozenset({7}))).message == 8
    with pytest.raises(NotFoundError):
        archive.answers.get(sent.answer_id, Viewer(ME, frozenset({6})))
    article_id = sent.quotes[0].quote.article_id
    assert [entry.answer_id for entry in archive.answers.quoting(article_id, [6, 7])]
    assert archive.answers.quoting(article_id, [6]) == []


def test_a_refused_answer_is_not_read(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who may not open an answer does not learn whether its reports still exist."""
    sent = archive.ask("When did the gate fail?")
    archive.answers.record(sent, asker=ME)
    monkeypatch.delattr(CatalogueSnapshot, "article")
    with pytest.raises(NotFoundError, match="No answer"):
        archive.answers.get(sent.answer_id, Viewer(2, frozenset()))


def test_asking_in_private_leaves_no_trace_on_a_public_answer(archive: Archive) -> None:
    """If a question was asked publicly before, the log does not show a private repetition."""
    sent = archive.ask("When did the gate fail?")
    archive.answers.record(sent, channel=7, message=8)
    before = archive.answers.get(sent.answer_id)
    archive.answers.record(sent, asker=ME)
    assert archive.answers.get(sent.answer_id) == before


def test_forgetting_a_person(archive: Archive) -> None:
    """A person's watches, feedback and private answers are deleted; other people's stay."""
    questions = ["When did the gate fail?", "Who built the gate?", "Who died?"]
    alone, shared, public = map(archive.ask, questions)
    archive.answers.record(alone, asker=ME)
    for person in (ME, 2):
        archive.answers.record(shared, asker=person)
        archive.people.add_watch(public, server=9, channel=1, person=person)
    archive.answers.record(public, channel=1, message=2)
    archive.answers.record(public, asker=ME)
    for person in (ME, 2):
        archive.people.add_feedback(public.answer_id, f"By {person}.", reader=person)
    kept = Kept(watches=1, answers=3, feedback=1)
    assert archive.people.kept(ME) == kept
    assert archive.people.forget(ME) == kept
    assert archive.people.kept(ME) == Kept(0, 0, 0)
    assert archive.people.kept(2) == Kept(1, 1, 1)
    with pytest.raises(NotFoundError):
        archive.answers.get(alone.answer_id)
    assert archive.answers.get(shared.answer_id, Viewer(2, frozenset())).answer == shared
    with pytest.raises(NotFoundError):
        archive.answers.get(shared.answer_id, Viewer(ME, frozenset()))
    assert archive.answers.get(public.answer_id).message == 2
    assert archive.people.feedback(public.answer_id) == ["By 2."]


def test_nothing_is_kept_about_a_stranger(archive: Archive) -> None:
    """Nothing is kept about a person who never asked, and forgetting them changes nothing."""
    assert archive.people.kept(ME) == archive.people.forget(ME) == Kept(0, 0, 0)


def test_private_watch_is_kept_once(archive: Archive) -> None:
    """A watch without a channel is stored once; the same question with a channel is another."""
    declined = archive.ask("Who built the dam?")
    first = archive.people.add_watch(declined, server=9, channel=None, person=2)
    assert archive.people.add_watch(declined, server=9, channel=None, person=2) == first
    assert archive.people.add_watch(declined, server=9, channel=1, person=2) != first
    assert [watch.channel for watch in archive.people.watches()] == [None, 1]


def test_old_watches_end(archive: Archive) -> None:
    """A watch ends after the days for which answers are kept, since it was last requested."""
    number = archive.people.add_watch(archive.ask("Who?"), server=9, channel=1, person=2)
    archive.answers.prune(1)
    assert [watch.number for watch in archive.people.watches()] == [number]
    archive.answers.prune(0)
    assert archive.people.watches() == []


def test_the_last_feedback_of_a_reader_counts(archive: Archive) -> None:
    """Repeated feedback replaces the first, and the file does not say who sent it."""
    sent, other = archive.ask("When did the gate fail?"), archive.ask("Who built the gate?")
    archive.answers.record(sent)
    archive.answers.record(other)
    for reader, note in ((123456789012345678, "No."), (2, "Who?"), (123456789012345678, "Wrong.")):
        archive.people.add_feedback(sent.answer_id, note, reader=reader)
    archive.people.add_feedback(other.answer_id, "Who?", reader=2)
    assert archive.people.feedback(sent.answer_id) == ["Who?", "Wrong."]
    rows = archive.people._rows("SELECT * FROM feedback")
    assert len({row[0] for row in rows}) == 3
    assert "123456789012345678" not in str(rows)


def test_feedback_needs_an_answer(archive: Archive) -> None:
    """Feedback on a deleted answer is refused with what to do."""
    with pytest.raises(NotFoundError, match="old ones are deleted"):
        archive.people.add_feedback("ffffffffffff", "Wrong.", reader=1)
    assert archive.people.feedback("ffffffffffff") == []


def test_watch_is_kept_once_until_it_ends(archive: Archive) -> None:
    """A repeated request gives the same watch, which leaves no trace when it ends."""
    declined = archive.ask("Who built the dam?", Filters(since=datetime(2026, 1, 1, tzinfo=UTC)))
    number = archive.people.add_watch(declined, server=9, channel=1, person=2)
    assert archive.people.add_watch(declined, server=9, channel=1, person=2) == number
    assert archive.people.add_watch(declined, server=9, channel=1, person=3) != number
    archive.people.mark_watches_checked([number], 9)
    first = archive.people.watches()[0]
    assert (first.number, first.generation, first.filters) == (number, 9, declined.filters)
    archive.people.remove_watches([number])
    assert [watch.person for watch in archive.people.watches()] == [3]


def test_watches_are_limited(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person and a collection have a limit of watches; a repeated watch counts once."""
    monkeypatch.setattr(people, "MAX_WATCHES_OF_PERSON", 2)
    monkeypatch.setattr(people, "MAX_WATCHES", 3)

    def watch(person: int, number: int) -> int:
        answer = archive.ask(f"Who rebuilt bridge {number}?")
        return archive.people.add_watch(answer, server=9, channel=1, person=person)

    first = watch(ME, 1)
    watch(ME, 2)
    assert watch(ME, 1) == first
    with pytest.raises(InputError, match="You already wait for 2 questions"):
        watch(ME, 3)
    watch(7, 3)
    with pytest.raises(InputError, match="People here already wait for 3 questions"):
        watch(8, 4)
    assert len(archive.people.watches()) == 3
